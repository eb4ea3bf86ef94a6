"""Why a frame may be worth labelling, each reason as a number that needs no label.

- ``unsure_lane``: ``4 p (1 - p)`` of the lane confidence p nearest to one half: 1 for a coin's
  toss, 0 for certainty. The confidence of a calibrated model is a probability, so this is the
  variance of "the line is right", up to its scale.
- ``unsure_mask``: share of the pixels whose probability lies between ``UNSURE``.
- ``models_disagree``: how far a second model is from the first one, see ``evaluation.apart``.
- ``changed``: the same between a frame of a drive and the one before: what flickers is wrong once.
- ``rare``: ``-log2`` of the share of frames that have just these lanes, as a share of the largest
  that is possible; known when all frames are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.scorer import inside
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception

UNSURE_LANE, UNSURE_MASK, MODELS, CHANGED, RARE = REASONS = (
    "unsure_lane",
    "unsure_mask",
    "models_disagree",
    "changed",
    "rare",
)
UNSURE: Final = (0.1, 0.9)
"""Probabilities of the mask between which it is unsure."""
COMMON: Final = 0.1
"""Share of the frames from which on a set of lanes is not rare."""
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
        lanes: Names of the lanes that were found.
        look: (D,) float32, what the frame looks like; see ``look_of``.
    """

    index: int
    name: str
    stamp_ns: int | None
    scores: Mapping[str, float]
    notes: Mapping[str, str]
    lanes: tuple[str, ...]
    look: NDArray[np.float32]


def unsure_lane(answer: Perception) -> tuple[float, str]:
    """Return the reason's number and what it is about."""
    line = max(answer.lanes, key=lambda line: line.confidence * (1 - line.confidence))
    score = 4 * line.confidence * (1 - line.confidence)
    return score, f"{line.lane_id.label} {line.confidence:.2f}"


def unsure_mask(answer: Perception, crop: Crop) -> tuple[float, str]:
    """Return the reason's number and what it is about."""
    if answer.mask is None:
        return 0.0, ""
    seen = answer.mask.probability[inside(crop)]
    low, high = (255 * value for value in UNSURE)
    share = float(np.mean((seen > low) & (seen < high)))
    return share, f"{share:.1%} of the mask"


def disagreement(parts: Mapping[str, float]) -> tuple[float, str]:
    """Return the number and the largest part of what ``evaluation.apart`` found."""
    if not parts:
        return 0.0, ""
    name, most = max(parts.items(), key=lambda part: part[1])
    return sum(parts.values()), f"{name} by {most:.2f}"


def rarity(lanes: Sequence[tuple[str, ...]]) -> list[tuple[float, str]]:
    """Return the number of each frame, and what it is about.

    Args:
        lanes: The lanes found in each frame.
    """
    times, total = Counter(lanes), len(lanes)
    if total < 2:
        return [(0.0, "")] * total
    found = []
    for one in lanes:
        share = times[one] / total
        score = -log2(share) / log2(total) if share < COMMON else 0.0
        found.append((score, f"{' + '.join(one) or 'no lane'} in {share:.1%} of the frames"))
    return found


def look_of(image: NDArray[np.uint8], answer: Perception, crop: Crop) -> NDArray[np.float32]:
    """Return what a frame looks like: thumbnails of picture and mask, 0 to 1.

    Args:
        image: (H, W, 3) uint8 BGR.
        answer: What was perceived in it.
        crop: What the network saw.

    Returns:
        (D,) float32; the root of the mean square of a difference is a distance from 0 to 1.
    """
    seen = inside(crop)
    planes = [image[seen]]
    if answer.mask is not None:
        planes.append(answer.mask.probability[seen])
    small = [cv2.resize(plane, LOOK[::-1], interpolation=cv2.INTER_AREA) for plane in planes]
    return np.concatenate([plane.ravel() for plane in small]).astype(np.float32) / 255.0
