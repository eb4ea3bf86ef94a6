# SPDX-License-Identifier: Apache-2.0
"""The pictures of one moment of a rig, held against its cameras."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.rig import Rig, RigCamera

Images = Mapping[str, NDArray[np.uint8] | None]
"""Pictures by the names of their cameras, (H, W, 3) uint8 BGR; ``None`` for none."""


def checked(images: Images, rig: Rig) -> dict[str, NDArray[np.uint8]]:
    """Return the pictures that there are, in the rig's order.

    Raises:
        ValueError: A picture of no camera of the rig, or of another size than its calibration is
            for; the message names the camera. Or there is none at all.
    """
    if unknown := [name for name in images if name not in rig.names]:
        raise ValueError(
            f"there is a picture of camera {unknown[0]!r}, which the rig does not have: it has "
            f"{', '.join(rig.names)}"
        )
    found = {}
    for camera in rig.cameras:
        picture = images.get(camera.name)
        if picture is None:
            continue
        if picture.dtype != np.uint8 or picture.shape != (*camera.image_size, 3):
            height, width = camera.image_size
            raise ValueError(
                f"the picture of camera {camera.name} is {picture.dtype} {picture.shape}, expected "
                f"uint8 {(height, width, 3)}: its calibration is for {width}x{height} pixels"
            )
        found[camera.name] = picture
    if not found:
        raise ValueError(f"there is no picture of any camera: {', '.join(rig.names)}")
    return found


def black(camera: RigCamera) -> NDArray[np.uint8]:
    """Return a black picture of a camera."""
    return np.zeros((*camera.image_size, 3), np.uint8)
