"""Draw a Perception on its image: for the demo's video, overlay pictures and sheets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

LANE_COLOURS: Final = MappingProxyType(
    {
        LaneId.EGO: (66, 228, 240),
        LaneId.LEFT_EGO: (0, 159, 230),
        LaneId.RIGHT_EGO: (233, 180, 86),
        LaneId.LEFT_SPLIT_EGO: (167, 121, 204),
        LaneId.RIGHT_SPLIT_EGO: (115, 158, 0),
    }
)
"""BGR, after the colour-blind-safe palette of Okabe and Ito."""

NOT_DETECTED_COLOUR: Final = (150, 150, 150)
NOTE_COLOUR: Final = (230, 230, 230)
LEGEND: Final = MappingProxyType(
    {lane: lane.label.removesuffix("_ego").replace("_", " ") for lane in LaneId}
)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
LETTERS, SMALLEST_LETTERS = 0.55, 0.4
"""OpenCV font scales: at ``REFERENCE_WIDTH``, and below which nobody can read them."""

MASK_COLOUR: Final = (178, 114, 0)
MASK_OPACITY: Final = 0.35
REFERENCE_WIDTH: Final = 800
"""Lines and letters are drawn for this width and scale with the image."""
DASH_PX: Final = 14.0
"""Length of the dashes of a predicted lane and of the gaps between them, at that width."""


def draw(image: NDArray[np.uint8], perception: Perception) -> NDArray[np.uint8]:
    """Return a copy of ``image`` with mask, lanes and their confidences.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``.
        perception: What to draw.
    """
    canvas = _draw_answer(image, perception)
    _draw_legend(canvas, perception.lanes)
    return canvas


def _draw_answer(image: NDArray[np.uint8], perception: Perception) -> NDArray[np.uint8]:
    """Return a copy of ``image`` with mask and lanes."""
    if image.shape[:2] != tuple(perception.image_size):
        raise ValueError(
            f"image is {image.shape[:2]}, the perception is of {perception.image_size}"
        )
    canvas = image.copy()
    if perception.mask is not None:
        tint_mask(canvas, perception.mask.binary() > 0)
    for line in perception.lanes:
        if line.detected:
            dashed = line.status is LaneStatus.PREDICTED
            draw_line(canvas, line.points_px, line.lane_id, _scale(image), dashed)
    return canvas


def _scale(image: NDArray[np.uint8]) -> float:
    """How much larger than at ``REFERENCE_WIDTH`` lines and letters are."""
    return max(image.shape[1] / REFERENCE_WIDTH, 0.5)


def tint_mask(canvas: NDArray[np.uint8], drivable: NDArray[np.bool_]) -> None:
    """Tint the drivable pixels and outline them (in place)."""
    inside = drivable.astype(np.uint8)
    tint = tuple(MASK_OPACITY * channel for channel in MASK_COLOUR)
    # A tenth of the time that numpy takes.
    cv2.copyTo(cv2.add(cv2.convertScaleAbs(canvas, alpha=1 - MASK_OPACITY), tint), inside, canvas)
    outline, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(canvas, outline, -1, MASK_COLOUR, 1, cv2.LINE_AA)


def draw_line(
    canvas: NDArray[np.uint8],
    points_px: NDArray[np.float32],
    lane: LaneId,
    scale: float = 1.0,
    dashed: bool = False,
) -> None:
    """Draw a centre line with a dark rim, sub-pixel exact (in place)."""
    pieces = dashes(points_px, DASH_PX * scale) if dashed else [points_px]
    points = [np.round(piece * 16).astype(np.int32) for piece in pieces]
    for colour, width in (((20, 20, 20), 5), (LANE_COLOURS[lane], 3)):
        cv2.polylines(canvas, points, False, colour, round(width * scale), cv2.LINE_AA, 4)


def dashes(points: NDArray, length: float) -> list[NDArray]:
    """Cut a line into dashes with gaps of the same length; it begins and ends with a dash.

    Args:
        points: (N, 2), N >= 2.
        length: Of a dash, about: a whole number of them must fit.

    Returns:
        Lines (M, 2), at least one, whose bends are those of ``points``.
    """
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    count = 2 * max(round(along[-1] / length / 2), 1) - 1
    ends = np.linspace(0.0, along[-1], count + 1)
    pieces = []
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        inside = along[(along > start) & (along < end)]
        at = np.r_[start, inside, end]
        pieces.append(np.stack([np.interp(at, along, axis) for axis in points.T], axis=-1))
    return pieces


def outline_lane(canvas: NDArray[np.uint8], points_px: NDArray) -> None:
    """Draw a labelled line thinly in white, to be compared with a perceived one (in place)."""
    points = [np.round(points_px * 16).astype(np.int32)]
    cv2.polylines(canvas, points, False, (255, 255, 255), 1, cv2.LINE_AA, 4)


def draw_beside_labels(
    image: NDArray[np.uint8],
    perception: Perception,
    labelled: Iterable[NDArray | None],
    crop: Crop,
) -> NDArray[np.uint8]:
    """Return the part of an image that was seen, with the answer and the labelled lines in white.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``.
        perception: The answer.
        labelled: Lines (N, 2), ``None`` for those that are absent.
        crop: What the network saw.
    """
    picture = _draw_answer(image, perception)
    for points in labelled:
        if points is not None:
            outline_lane(picture, points)
    part = picture[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width].copy()
    _draw_legend(part, perception.lanes)
    return part


def lane_text(line: LaneLine) -> str:
    """Return a lane's name, and its confidence, track and state where it has them."""
    words = [LEGEND[line.lane_id]]
    if line.detected:
        words.append(f"{line.confidence:.2f}")
        words += [f"#{line.track_id}"] if line.track_id else []
        words += ["predicted"] if line.status is LaneStatus.PREDICTED else []
    return " ".join(words)


def _draw_legend(canvas: NDArray[np.uint8], lanes: Sequence[LaneLine]) -> None:
    """Name each lane and its confidence in the top-left corner (in place)."""
    colours = [
        LANE_COLOURS[line.lane_id] if line.detected else NOT_DETECTED_COLOUR for line in lanes
    ]
    _write(canvas, [lane_text(line) for line in lanes], colours)


def draw_notes(canvas: NDArray[np.uint8], notes: Sequence[str]) -> None:
    """Write lines of text into the top-right corner (in place)."""
    if notes:
        _write(canvas, notes, [NOTE_COLOUR] * len(notes), right=True)


def _write(
    canvas: NDArray[np.uint8],
    texts: Sequence[str],
    colours: Sequence[tuple[int, int, int]],
    right: bool = False,
) -> None:
    """Write lines of text into a top corner (in place)."""
    scale = _scale(canvas)
    size, thickness = max(LETTERS * scale, SMALLEST_LETTERS), max(round(scale), 1)
    row, margin = round(36 * size), round(12 * size)
    width = max(cv2.getTextSize(text, FONT, size, thickness)[0][0] for text in texts) + 2 * margin
    left = max(canvas.shape[1] - width, 0) if right else 0
    # Letters alone drown on a bright road.
    canvas[: row * len(texts) + margin, left : left + width] //= 3
    for index, (text, colour) in enumerate(zip(texts, colours, strict=True), start=1):
        at = (left + margin, row * index - margin // 3)
        cv2.putText(canvas, text, at, FONT, size, colour, thickness, cv2.LINE_AA)


def tile(
    images: Sequence[NDArray[np.uint8]], columns: int = 3, width: int = 640
) -> NDArray[np.uint8]:
    """Arrange pictures of any size on one sheet.

    Args:
        images: (H, W, 3) uint8 BGR each, at least one.
        columns: Pictures beside each other.
        width: Of one picture on the sheet; its height follows the tallest of its row.
    """
    if not images:
        raise ValueError("a sheet needs at least one picture")
    rows = []
    for start in range(0, len(images), columns):
        scaled = [
            cv2.resize(
                image,
                (width, max(round(image.shape[0] * width / image.shape[1]), 1)),
                interpolation=cv2.INTER_AREA,
            )
            for image in images[start : start + columns]
        ]
        height = max(image.shape[0] for image in scaled)
        row = np.full((height + 4, columns * (width + 4), 3), 255, np.uint8)
        for column, image in enumerate(scaled):
            left = column * (width + 4)
            row[: image.shape[0], left : left + width] = image
        rows.append(row)
    return np.vstack(rows)


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a picture that is never seen half-written; the suffix decides its format.

    Raises:
        OSError: The folder cannot be written, or the format is unknown.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        encoded, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        encoded = False
    if not encoded:
        raise OSError(f"cannot encode {path} as {path.suffix or 'a picture'}: use .png or .jpg")
    part = path.with_name(path.name + ".part")
    part.write_bytes(data.tobytes())
    os.replace(part, path)
