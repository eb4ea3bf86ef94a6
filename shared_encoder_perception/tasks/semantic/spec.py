# SPDX-License-Identifier: Apache-2.0
"""The block of semantic in a ModelSpec, and the tensors that it promises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from shared_encoder_perception.spec import Tensor, expect
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.semantic.classes import (
    SemanticClass,
    TableError,
    checked,
    to_json,
)
from shared_encoder_perception.tasks.semantic.tables import TABLES, WORLD, table_of
from shared_encoder_perception.tasks.strides import OWN_STRIDE
from shared_encoder_perception.tasks.temperature import expect_temperature

OUTPUT_IDS: Final = "semantic"
"""Output tensor: uint8 (N, H / stride, W / stride), the id of the most probable class."""
OUTPUT_CONFIDENCE: Final = "semantic_confidence"
"""Output tensor of the same shape: its probability, 0 to 255."""


ADDED: Final = ("confidence_temperature", "confidence_bias")
"""Keys of the block that specs had not from its beginning."""


@dataclass(frozen=True)
class Block:
    """What a model says of its classes.

    Attributes:
        classes: In the order of their ids.
        semantic_stride: Input pixels per cell of the answer.
        confidence_temperature: Above 0; the probability p of the most probable class becomes
            ``sigmoid(logit(p) / confidence_temperature + confidence_bias)``.
        confidence_bias: As above; with temperature 1 and bias 0 the network's own p stays.
    """

    classes: tuple[SemanticClass, ...] = WORLD
    semantic_stride: int = 1
    confidence_temperature: float = 1.0
    confidence_bias: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a table that could not be decoded."""
        try:
            checked(self.classes)
            fault = ""
        except TableError as error:
            fault = str(error)
        expect(not fault, "classes", fault, "a table of classes with the ids 0 to N - 1 in order")
        in_order = [one.id for one in self.classes] == list(range(len(self.classes)))
        expect(in_order, "classes", [one.id for one in self.classes], "ids in order")
        strides = (1, 2, 4, 8, 16, 32)
        expect(
            self.semantic_stride in strides,
            "semantic_stride",
            self.semantic_stride,
            f"one of {strides}",
        )
        expect_temperature("confidence", self.confidence_temperature, self.confidence_bias)

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensors of ids and of their confidence."""
        grid = (input_size[0] // self.semantic_stride, input_size[1] // self.semantic_stride)
        return {OUTPUT_IDS: Tensor("uint8", grid), OUTPUT_CONFIDENCE: Tensor("uint8", grid)}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return nothing: the image is enough."""
        return {}


def block_of(config: Any, stride: int | None, input_size: Size) -> Block:
    """Return the block of a network of ``config.classes``; see ``contract.runtime.Spec``."""
    return Block(table_of(config.classes), stride or OWN_STRIDE)


def settled(config: Any) -> Any:
    """Return the config with its table of classes instead of the path of one."""
    table = table_of(config.classes)
    if config.classes in TABLES:
        return config
    return replace(config, classes=to_json(table))
