# SPDX-License-Identifier: Apache-2.0
"""Classes on a picture: each pixel half in its class's colour."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Colour
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table
from shared_encoder_perception.tasks.semantic.label import Label, in_table

LAYER: Final = -10
PANELS: Final = ("answer", "label", "error: the label's class")
SHARE: Final = 0.5
"""Of a class's colour in the picture."""
NAMED: Final = 0.005
"""Share of the pixels from which on a class is named in the legend."""
LIGHTER: Final = 0.4
"""Share of white in a legend's colours: many tables' are too dark for letters on a dark ground."""


def paint(canvas: NDArray[np.uint8], answer: SemanticMask, scale: float) -> None:
    """Tint every pixel that has a class (in place)."""
    _tint(canvas, answer.ids, answer.classes)


def legend(answer: SemanticMask) -> list[tuple[str, Colour]]:
    """Name the classes that are seen, in the order of the table: steady in a video, too."""
    counts = np.bincount(answer.ids.ravel(), minlength=256)
    shown = [one for one in answer.classes if counts[one.id] >= NAMED * answer.ids.size]
    return [(one.name, _lighter(bgr(one.colour))) for one in shown]


def paint_label(canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
    """Tint what is labelled, darken what is not (in place)."""
    canvas[label.ids == UNLABELLED] //= 2
    _tint(canvas, label.ids, label.classes)


def outline_label(canvas: NDArray[np.uint8], label: Label) -> None:
    """Draw the borders between labelled classes thinly in white (in place)."""
    edge = np.zeros(label.ids.shape, np.bool_)
    edge[:-1] |= label.ids[:-1] != label.ids[1:]
    edge[:, :-1] |= label.ids[:, :-1] != label.ids[:, 1:]
    canvas[edge] = 255


def resized(answer: SemanticMask, image_size: Size, size: Size) -> SemanticMask:
    """Return the classes of the resized image."""
    ids, confidence = (
        np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
        for plane in (answer.ids, answer.confidence)
    )
    crop = answer.crop and answer.crop.resized(image_size, size)
    return replace(answer, ids=ids, confidence=confidence, crop=crop)


def bgr(rgb: tuple[int, int, int]) -> Colour:
    """Turn a table's colour into OpenCV's order."""
    red, green, blue = rgb
    return blue, green, red


def _lighter(colour: Colour) -> Colour:
    """Mix white into a colour."""
    blue, green, red = (round(value + LIGHTER * (255 - value)) for value in colour)
    return blue, green, red


def coloured(ids: NDArray[np.uint8], classes: Table) -> NDArray[np.uint8]:
    """Return (H, W, 3) BGR: each pixel in its class's colour, black where nothing is said."""
    return np.asarray(cv2.applyColorMap(ids, _colours(classes)), np.uint8)


def _tint(canvas: NDArray[np.uint8], ids: NDArray[np.uint8], classes: Table) -> None:
    """Mix colours into a picture (in place)."""
    mixed = cv2.addWeighted(canvas, 1 - SHARE, coloured(ids, classes), SHARE, 0.0)
    cv2.copyTo(mixed, (ids != UNLABELLED).view(np.uint8), canvas)


def panels(answer: SemanticMask, label: Label) -> list[NDArray[np.uint8]]:
    """Return the classes of answer and label, and the label's where the answer is another."""
    truth = in_table(label, answer.classes) if answer.classes else label.ids
    table = answer.classes or label.classes
    wrong = np.where((answer.ids != truth) & (truth != UNLABELLED), truth, UNLABELLED)
    return [coloured(ids, table) for ids in (answer.ids, truth, wrong.astype(np.uint8))]


@lru_cache(maxsize=16)
def _colours(classes: Table) -> NDArray[np.uint8]:
    """(256, 1, 3) BGR of each id."""
    table = np.zeros((256, 1, 3), np.uint8)
    for one in classes:
        table[one.id, 0] = bgr(one.colour)
    return table
