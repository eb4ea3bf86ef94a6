# SPDX-License-Identifier: Apache-2.0
"""A recorded moment of a rig as a picture: the cameras below each other, and the map beside."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.rigs.absent import AbsentCameras
from shared_encoder_perception.demo.rigs.diagnosed import camera_of, medians_ms
from shared_encoder_perception.demo.rigs.recording import RecordedMoment, moments
from shared_encoder_perception.demo.rigs.topics import RIG_TASK
from shared_encoder_perception.drawing.overlay import draw
from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.drawing.text import CAPTION_PX, draw_caption, draw_legend, scale_of
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile

WIDTH: Final = 1280
CAMERA_PX: Final = 480
"""Width of a camera's picture."""
DARK: Final = 3
"""How many times darker the picture of a camera is that is not in the map."""
MISSING, PAPER = 70, 255
"""Grey levels: of the picture of a camera that gave none, and behind text."""


def overlay_frames(
    bag: Path, file: RigFile, drawn: Collection[str] = ()
) -> Iterator[NDArray[np.uint8]]:
    """Yield a picture of each map that came back, all of the same size.

    Args:
        bag: Of the drive.
        file: The rig, which says everything of its cameras.
        drawn: Tasks of single images whose answers are drawn into the cameras' pictures.
    """
    rig, first_ns = file.rig(), None
    absent = AbsentCameras(rig)
    for one in moments(bag, file, tuple(drawn), "drawing"):
        first_ns = one.stamp_ns if first_ns is None else first_ns
        time_s = (one.stamp_ns - first_ns) * 1e-9
        yield moment_picture(rig, one, time_s, absent.of(one.surround))


def moment_picture(
    rig: Rig, moment: RecordedMoment, time_s: float, absent: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Return the picture, (h, ``WIDTH``, 3) uint8 BGR; the map has ahead up and left left.

    Args:
        rig: The cameras.
        moment: What was recorded of them.
        time_s: Of the drive.
        absent: Cameras that are not in the map; their pictures are dark.
    """
    room = tasks.part(RIG_TASK, "draw")
    seen = list(seen_by_cameras(rig, moment, absent))
    shown = [picture for _, picture, _ in seen]
    captions = [", ".join([name, when, *_state(moment, name)]) for name, _, when in seen]
    left = tile(shown, 1, CAMERA_PX, captions)
    lines = _lines(rig, moment, time_s, absent)
    side = WIDTH - left.shape[1]
    above = room.picture(moment.surround)
    above = cv2.resize(above, (side, round(above.shape[0] * side / above.shape[1])))
    draw_legend(above, room.legend(moment.surround))
    height = max(left.shape[0], above.shape[0] + CAPTION_PX * len(lines))
    height += height % 2  # of a video
    canvas = np.full((height, WIDTH, 3), PAPER, np.uint8)
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[: above.shape[0], left.shape[1] :] = above
    for number, line in enumerate(lines):
        top = above.shape[0] + CAPTION_PX * number
        draw_caption(canvas[top : top + CAPTION_PX, left.shape[1] :], line)
    return canvas


def seen_by_cameras(
    rig: Rig, moment: RecordedMoment, absent: Sequence[str] = ()
) -> Iterator[tuple[str, NDArray[np.uint8], str]]:
    """Yield each camera's name, its picture with what was found in it, and how it stands with it.

    Args:
        rig: The cameras.
        moment: What was recorded of them.
        absent: Cameras that are not in the map; their pictures are dark.
    """
    room = tasks.part(RIG_TASK, "draw")
    for camera in rig.cameras:
        name = camera.name
        if name not in moment.images:
            yield name, np.full((*camera.image_size, 3), MISSING, np.uint8), "NO PICTURE"
            continue
        picture = draw(moment.images[name], moment.cameras[name])
        room.paint(picture, moment.surround, camera, scale_of(picture))
        when = f"{moment.later_ms[name]:+.0f} ms"
        if name in absent:
            picture, when = picture // DARK, f"{when} and NOT IN THE MAP"
        yield name, picture, when


def _state(moment: RecordedMoment, name: str) -> list[str]:
    """Return what the node says of a camera, in a few words."""
    values = camera_of(moment.said, name).values
    if not values:
        return []
    return [
        f"{values.get('state', 'unknown')} at {values.get('rate_hz', 'unknown')} Hz",
        f"missing in {values.get('missing', 'unknown')} of {values.get('moments', 'unknown')}",
    ]


def _lines(rig: Rig, moment: RecordedMoment, time_s: float, absent: Sequence[str]) -> list[str]:
    """Return what is said of the map."""
    missing = [name for name in rig.names if name in absent or name not in moment.images]
    there = f"{len(rig.names) - len(missing)} of {len(rig.names)} cameras"
    without = f", without {', '.join(missing)}" if missing else ""
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in medians_ms(moment.said).items())
    return [
        f"{time_s:.1f} s: map of {there}{without}, {moment.latency_ms:.0f} ms after its stamp",
        f"node: {stages} ms (medians)" if stages else "node: no times yet",
    ]
