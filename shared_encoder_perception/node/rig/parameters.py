# SPDX-License-Identifier: Apache-2.0
"""The rig node's parameters: one table for the declarations, the YAML file and the docs.

``python -m shared_encoder_perception.node.rig.parameters yaml|markdown`` prints it in one of those
forms. Nothing here needs ROS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.parameter_groups import (
    backend,
    debug,
    diagnostics,
    images,
    model,
)
from shared_encoder_perception.node.parameter_groups.diagnostics import watchdog_options
from shared_encoder_perception.node.parameters import to_markdown, to_yaml
from shared_encoder_perception.node.rig.moment import Timing
from shared_encoder_perception.node.watchdogs import WatchdogOptions
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import MOST_CAMERAS
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.options import Options
from shared_encoder_perception.tasks.parameter import Parameter, live

FILE: Final = "rig.file"
WRITTEN_BY: Final = "node.rig.parameters yaml > config/surround.yaml"
TIMING, GRID = Timing(), BevGrid()
"""Where the defaults stand."""

RIG: Final = (
    Parameter(
        FILE,
        "",
        "The rig.yaml that names the cameras, their topics and calibration. A change holds from "
        "~/reload_rig or the next configuration on.",
        read_only=False,
    ),
    live(
        "rig.max_skew_s",
        TIMING.max_skew_s,
        (0.0, 10.0),
        "Longest time between the stamp of a camera's image and that of the moment.",
    ),
    live(
        "rig.wait_s",
        TIMING.wait_s,
        (0.0, 10.0),
        "How long the image of the first camera waits for those of the others.",
    ),
    Parameter(
        "rig.min_cameras",
        TIMING.min_cameras,
        "With images of fewer cameras there is no map.",
        bounds=(1, MOST_CAMERAS),
        read_only=False,
    ),
    live(
        "rig.dead_s",
        TIMING.dead_s,
        (0.01, 60.0),
        "A camera that has sent nothing for so long is not waited for any more; if it is the first "
        "one, the next takes its place.",
    ),
    Parameter(
        "rig.publish_cameras",
        False,
        "Publish what each camera's image says, too, below its name: front/lane_lines/ego, ...",
    ),
    Parameter(
        "grid.x_min_m",
        GRID.x_min_m,
        "Rear edge of the map, metres ahead of the vehicle's origin. A model with a grid of its "
        "own keeps that.",
        bounds=(-1000.0, 1000.0),
    ),
    Parameter(
        "grid.y_min_m",
        GRID.y_min_m,
        "Right edge of the map, metres to the left of the vehicle's origin.",
        bounds=(-1000.0, 1000.0),
    ),
    Parameter("grid.cells_x", GRID.cells_x, "Cells along the vehicle.", bounds=(1, 4000)),
    Parameter("grid.cells_y", GRID.cells_y, "Cells across the vehicle.", bounds=(1, 4000)),
    Parameter("grid.cell_m", GRID.cell_m, "Side of a cell, metres.", bounds=(0.01, 100.0)),
)

LEFT_OUT: Final = (
    *("model.try_first", "backend.build_only"),
    *("debug.markers_max_rate_hz", "debug.overlay_birds_eye", "debug.overlay_all"),
)
LEFT_OUT_IMAGES: Final = ("input.reliability", "input.depth")
"""What stays of ``input.*``: the rest is said of each camera in the file."""
OF_ONE_CAMERA: Final = ("ground", "tracking")
"""Groups of tasks' parameters for what needs one camera's pose, or time: this node does neither."""
UNTIL_CONFIGURED: Final = {
    "model.path": "Path or URL (s3://, gs://, https://) of the .onnx model, or shipped:NAME for "
    "one inside the package; empty = shipped:default. A change holds from the next configuration "
    "on.",
    "model.load_timeout_s": "Longest time that loading a model may take, the building of its "
    "engine included. Then configuration fails.",
    "debug.overlay_width": "Most columns of ~/debug/overlay/compressed: cameras and map together.",
}
"""Descriptions that differ from the node for one camera."""


def rig_parameters() -> dict[str, Parameter]:
    """Return every parameter of the node by its name, in the order in which they are shown."""
    pictures = [row for row in images.PARAMETERS if row.name in LEFT_OUT_IMAGES]
    rows = [
        Parameter("autostart", True, "Configure and activate at start, without a manager."),
        *RIG,
        *model.PARAMETERS,
        *backend.PARAMETERS,
        *pictures,
        *(row for row in _task_rows() if row.name.partition(".")[0] not in OF_ONE_CAMERA),
        *debug.PARAMETERS,
        *diagnostics.PARAMETERS,
    ]
    return {
        row.name: replace(row, description=UNTIL_CONFIGURED.get(row.name, row.description))
        for row in rows
        if row.name not in LEFT_OUT
    }


def _task_rows() -> list[Parameter]:
    """Return the parameters of all tasks, of images and of rigs."""
    contents = tasks.parts("content", tasks.rooms()).values()
    return [row for content in contents for row in content.PARAMETERS]


@dataclass(frozen=True)
class RigOptions:
    """What all parameters say, but for those that decide which model is loaded.

    Attributes:
        file: The ``rig.yaml``; empty for none.
        timing: What belongs together.
        grid: Of the map; ``None`` for the model's own, or the usual one.
        publish_cameras: Whether what each image says is published, too.
        reliability: Asked of the cameras.
        depth: Images that the middleware keeps.
        debug: How pictures are drawn.
        watchdogs: When to complain.
        task_values: The tasks' parameters by name.
    """

    file: str
    timing: Timing
    grid: BevGrid | None
    publish_cameras: bool
    reliability: str
    depth: int
    debug: DebugOptions
    watchdogs: WatchdogOptions
    task_values: Mapping[str, Any]

    @classmethod
    def read(cls, value: Callable[[str], Any]) -> RigOptions:
        """Build the options.

        Args:
            value: Returns the value of the parameter of a name.

        Raises:
            ValueError: Parameters that contradict each other.
        """
        table = rig_parameters()
        defaults = {row.name: row.default for row in _task_rows()}
        undrawn = {row.name: row.default for row in debug.PARAMETERS if row.name not in table}
        grid = BevGrid(
            float(value("grid.x_min_m")),
            float(value("grid.y_min_m")),
            int(value("grid.cells_x")),
            int(value("grid.cells_y")),
            float(value("grid.cell_m")),
        )
        return cls(
            str(value(FILE)),
            Timing(
                float(value("rig.max_skew_s")),
                float(value("rig.wait_s")),
                int(value("rig.min_cameras")),
                float(value("rig.dead_s")),
            ),
            None if grid == GRID else grid,
            bool(value("rig.publish_cameras")),
            str(value("input.reliability")),
            int(value("input.depth")),
            DebugOptions.from_parameters(
                lambda name: undrawn[name] if name in undrawn else value(name)
            ),
            watchdog_options(value),
            {name: value(name) if name in table else old for name, old in defaults.items()},
        )

    @property
    def path(self) -> Path:
        """The file of the rig.

        Raises:
            ValueError: None is named.
        """
        if not self.file:
            raise ValueError(f"{FILE} is not set: name the rig.yaml of the cameras")
        return Path(self.file)

    def decode(self, spec: ModelSpec) -> Options:
        """Return what the decoder of a model is told."""
        return {
            name: content.options(self.task_values.__getitem__, spec.tasks[name])
            for name, content in tasks.parts("content", spec.tasks).items()
        }


def main(arguments: Sequence[str]) -> int:
    """Print the table in the form that ``arguments`` name."""
    forms = {
        "yaml": lambda: to_yaml(rig_parameters(), "surround node", WRITTEN_BY),
        "markdown": lambda: to_markdown(rig_parameters()),
    }
    if len(arguments) != 1 or arguments[0] not in forms:
        print(f"usage: python -m {__spec__.name} {'|'.join(forms)}", file=sys.stderr)
        return 2
    print(forms[arguments[0]](), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
