# SPDX-License-Identifier: Apache-2.0
"""The blocks of a ModelSpec that follow from what a network is built from."""

from __future__ import annotations

from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.structures import Size


def blocks_of(config: Any, stride: int | None, input_size: Size) -> dict[str, Any]:
    """Return the block that each task has in a network.

    Args:
        config: A ``model.config.NetworkConfig``.
        stride: Input pixels per cell of the grid on which all answers leave; ``None`` where each
            task has its own.
        input_size: ``(height, width)`` of the network's input.

    Raises:
        UnknownTaskError: A name that is no task's.
        ValueError: The config asks a task for what it cannot be.
    """
    rooms = {name: tasks.part(name, "spec") for name in tasks.check(config.tasks)}
    return {name: _block_of(room, config, stride, input_size) for name, room in rooms.items()}


def settled(config: Any) -> Any:
    """Return a network's config that depends on no file: what it names is written into it.

    Raises:
        ValueError: A task of it cannot be what the config asks for.
    """
    for room in tasks.parts("spec", tasks.check(config.tasks)).values():
        config = room.settled(config) if hasattr(room, "settled") else config
    return config


def _block_of(room: Any, config: Any, stride: int | None, input_size: Size) -> Any:
    """Return the block of one task."""
    if hasattr(room, "block_of"):
        return room.block_of(config, stride, input_size)
    if stride is not None and hasattr(room, "block_at"):
        return room.block_at(stride, input_size)
    return room.Block()
