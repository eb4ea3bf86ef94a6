# SPDX-License-Identifier: Apache-2.0
"""Raw mask -> drivable surface in source-image pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK
from shared_encoder_perception.tasks.masks.decode import MaskDecoder, MaskOptions


@dataclass(frozen=True)
class Options(MaskOptions):
    """What may change from one image to the next; see ``MaskOptions``."""


class Decoder(MaskDecoder[DrivableMask]):
    """Decodes the masks of models with one spec."""

    KIND: ClassVar[type[DrivableMask]] = DrivableMask
    OUTPUT: ClassVar[str] = OUTPUT_MASK
