# SPDX-License-Identifier: Apache-2.0
"""One moment of a rig as a picture: what each camera saw, and beside it the ground from above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.overlay import draw
from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.drawing.text import draw_legend, scale_of
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.structures import Perception

CAMERA_PX: Final = 480
"""Width of a camera's picture."""
MISSING: Final = 70
"""Grey level of the picture of a camera that gave none."""
BACK: Final = 255


def draw_moment(
    rig: Rig,
    images: Mapping[str, NDArray[np.uint8]],
    cameras: Mapping[str, Perception],
    task: str,
    surround: Any,
) -> NDArray[np.uint8]:
    """Return the picture, (h, w, 3) uint8 BGR: of the same size for all moments of a rig.

    Args:
        rig: The cameras; the answer's objects are drawn into their pictures.
        images: As they took them, (H, W, 3) uint8 BGR; one that is missing shows as grey.
        cameras: What was seen in each of them.
        task: That is answered of the rig.
        surround: Its answer.
    """
    room = tasks.part(task, "draw")
    shown, captions = [], []
    for camera in rig.cameras:
        if camera.name in images:
            picture = draw(images[camera.name], cameras[camera.name])
            room.paint(picture, surround, camera, scale_of(picture))
        else:
            picture = np.full((*camera.image_size, 3), MISSING, np.uint8)
        shown.append(picture)
        captions.append(camera.name if camera.name in images else f"{camera.name}: no picture")
    columns = 1 if len(shown) == 1 else 2 if len(shown) <= 4 else 3
    left = tile(shown, columns, CAMERA_PX, captions)
    right = room.picture(surround)
    draw_legend(right, room.legend(surround))
    height = max(left.shape[0], right.shape[0])
    return np.hstack([_padded(left, height), _padded(right, height)])


def _padded(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Return a picture that is ``height`` high, the rest of it below."""
    below = ((0, height - picture.shape[0]), (0, 0), (0, 0))
    return np.pad(picture, below, constant_values=BACK)
