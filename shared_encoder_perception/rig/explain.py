# SPDX-License-Identifier: Apache-2.0
"""Usual mistakes in a rig, undone one by one: with which of them do the cameras agree?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.mosaic import GroundView, ground_view
from shared_encoder_perception.rig.poses import (
    mirrored,
    pitch_negated,
    turned_round,
    yaw_negated,
)
from shared_encoder_perception.rig.rig import RigCamera


class Explanation(NamedTuple):
    """A mistake that may have been made.

    Attributes:
        cameras: Of which.
        text: What to say.
        views: What they would see of the ground without it, in each moment, by camera; those that
            have no picture then are left out.
    """

    cameras: tuple[str, ...]
    text: str
    views: list[dict[str, GroundView]]


def explanations(frames: Sequence[RigFrame], grid: BevGrid) -> Iterator[Explanation]:
    """Yield the usual mistakes of a rig, each undone.

    Args:
        frames: Moments of one rig.
        grid: The cells.
    """
    shown = {name for frame in frames for name in frame.images}
    cameras = [camera for camera in frames[0].rig.cameras if camera.name in shown]
    names = tuple(camera.name for camera in cameras)

    def seen(changed: Mapping[str, RigCamera], of: Mapping[str, str]) -> list[dict]:
        """Look through changed cameras; ``of`` says whose picture each gets."""
        return [
            {
                name: replace(ground_view(camera, frame.images[of[name]], grid), name=name)
                for name, camera in changed.items()
                if of[name] in frame.images
            }
            for frame in frames
        ]

    own = {name: name for name in names}
    together = f"cameras {', '.join(names)} agree once the rig is mirrored left to right: a sign "
    together += "of y and yaw is wrong in all of their poses"
    yield Explanation(names, together, seen({c.name: mirrored(c) for c in cameras}, own))
    for camera in cameras:
        name = camera.name
        for change, words in CHANGES:
            text = f"camera {name} agrees with the others once {words}"
            yield Explanation((name,), text, seen({name: change(camera)}, own))
        text = f"camera {name} agrees with the others once its picture is mirrored"
        yield Explanation((name,), text, [_flipped(frame, camera, grid) for frame in frames])
    for one, other in combinations(cameras, 2):
        if one.image_size == other.image_size:
            text = f"cameras {one.name} and {other.name} agree with the others once their pictures "
            text += "are exchanged: were topics, files or poses swapped?"
            crossed = {one.name: other.name, other.name: one.name}
            views = seen({one.name: one, other.name: other}, crossed)
            yield Explanation((one.name, other.name), text, views)


def _flipped(frame: RigFrame, camera: RigCamera, grid: BevGrid) -> dict[str, GroundView]:
    """Return what a camera sees whose picture is mirrored."""
    picture = frame.images.get(camera.name)
    if picture is None:
        return {}
    return {camera.name: ground_view(camera, np.ascontiguousarray(picture[:, ::-1]), grid)}


CHANGES: Final[tuple[tuple[Callable[[RigCamera], RigCamera], str], ...]] = (
    (mirrored, "its pose is mirrored left to right: a sign of y and yaw is wrong"),
    (yaw_negated, "the sign of its yaw is changed"),
    (turned_round, "it is turned by 180 degrees about the vertical"),
    (pitch_negated, "the sign of its pitch is changed: above 0 looks down"),
)
