# SPDX-License-Identifier: Apache-2.0
"""The node's parameters as options: read together, so that they can be judged together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.ground.options import GroundOptions, ground_options
from shared_encoder_perception.images.stamps import Limits
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.parameter_groups.background import (
    BackgroundOptions,
    background_options,
)
from shared_encoder_perception.node.parameter_groups.diagnostics import watchdog_options
from shared_encoder_perception.node.parameter_groups.images import (
    InputOptions,
    input_options,
    limits,
)
from shared_encoder_perception.node.parameter_groups.painting import (
    PaintingOptions,
    painting_options,
)
from shared_encoder_perception.node.parameters import task_parameters
from shared_encoder_perception.node.watchdogs import WatchdogOptions
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.options import Options


@dataclass(frozen=True)
class NodeOptions:
    """What all parameters say, but for those that decide which model is loaded.

    Attributes:
        refine: Of each task of the table that refines its answers; see ``contract.Refine``.
        task_values: The tasks' parameters by name.
    """

    images: InputOptions
    limits: Limits
    background: BackgroundOptions
    ground: GroundOptions
    debug: DebugOptions
    painting: PaintingOptions
    watchdogs: WatchdogOptions
    refine: Mapping[str, Any]
    task_values: Mapping[str, Any]

    @classmethod
    def read(cls, value: Callable[[str], Any]) -> NodeOptions:
        """Build the options.

        Args:
            value: Returns the value of the parameter of a name.

        Raises:
            ValueError: Parameters that contradict each other, or name a file that is not there.
        """
        return cls(
            input_options(value),
            limits(value),
            background_options(value),
            ground_options(value),
            DebugOptions.from_parameters(value),
            painting_options(value),
            watchdog_options(value),
            {name: room.options(value) for name, room in tasks.parts("refine").items()},
            {name: value(name) for name in task_parameters()},
        )

    def decode(self, spec: ModelSpec) -> Options:
        """Return what the decoder of a model is told."""
        return {
            name: content.options(self.task_values.__getitem__, spec.tasks[name])
            for name, content in tasks.parts("content", spec.tasks).items()
        }
