# SPDX-License-Identifier: Apache-2.0
"""A moment of a rig for people: its pictures beside each other, and the ground from above."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.drawing.shapes import Colour, outline_line
from shared_encoder_perception.drawing.text import draw_legend, scale_of
from shared_encoder_perception.labels.rigs.projected import edge_lines
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundMap
from shared_encoder_perception.rig.mosaic import ground_mosaic

GRID: Final = BevGrid(-30.0, -30.0, 600, 600, 0.1)
"""What is shown of the ground."""
FURTHEST_M: Final = 60.0
"""To which boxes are drawn in pictures; those further away are a few pixels."""
COLOURS: Final[Mapping[str, Colour]] = MappingProxyType(
    {"vehicle": (0, 200, 255), "two_wheels": (255, 160, 0), "person": (120, 80, 255)}
)
"""BGR of a class; ``OTHER`` for all else."""
OTHER: Final = (200, 200, 200)
CAMERA, OWN_AXES, DRIVABLE, UNKNOWN = (255, 255, 0), (0, 0, 255), (60, 200, 60), (200, 90, 60)
HIDDEN: Final = (90, 90, 90)
"""In the legend; what is hidden is darker by ``DARK``."""
TINT: Final = 0.3
DARK: Final = 0.45
TILE_PX: Final = 480


def view_record(record: RigRecord) -> NDArray[np.uint8]:
    """Draw a moment: pictures with boxes, then the ground from above, ahead is up.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ValueError: A file that is missing, unreadable or of another size than the line says.
    """
    frame = record.frame()
    pictures, captions = [], []
    for camera in record.rig.cameras:
        if camera.name not in frame.images:
            height, width = camera.image_size
            canvas = np.full((height, width, 3), 40, np.uint8)
        else:
            canvas = frame.images[camera.name].copy()
        if camera.own is not None:
            canvas[camera.own] //= 3
        thickness = max(round(2 * scale_of(canvas)), 1)
        for box in _near(record):
            for line in edge_lines(camera, box):
                _draw(canvas, line, colour_of(box), thickness)
        pictures.append(canvas)
        stamp = record.stamps_s.get(camera.name)
        when = "" if stamp is None else f", {stamp - min(record.stamps_s.values()):.3f} s"
        missing = "" if camera.name in frame.images else ", no picture"
        captions.append(f"{camera.name}{when}{missing}")
    columns = 2 if len(pictures) == 4 else min(len(pictures), 3)
    sheet = tile(pictures, columns, TILE_PX, captions)
    ground = _on_ground(record, frame.images)
    side = min(sheet.shape[1], 2 * TILE_PX)
    ground = np.asarray(cv2.resize(ground, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    wide = np.full((side, max(sheet.shape[1] - side, 0), 3), 255, np.uint8)
    row = np.hstack([ground, wide])
    return np.vstack([sheet, row[:, : sheet.shape[1]]])


def colour_of(box: Box) -> Colour:
    """Return the colour of a class."""
    return COLOURS.get(box.kind, OTHER)


def _near(record: RigRecord) -> list[Box]:
    """Return the boxes that are drawn in pictures, the nearest last."""
    boxes = sorted(record.objects or (), key=lambda box: -np.hypot(box.x_m, box.y_m))
    return [box for box in boxes if np.hypot(box.x_m, box.y_m) <= FURTHEST_M]


def _on_ground(record: RigRecord, images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Draw the ground: what the pictures show of it, the label, boxes, cameras, axes."""
    seen = ground_mosaic(images, record.rig, GRID, samples=1).picture
    canvas = GRID.picture(seen)
    if (drivable := record.drivable()) is not None:
        _tint(canvas, drivable)
    if (in_view := record.in_view()) is not None:
        hidden = GRID.picture(in_view.onto(GRID).values) == NO
        canvas[hidden] = (DARK * canvas[hidden]).astype(np.uint8)
    for box in record.objects or ():
        foot = box.footprint()
        nose = np.array([(foot[0] + foot[3]) / 2, (box.x_m, box.y_m)])
        for line in (np.vstack([foot, foot[:1]]), nose):
            _draw(canvas, _pixels(line), colour_of(box), 2 if box.visible != 0 else 1)
    for camera in record.rig.cameras:
        place, ahead = camera.view.position[:2], camera.view.ahead[:2]
        length = np.hypot(*ahead)
        if length > 0:
            _draw(canvas, _pixels(np.array([place, place + 2.5 * ahead / length])), CAMERA, 2)
    for end in ((2.0, 0.0), (0.0, 1.0)):
        _draw(canvas, _pixels(np.array([(0.0, 0.0), end])), OWN_AXES, 2)
    kinds = sorted({box.kind for box in record.objects or ()})
    legend = [(kind, COLOURS.get(kind, OTHER)) for kind in kinds]
    if drivable is not None:
        legend += [("drivable", DRIVABLE), ("drivable? not known", UNKNOWN)]
    if in_view is not None:
        legend.append(("darker: hidden", HIDDEN))
    draw_legend(canvas, [*legend, ("cameras", CAMERA), ("x ahead, y left", OWN_AXES)])
    return canvas


def _tint(canvas: NDArray[np.uint8], drivable: GroundMap) -> None:
    """Tint what may be driven on, and what is not known; what may not stays as it is (in place)."""
    values = GRID.picture(drivable.onto(GRID).values)
    for value, colour in ((YES, DRIVABLE), (NOT_KNOWN, UNKNOWN)):
        where = values == value
        mixed = (1 - TINT) * canvas[where] + TINT * np.array(colour)
        canvas[where] = mixed.astype(np.uint8)


def _pixels(points_m: NDArray) -> NDArray[np.float64]:
    """Return pixels of the picture of the ground, (N, 2) ``(x, y)``; see ``BevGrid.picture``."""
    columns, rows = np.moveaxis(GRID.cells(points_m), -1, 0)
    return np.stack([GRID.cells_y - 1 - rows, GRID.cells_x - 1 - columns], axis=-1)


def _draw(canvas: NDArray[np.uint8], line: NDArray, colour: Colour, thickness: int) -> None:
    """Draw a line (N, 2) of pixels, those far outside left out (in place)."""
    if np.abs(line).max() > 1e5:
        return
    if thickness <= 1:
        outline_line(canvas, line, colour)
        return
    fixed = np.round(line * 16).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, colour, thickness, cv2.LINE_AA, 4)
