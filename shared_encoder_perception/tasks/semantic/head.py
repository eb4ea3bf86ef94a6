# SPDX-License-Identifier: Apache-2.0
"""The head of semantic: features -> the class of each cell of a grid, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Widths
from shared_encoder_perception.tasks.dense_head import dense_head
from shared_encoder_perception.tasks.semantic.spec import OUTPUT_CONFIDENCE, OUTPUT_IDS, Block
from shared_encoder_perception.tasks.semantic.tables import table_of
from shared_encoder_perception.tasks.strides import OWN_STRIDE

LOGITS: Final = "semantic_logits"
"""(N, classes, rows, columns), before the softmax."""
FEATURES: Final = "semantic_features"
"""(N, C, h, w), what the logits are made of, for a teacher to compare parts of it."""
OWN_NECK: Final = OWN_STRIDE


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return a light head on a pyramid that is shared, a decoder on one of its own."""
    classes = len(table_of(config.classes))
    return dense_head(widths, config.head_channels, classes, (LOGITS, FEATURES))


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """The most probable class of each cell, and its probability in steps of 1/255."""
    said = logits[LOGITS].float()
    probability = torch.softmax(said, dim=1).amax(dim=1)
    return {
        OUTPUT_IDS: said.argmax(dim=1).to(torch.uint8),
        OUTPUT_CONFIDENCE: (probability * 255.0 + 0.5).to(torch.uint8),
    }
