# SPDX-License-Identifier: Apache-2.0
"""What a validation saw, as one picture to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.overlay import draw_beside_labels, draw_panels
from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.training.data import Validation


def draw_panel(panel: Sequence[tuple[Validation, Perception]]) -> NDArray[np.uint8]:
    """Draw what was perceived, and the labels as thin white outlines, on what was seen.

    Below, where a task has them, small pictures of answer, label and error.
    """
    pictures = []
    for item, perception in panel:
        labels, crop = item.sample.labels, item.transform.crop
        seen = draw_beside_labels(item.sample.image, perception, labels, crop)
        rows = draw_panels(perception, labels, crop, seen.shape[1])
        pictures.append(np.concatenate([seen, *rows]))
    return tile(pictures, 3, captions=[item.source for item, _ in panel])
