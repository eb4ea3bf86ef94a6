# SPDX-License-Identifier: Apache-2.0
"""What an answer says of what stands between the camera and the ground: hides."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel


class Hides(Protocol):
    """``hides.py`` (optional): which ground an answer shows to be hidden.

    Of several rooms of a model, the first of the table is asked.
    """

    RULE: str
    """In words, for people."""

    def able(self, block: Any) -> bool:
        """Whether the answers of a model with this block of the spec tell it."""

    def hidden(self, answer: Any, ground: NDArray, camera: CameraModel) -> NDArray:
        """Return (H, W) bool, where the ground is not seen.

        Args:
            answer: The task's, of the image.
            ground: (H, W) float32 metres along the optical axis at which the ground would be; NaN
                where nobody asks.
            camera: Of the image as received.
        """
