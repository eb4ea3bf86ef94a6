# SPDX-License-Identifier: Apache-2.0
"""Outputs for several looks at one image, made one: test-time augmentation of whatever tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.images.looks import Look
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec


class Merger:
    """Makes the outputs for several looks at one image those of one."""

    def __init__(self, spec: ModelSpec) -> None:
        """Find out how each task does it.

        Raises:
            ValueError: One cannot, or the model takes what cannot be mirrored and resized.
        """
        moved = (INPUT_IMAGE, *spec.companions())
        if extras := [name for name in spec.input_tensors() if name not in moved]:
            raise ValueError(
                f"the model takes {', '.join(extras)} beside the image, which test-time "
                "augmentation cannot mirror and resize along with it: do without --tta"
            )
        self._blocks, self._rooms = spec.tasks, tasks.parts("ensemble", spec.tasks)
        if without := [name for name in spec.tasks if name not in self._rooms]:
            raise ValueError(
                f"answers of the task {without[0]!r} cannot be averaged over mirrored and resized "
                "pictures (its room has no ensemble.py): do without --tta, or take a model that "
                "does not answer it"
            )

    def __call__(
        self, looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]]
    ) -> dict[str, NDArray]:
        """Return the outputs of all tasks, as of the plain picture.

        Args:
            looks: At one image, the plain one first.
            outputs: Of each, without the batch axis.
        """
        merged: dict[str, NDArray] = {}
        for name, room in self._rooms.items():
            merged |= room.merge(looks, outputs, self._blocks[name])
        return merged
