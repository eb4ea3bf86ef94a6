"""One labelled frame of a data set before its picture is read, and the errors of label files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.compat import sample_of
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId

Mask = NDArray[np.uint8]


class LabelError(ValueError):
    """A label file that cannot be used; the message begins with ``file, line N:``."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        """``line`` counts from 1; ``None`` where the file has no lines (a picture)."""
        where = f"{path}, line {line}" if line is not None else str(path)
        super().__init__(f"{where}: {reason}")


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """What a data set says about one picture. Pixels are read on demand, so sets can be streamed.

    Attributes:
        name: Name of the picture inside its set, relative, with suffix: ``clips/a/20.jpg``.
        image_path: The picture; it may be missing (labels alone have their uses).
        size: ``(height, width)`` of the picture.
        lanes: As ``Sample.lanes``: (N, 2) float32 near to far, ``None`` known absent, missing
            unknown. Points lie inside the picture.
        boundaries: Lane boundaries, (N, 2) float32 each, near to far; for people and statistics.
        read_mask: Returns the (H, W) uint8 mask of 255 / 0 / 127 ignore; ``None`` when unknown.
        crop: Suggested crop around the road.
        source: Which data set, a short name.
        licence: In a few words; empty when unknown.
        pseudo: Which of ``"lanes"``, ``"mask"`` come from a teacher network.
        attributes: What else is known, e.g. ``{"timeofday": "night"}``.
        notes: Why labels were left out, for statistics: ``("ego: too wide",)``.
        where: File and line, for messages.
        lane_confidence: As in ``Sample``.
        read_mask_confidence: Returns ``Sample.mask_confidence``; ``None`` where there is none.
    """

    name: str
    image_path: Path
    size: Size
    lanes: Mapping[LaneId, NDArray[np.float32] | None]
    boundaries: tuple[NDArray[np.float32], ...] = ()
    read_mask: Callable[[], Mask] | None = None
    crop: Crop | None = None
    source: str = ""
    licence: str = ""
    pseudo: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    where: str = ""
    lane_confidence: Mapping[LaneId, float] = field(default_factory=dict)
    read_mask_confidence: Callable[[], Mask] | None = None

    def load(self) -> Sample:
        """Read the picture and the mask.

        Raises:
            ValueError: A file that is missing, unreadable or of another size than the labels say.
        """
        image = cv2.imread(str(self.image_path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{self.where}: cannot read the picture {self.image_path}")
        if image.shape[:2] != tuple(self.size):
            raise ValueError(
                f"{self.where}: {self.image_path} is {image.shape[1]}x{image.shape[0]}, "
                f"the labels are for {self.size[1]}x{self.size[0]}"
            )
        mask = self.read_mask() if self.read_mask else None
        confidence = self.read_mask_confidence() if self.read_mask_confidence else None
        name = self.where or self.name
        return sample_of(image, self.lanes, mask, name, self.lane_confidence, confidence)

    def without_mask(self) -> LabelledFrame:
        """Return the same frame, its mask unknown."""
        return replace(self, read_mask=None, read_mask_confidence=None)

    def without_lanes(self) -> LabelledFrame:
        """Return the same frame, its lanes unknown."""
        return replace(self, lanes={}, lane_confidence={})
