# SPDX-License-Identifier: Apache-2.0
"""A painted cloud as files: binary PLY for any viewer, and the picture with the points on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.tasks.painting import NOBODY

GREY: Final = (90, 90, 90)
PLY: Final = np.dtype(
    [
        *((name, "<f4") for name in ("x", "y", "z", "intensity")),
        *((name, "u1") for name in ("red", "green", "blue", "class")),
        ("probability", "<f4"),
    ]
)
WORDS: Final = {"<f4": "float", "|u1": "uchar"}


def write_painted(
    out: Path,
    name: str,
    points: NDArray,
    camera_points: NDArray,
    image: NDArray[np.uint8],
    camera: CameraModel,
    painted: Any,
    answer: Any,
) -> None:
    """Write ``NAME.ply`` and ``NAME.jpg``.

    Args:
        out: Folder.
        name: Of both files.
        points: (N, 4) x, y, z, intensity in the lidar's frame.
        camera_points: (N, 3) the same in the camera's optical frame.
        image: (H, W, 3) uint8 BGR.
        camera: Of that image.
        painted: What ``paint`` of the task's room returned.
        answer: Of the task.

    Raises:
        FileExistsError: There are others of this name.
    """
    colours = _colours(painted.ids, answer)
    write_new(out, Path(f"{name}.ply"), _ply(points, painted, colours))
    write_picture(out / f"{name}.jpg", _picture(image, camera, camera_points, painted, colours))


def _colours(ids: NDArray[np.uint8], answer: Any) -> NDArray[np.uint8]:
    """Return (N, 3) RGB of each point's class, grey for none."""
    table = np.full((256, 3), GREY, np.uint8)
    for one in answer.classes:
        table[one.id] = one.colour
    return table[ids]


def _ply(points: NDArray, painted: Any, colours: NDArray[np.uint8]) -> bytes:
    """Return a cloud in the lidar's frame as binary PLY (Turk, 1994)."""
    cloud = np.zeros(len(points), PLY)
    for column, name in enumerate(("x", "y", "z", "intensity")):
        cloud[name] = points[:, column]
    for column, name in enumerate(("red", "green", "blue")):
        cloud[name] = colours[:, column]
    cloud["class"], cloud["probability"] = painted.ids, painted.probability
    properties = [f"property {WORDS[PLY[name].str]} {name}" for name in PLY.names or ()]
    header = "\n".join(
        [
            *("ply", "format binary_little_endian 1.0", f"element vertex {len(cloud)}"),
            *properties,
            "end_header\n",
        ]
    )
    return header.encode() + cloud.tobytes()


def _picture(
    image: NDArray[np.uint8],
    camera: CameraModel,
    camera_points: NDArray,
    painted: Any,
    colours: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return the image, darkened, with its painted points."""
    canvas = image // 2
    seen = np.flatnonzero(painted.ids != NOBODY)
    places = np.rint(camera.see(camera_points[seen])).astype(int)
    for (x, y), colour in zip(places.tolist(), colours[seen, ::-1].tolist(), strict=True):
        cv2.circle(canvas, (x, y), 1, colour, cv2.FILLED)
    return canvas
