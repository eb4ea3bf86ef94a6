# SPDX-License-Identifier: Apache-2.0
"""The answer of drivable_surface: a mask of the source image's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared_encoder_perception.tasks.masks.answer import Mask
from shared_encoder_perception.tasks.masks.values import NO, YES

DRIVABLE: Final = YES
NOT_DRIVABLE: Final = NO


@dataclass(frozen=True, eq=False)
class DrivableMask(Mask):
    """Where the vehicle may drive; "yes" is drivable. See ``Mask``."""


Answer = DrivableMask
