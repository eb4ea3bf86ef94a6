# SPDX-License-Identifier: Apache-2.0
"""Mistakes that people make in a rig, to be made on purpose: does `rig check` find them?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from shared_encoder_perception.rig import poses
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig, RigCamera

Frames = Sequence[RigFrame]
Mistake = Callable[[Frames, Generator], list[RigFrame]]
"""Takes moments of one rig that is right, and dice that say in which camera and direction; gives
the same moments as somebody has them who made it. The pictures of the moments are the same objects
or mirrored ones."""
BESIDE_M: Final = 0.3
"""From where on a camera sits at a side of the vehicle."""


def made(change: Callable[[RigCamera, float], RigCamera], *, side: bool = False) -> Mistake:
    """Return a mistake in the pose of one camera.

    Args:
        change: Takes the camera, and -1 or 1 for a direction.
        side: Only of cameras at a side, where there are some.
    """

    def mistake(frames: Frames, dice: Generator) -> list[RigFrame]:
        rig, sign = frames[0].rig, float(dice.choice([-1.0, 1.0]))
        beside = [one for one in rig.cameras if abs(one.view.position[1]) > BESIDE_M]
        chosen = _thrown(beside if side and beside else rig.cameras, dice)
        return calibrated(frames, {chosen.name: change(chosen, sign)})

    return mistake


def all_mirrored(frames: Frames, _dice: Generator) -> list[RigFrame]:
    """Mirror all poses: a left-handed frame."""
    cameras = frames[0].rig.cameras
    return calibrated(frames, {one.name: poses.mirrored(one) for one in cameras})


def exchanged(frames: Frames, dice: Generator) -> list[RigFrame]:
    """Give two cameras each other's pictures.

    Raises:
        ValueError: No two cameras have pictures of the same size.
    """
    cameras = frames[0].rig.cameras
    pairs = [
        (one.name, other.name)
        for index, one in enumerate(cameras)
        for other in cameras[index + 1 :]
        if one.image_size == other.image_size
    ]
    if not pairs:
        raise ValueError("no two cameras have pictures of the same size")
    one, other = pairs[int(dice.integers(len(pairs)))]
    return [
        replace(
            frame, images=dict(frame.images) | {one: frame.images[other], other: frame.images[one]}
        )
        for frame in frames
    ]


def picture_mirrored(frames: Frames, dice: Generator) -> list[RigFrame]:
    """Mirror the pictures of one camera, as for a rear-view display."""
    name = _thrown(frames[0].rig.cameras, dice).name
    return [
        replace(
            frame,
            images=dict(frame.images) | {name: np.ascontiguousarray(frame.images[name][:, ::-1])},
        )
        for frame in frames
    ]


def calibrated(frames: Frames, changed: Mapping[str, RigCamera]) -> list[RigFrame]:
    """Return moments with other cameras of the same names, and without labels."""
    rig = frames[0].rig
    other = Rig(tuple(changed.get(one.name, one) for one in rig.cameras), rig.frame_id)
    return [replace(frame, rig=other, label=None) for frame in frames]


def _thrown(cameras: Sequence[RigCamera], dice: Generator) -> RigCamera:
    """Return one of them."""
    return cameras[int(dice.integers(len(cameras)))]


def _angle(name: str, degrees: float) -> Mistake:
    """Return an angle of one camera that is off."""
    return made(lambda camera, sign: poses.tilted(camera, **{name: sign * degrees}))


USUAL_MISTAKES: Final[Mapping[str, Mistake]] = {
    "pose of a camera at a side mirrored": made(lambda one, _: poses.mirrored(one), side=True),
    "sign of the yaw of a camera at a side": made(lambda one, _: poses.yaw_negated(one), side=True),
    "a camera turned by 180 degrees": made(lambda one, _: poses.turned_round(one)),
    "a camera turned by 90 degrees": _angle("yaw_deg", 90.0),
    "all poses mirrored": all_mirrored,
    "pictures of two cameras exchanged": exchanged,
    "pictures of a camera mirrored": picture_mirrored,
    "pitch off by 5 degrees": _angle("pitch_deg", 5.0),
    "pitch off by 2 degrees": _angle("pitch_deg", 2.0),
    "roll off by 3 degrees": _angle("roll_deg", 3.0),
    "yaw off by 5 degrees": _angle("yaw_deg", 5.0),
    "yaw off by 2 degrees": _angle("yaw_deg", 2.0),
    "half the height": made(lambda one, _: poses.raised(one, 0.5)),
}
"""What is made -> how; each in a camera and a direction by dice."""
