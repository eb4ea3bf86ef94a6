# SPDX-License-Identifier: Apache-2.0
"""What an answer to one image says of the ground below its pixels: on_ground."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray


class OnGround(Protocol):
    """``on_ground.py`` (optional): what an answer says of pixels that show the ground.

    Answers of several calibrated cameras become one map of the ground by it, without a network
    that was trained for that. Two rooms with the same ``MAP``: the first of the table counts.
    """

    MAP: str
    """Of the maps that the answer of a rig has (``tasks.surround.answer``), the one it fills."""

    def read(self, answer: Any, pixels: NDArray) -> NDArray:
        """Return how probable it is at each place of the image, (N,) float32, 0 to 1.

        NaN where the answer says nothing, such as outside of what the network saw, and for places
        that are NaN or outside of the image.

        Args:
            answer: The task's, of the image.
            pixels: (N, 2) ``(x, y)`` of the image as received.
        """

    def threshold(self, options: Any) -> float:
        """Return the lowest probability that counts as yes, above 0, at most 1.

        Args:
            options: Of the task's decoder.
        """
