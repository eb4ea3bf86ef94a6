"""Labels by a teacher: what a model is sure of becomes a label, the rest stays unknown.

A teacher's positives are usually right, its negatives are not: a lane that it does not find is
unknown, not absent, and a mask is ignored wherever the teacher hesitates. How sure it was is kept
beside each label, as its weight in training. ``teacher_masks`` does the same with masks that any
other network made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.images.sources import Frame, open_source
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame, Mask
from shared_encoder_perception.labels.record_faults import FILE_NAME
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.labels import (
    MASK_DRIVABLE,
    MASK_IGNORE,
    MASK_NOT_DRIVABLE,
)
from shared_encoder_perception.tasks.lanes.answer import LaneId

LANES: Final = "lanes"
MASK: Final = "mask"
LEAST_CONFIDENCE: Final = 0.001
"""Of a lane that becomes a label: a set keeps three decimals, and a weight of 0 is none."""


@dataclass(frozen=True)
class Doubt:
    """When a teacher is believed.

    Attributes:
        lane: Lowest confidence of a lane that becomes a label, 0 to 1.
        drivable: Lowest probability that becomes drivable, 0 to 1.
        not_drivable: Highest probability that becomes not drivable.
    """

    lane: float = 0.6
    drivable: float = 0.9
    not_drivable: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what labels everything, or nothing."""
        if not 0 <= self.not_drivable < self.drivable <= 1 or not 0 <= self.lane <= 1:
            raise ValueError(
                f"{self}: expected lane from 0 to 1, and 0 <= not_drivable < drivable <= 1"
            )


def label(
    predictor: Predictor, path: Path, doubt: Doubt
) -> Iterator[tuple[LabelledFrame, bytes | None]]:
    """Label pictures with a model.

    Args:
        predictor: The teacher; its own lane thresholds apply too.
        path: A native set, where labels by people are kept and those of other teachers replaced;
            or a folder of images, a video, a rosbag2.
        doubt: When the teacher is believed.

    Yields:
        Each frame, and its encoded picture where it is not a file of its own.

    Raises:
        ValueError: A picture that cannot be read, or a crop that does not fit it.
    """
    if path.name == FILE_NAME or (path / FILE_NAME).exists():
        for frame in native.read(path):
            yield _complete(predictor, frame, doubt), None
        return
    for found in open_source(path):
        perception = predictor(found.image, found.crop)
        labelled = with_labels(predictor, plain_frame(found, path.stem), perception, doubt)
        yield labelled, native.encode_picture(found.image)


def plain_frame(found: Frame, source: str) -> LabelledFrame:
    """Describe an image of which nothing is known, and which is to be written as JPEG.

    Args:
        found: The image.
        source: Short name of where it comes from.
    """
    # The suffix stays in the name: a.jpg and a.png of one folder are two pictures.
    name = found.name if found.name.endswith(".jpg") else f"{found.name}.jpg"
    return LabelledFrame(
        name=name,
        image_path=Path(),
        size=(found.image.shape[0], found.image.shape[1]),
        lanes={},
        crop=found.crop,
        source=source,
    )


def by_people(frame: LabelledFrame) -> LabelledFrame:
    """Return a frame with those of its labels that people have made."""
    return without_teachers(frame, (LANES, MASK))


def without_teachers(frame: LabelledFrame, kinds: Collection[str]) -> LabelledFrame:
    """Return a frame without those of its labels, ``LANES`` or ``MASK``, that no people made."""
    gone = set(kinds) & set(frame.pseudo)
    if LANES in gone:
        frame = frame.without_lanes()
    if MASK in gone:
        frame = frame.without_mask()
    return replace(frame, pseudo=tuple(kind for kind in frame.pseudo if kind not in gone))


def sure_mask(probability: NDArray[np.uint8], doubt: Doubt) -> Mask:
    """Turn probabilities into a mask: 255, 0 and, in between, 127.

    Args:
        probability: (H, W) uint8, 0 to 255 for a probability of 0 to 1.
        doubt: When the teacher is believed.
    """
    mask = np.full(probability.shape, MASK_IGNORE, np.uint8)
    mask[probability >= 255 * doubt.drivable] = MASK_DRIVABLE
    mask[probability <= 255 * doubt.not_drivable] = MASK_NOT_DRIVABLE
    return mask


def mask_confidence(probability: NDArray[np.uint8]) -> Mask:
    """Return how sure probabilities p are, (H, W) uint8: ``255 * |2p - 1|``."""
    return np.abs(2 * probability.astype(np.int16) - 255).astype(np.uint8)


def _complete(predictor: Predictor, frame: LabelledFrame, doubt: Doubt) -> LabelledFrame:
    """Add what people have not labelled."""
    people = by_people(frame)
    if people.lanes and people.read_mask is not None:
        return people
    picture = people.without_mask().load().image
    return with_labels(predictor, people, predictor(picture, frame.crop), doubt)


def with_labels(
    predictor: Predictor, frame: LabelledFrame, perception: Perception, doubt: Doubt
) -> LabelledFrame:
    """Fill in lanes and mask where there are none.

    Args:
        predictor: The teacher.
        frame: What people have labelled.
        perception: What the teacher says of its picture.
        doubt: When it is believed.
    """
    pseudo = []
    if not frame.lanes:
        sure = _sure_lanes(perception, doubt)
        frame = replace(
            frame,
            lanes={lane: points for lane, (points, _) in sure.items()},
            lane_confidence={lane: confidence for lane, (_, confidence) in sure.items()},
        )
        pseudo += [LANES] if sure else []
    if frame.read_mask is None and perception.mask is not None:
        probability = perception.mask.probability
        crop = ImageTransform.fit(frame.size, predictor.spec.input_size, frame.crop).crop
        frame = replace(
            frame,
            read_mask=partial(_inside, crop, sure_mask(probability, doubt), MASK_IGNORE),
            read_mask_confidence=partial(_inside, crop, mask_confidence(probability), 0),
        )
        pseudo.append(MASK)
    return replace(frame, pseudo=tuple(pseudo))


def _sure_lanes(
    perception: Perception, doubt: Doubt
) -> dict[LaneId, tuple[NDArray[np.float32], float]]:
    """Lanes that the teacher is sure of, with its confidence; the others stay unknown."""
    height, width = perception.image_size
    corner = np.array((width - 1, height - 1), np.float32)
    return {
        line.lane_id: (np.clip(line.points_px, 0, corner), line.confidence)
        for line in perception.lanes
        if line.detected and line.confidence >= max(doubt.lane, LEAST_CONFIDENCE)
    }


def _inside(crop: Crop, plane: NDArray[np.uint8], outside: int) -> Mask:
    """Keep what the teacher saw."""
    part = np.s_[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    seen = np.full(plane.shape, outside, np.uint8)
    seen[part] = plane[part]
    return seen
