# SPDX-License-Identifier: Apache-2.0
"""Why a frame may be worth labelling, each reason as a number that needs no label.

- Each task may have reasons of its own, such as how unsure the model is (``reasons.py`` of its
  room).
- ``models_disagree``: how far a second model is from the first one, see ``evaluation.apart``.
- ``changed``: the same between a frame of a drive and the one before: what flickers is wrong once.
- ``rare``: ``-log2`` of the share of frames in which just these things were found, as a share of
  the largest that is possible; known when all frames are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.comparisons import Reason

MODELS, CHANGED, RARE = OF_ALL = ("models_disagree", "changed", "rare")
"""Reasons that are of no one task."""
NO_REASON: Final = Reason(0.0, "")
COMMON: Final = 0.1
"""Share of the frames from which on what was found is not rare."""
LOOK: Final = (8, 20)
"""Height and width of the thumbnail by which frames are told apart."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """What is kept of a frame until all are seen.

    Attributes:
        index: It is the index-th image of its source.
        name: Of the frame.
        stamp_ns: When it was taken; ``None`` where the source does not say so.
        scores: Reason -> number, 0 for none.
        notes: Reason -> what the number is about, for people.
        found: Task -> names of what was found, for tasks that find things.
        look: (D,) float32, what the frame looks like; see ``look_of``.
    """

    index: int
    name: str
    stamp_ns: int | None
    scores: Mapping[str, float]
    notes: Mapping[str, str]
    found: Mapping[str, tuple[str, ...]]
    look: NDArray[np.float32]


def reason_names(names: Iterable[str]) -> list[str]:
    """Return every reason that there is for models of these tasks, in the order of their turns."""
    own = [reason for room in tasks.parts("reasons", names).values() for reason in room.REASONS]
    return [*own, *OF_ALL]


def own_reasons(answer: Perception, crop: Crop) -> dict[str, Reason]:
    """Return the reasons that single tasks have."""
    found: dict[str, Reason] = {}
    for name, room in tasks.parts("reasons", answer.answers).items():
        found |= room.reasons(answer.answers[name], crop)
    return found


def things_found(answer: Perception) -> dict[str, tuple[str, ...]]:
    """Return the names of what was found, for each task that finds things."""
    return {
        name: tuple(room.detected(answer.answers[name]))
        for name, room in tasks.parts("record", answer.answers).items()
        if room.DETECTABLE
    }


def finding(names: Iterable[str]) -> list[str]:
    """Return those tasks that find things."""
    return [name for name, room in tasks.parts("record", names).items() if room.DETECTABLE]


def disagreement(parts: Mapping[str, float]) -> Reason:
    """Return the number and the largest part of what ``evaluation.apart`` found."""
    if not parts:
        return NO_REASON
    name, most = max(parts.items(), key=lambda part: part[1])
    return Reason(sum(parts.values()), f"{name} by {most:.2f}")


def rarity(found: Sequence[tuple[str, ...]], nothing: str) -> list[Reason]:
    """Return the reason of each frame.

    Args:
        found: What was found in each frame.
        nothing: What to call a frame in which there is nothing.
    """
    times, total = Counter(found), len(found)
    if total < 2:
        return [NO_REASON] * total
    reasons = []
    for one in found:
        share = times[one] / total
        score = -log2(share) / log2(total) if share < COMMON else 0.0
        reasons.append(Reason(score, f"{' + '.join(one) or nothing} in {share:.1%} of the frames"))
    return reasons


def nothing_of(names: Iterable[str]) -> str:
    """Return what people call a frame in which models of these tasks find nothing."""
    rooms = tasks.parts("reasons", names).values()
    return ", ".join(room.NOTHING for room in rooms if room.NOTHING) or "nothing"


def look_of(image: NDArray[np.uint8], answer: Perception, crop: Crop) -> NDArray[np.float32]:
    """Return what a frame looks like: thumbnails of the picture, and of what tasks make of it.

    Args:
        image: (H, W, 3) uint8 BGR.
        answer: What was perceived in it.
        crop: What the network saw.

    Returns:
        (D,) float32, 0 to 1; the root of the mean square of a difference is a distance from 0 to 1.
    """
    planes = [image[crop.window]]
    for name, room in tasks.parts("reasons", answer.answers).items():
        planes += room.planes(answer.answers[name], crop)
    small = [cv2.resize(plane, LOOK[::-1], interpolation=cv2.INTER_AREA) for plane in planes]
    return np.concatenate([plane.ravel() for plane in small]).astype(np.float32) / 255.0
