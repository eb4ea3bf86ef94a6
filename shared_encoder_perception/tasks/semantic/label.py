# SPDX-License-Identifier: Apache-2.0
"""A label of semantic: the class of each pixel as somebody said it, in a table of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table, translation

IDS: Final = "classes"
CONFIDENCE: Final = "classes_confidence"
INSTANCES: Final = "instances"


@dataclass(frozen=True, eq=False)
class Label:
    """What is known of the classes of one image.

    Attributes:
        ids: (H, W) uint8 of ids of ``classes``, 255 for what is not labelled.
        classes: The table of who labelled it.
        confidence: (H, W) uint8 weight of each pixel, 255 for a sure one; ``None`` where all are.
        instances: (H, W) uint16: pixels of one class and one number are one object, 0 is no single
            one (a class that is not counted, a crowd); ``None`` where nobody said.
    """

    ids: NDArray[np.uint8]
    classes: Table
    confidence: NDArray[np.uint8] | None = None
    instances: NDArray[np.uint16] | None = None

    def check(self, image_size: Size) -> None:
        """Refuse a label that does not fit its image or its table.

        Raises:
            ValueError: Of another type, not of the image's size, or with ids that the table lacks.
        """
        planes = (
            (IDS, self.ids, np.uint8),
            (CONFIDENCE, self.confidence, np.uint8),
            (INSTANCES, self.instances, np.uint16),
        )
        for what, plane, kind in planes:
            if plane is not None and (plane.dtype != kind or plane.shape != tuple(image_size)):
                raise ValueError(
                    f"{what} is {plane.dtype} {plane.shape}, expected {np.dtype(kind)} "
                    f"{tuple(image_size)}"
                )
        if fault := strange_ids(self.ids, self.classes):
            raise ValueError(fault)


def strange_ids(ids: NDArray[np.uint8], classes: Table) -> str:
    """Say which ids are in no class of a table, and of how many pixels; empty for none."""
    counts = np.bincount(ids.ravel(), minlength=256)
    counts[: len(classes)] = counts[UNLABELLED] = 0
    if not counts.any():
        return ""
    listed = ", ".join(f"{one} ({counts[one]} pixels)" for one in np.flatnonzero(counts)[:8])
    return (
        f"has ids that its table lacks: {listed}; expected 0 to {len(classes) - 1}, or "
        f"{UNLABELLED} for what is not labelled"
    )


def in_table(label: Label, classes: Table) -> NDArray[np.uint8]:
    """Return the ids of a label in another table, by name; what that lacks is not labelled."""
    if label.classes == classes:
        return label.ids
    table = np.frombuffer(translation(label.classes, classes), np.uint8)
    return np.asarray(cv2.LUT(label.ids, table), np.uint8)
