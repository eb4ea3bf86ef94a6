# SPDX-License-Identifier: Apache-2.0
"""The consumer of a soak of a rig: hears every map, and what the diagnostics say of each camera.

Started by ``soak``; SIGTERM ends it. See ``soak/probe.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

from shared_encoder_perception.demo.rigs.diagnosed import NOTHING, RIG, Told, is_calibrated, told_by
from shared_encoder_perception.demo.rigs.topics import RIG_TASK
from shared_encoder_perception.node.rig.camera_counts import OUTCOMES
from shared_encoder_perception.soak.probe import Probe, listen
from shared_encoder_perception.soak.rigs.records import STATES_FILE

CAMERA_TASK: Final = "camera "
"""What the names of the cameras' tasks begin with."""
COUNTED: Final = ("received", *OUTCOMES, "waiting", "in_work")
MAPS: Final = ("maps", "partial", "without_map")
"""What the task ``rig`` counts."""


class RigProbe(Probe):
    """Subscribes to every output of the node for rigs."""

    node = RIG_TASK

    def __init__(self, folder: Path, everything: bool = False) -> None:
        """Write to ``folder``; see ``Probe``."""
        super().__init__(folder, everything)
        self._said: dict[str, Told] = {}

    def announce(self) -> None:
        """Say once that every output is connected, and the node active and calibrated."""
        if is_calibrated(self._said):
            super().announce()

    def _informed(self, message: Any) -> None:
        """Note what runs: the map has the same topics whatever model it is of."""
        super()._informed(message)
        self._tasks = [RIG_TASK]

    def _counted(self, message: Any) -> dict[str, Any]:
        """Return the counts of cameras and maps; note the states of the cameras."""
        now_ns = monotonic_ns()
        said = told_by(message)
        self._said |= said
        cameras = {
            task.removeprefix(CAMERA_TASK): one.values
            for task, one in said.items()
            if task.startswith(CAMERA_TASK)
        }
        if not cameras:
            return {}
        states = {name: values["state"] for name, values in cameras.items()}
        with (self._folder / STATES_FILE).open("a") as lines:
            lines.write(json.dumps({"at_ns": now_ns, "cameras": states}) + "\n")
        counts: dict[str, Any] = {
            name: {key: int(values[key]) for key in COUNTED} for name, values in cameras.items()
        }
        rig = self._said.get(RIG, NOTHING).values
        return {"cameras": counts, **{key: int(rig.get(key, 0)) for key in MAPS}}


if __name__ == "__main__":
    sys.exit(listen(RigProbe))
