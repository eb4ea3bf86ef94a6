# SPDX-License-Identifier: Apache-2.0
"""Raw mask -> foreground in source-image pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.spec import OUTPUT_FOREGROUND
from shared_encoder_perception.tasks.masks.decode import MaskDecoder, MaskOptions


@dataclass(frozen=True)
class Options(MaskOptions):
    """What may change from one image to the next; see ``MaskOptions``."""

    along_edges: bool = True


class Decoder(MaskDecoder[ForegroundMask]):
    """Decodes the masks of models with one spec."""

    KIND: ClassVar[type[ForegroundMask]] = ForegroundMask
    OUTPUT: ClassVar[str] = OUTPUT_FOREGROUND
