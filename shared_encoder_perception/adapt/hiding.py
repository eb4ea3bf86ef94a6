# SPDX-License-Identifier: Apache-2.0
"""What of the ground driven over is hidden in a picture, by what stands or drives before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.adapt.footprint import Footprint
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN

NEAR_ONLY_M: Final = 15.0
"""As far as is used where the model says nothing of what hides the ground: about the gap that is
left to whoever drives ahead."""


@dataclass(frozen=True)
class Rule:
    """How hidden ground is left out.

    Attributes:
        task: Whose answer tells; empty for none.
        words: For people.
    """

    task: str
    words: str

    @property
    def far_m(self) -> float:
        """Up to which distance ground is used."""
        return float("inf") if self.task else NEAR_ONLY_M

    def cut(self, footprint: Footprint, camera: CameraModel, answers: Perception) -> Footprint:
        """Return what is left of a footprint once what is hidden is unknown."""
        hidden = ~(footprint.away <= self.far_m)
        if self.task:
            room: Any = tasks.part(self.task, "hides")
            hidden = room.hidden(answers.answers[self.task], footprint.depth, camera)
        return replace(footprint, plane=np.where(hidden, np.uint8(NOT_KNOWN), footprint.plane))


def rule_of(blocks: Mapping[str, Any]) -> Rule:
    """Return the rule for a model, by the tasks that it answers and the block of each."""
    for task, room in tasks.parts("hides", blocks).items():
        if room.able(blocks[task]):
            return Rule(task, room.RULE)
    return Rule("", f"nothing tells what hides the ground: only the nearest {NEAR_ONLY_M:g} m")
