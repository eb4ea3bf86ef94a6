# SPDX-License-Identifier: Apache-2.0
"""The ground as a picture from above, and its objects in the pictures of the cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import RIM_COLOUR, SUB_PIXEL_BITS, WHITE, draw_line
from shared_encoder_perception.drawing.text import FONT, SMALLEST_LETTERS, scale_of
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundLabel
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.tasks.contract.runtime import Colour
from shared_encoder_perception.tasks.surround.answer import Surround

if TYPE_CHECKING:
    from shared_encoder_perception.tasks.surround.target import Truth

GROUND: Final = (46, 43, 40)
"""Of cells that are seen, and neither drivable nor of a vehicle."""
DRIVABLE: Final = (150, 96, 0)
VEHICLE: Final = (0, 94, 213)
OBJECT: Final = (66, 228, 240)
UNSEEN: Final = (88, 88, 88)
HATCH: Final = (112, 112, 112)
INK: Final = (190, 190, 190)
MISSED: Final = (VEHICLE, DRIVABLE)
FALSE: Final = (OBJECT, (233, 180, 86))
"""Colours of errors: of vehicles, of drivable ground."""
PANELS: Final = ("answer", "label", "error: missed as labelled, false yellow, pale blue")

DARK: Final = 0.5
"""Share of its colour that a hidden cell of a label keeps."""
HEIGHT_PX: Final = 600
"""A picture is about as high."""
RING_M: Final = 10.0
OWN_M: Final = (2.4, 1.6)
"""Length and width of the arrow that stands for the own vehicle, whose size nobody says."""
STEPS: Final = 24
"""Pieces of an edge of a box in a picture: lenses bend it, and part may be out of the picture."""
EDGES: Final = np.array(
    [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)]
)
"""Of ``Box.corners``."""


def picture(answer: Surround) -> NDArray[np.uint8]:
    """Return the ground from above, (h, w, 3) BGR: ahead is up, left is left.

    Drivable ground and vehicles in their colours, the more the more probable; what no camera sees
    is hatched; a ring every 10 m; objects with their longer axis.
    """
    vehicle, drivable = (
        np.zeros(answer.grid.shape, np.float32) if plane is None else np.nan_to_num(plane)
        for plane in (answer.vehicle, answer.drivable)
    )
    canvas = _ground(answer.grid, answer.seen, vehicle, drivable)
    for one in answer.objects:
        _outline(canvas, answer.grid, one.box(), front=False)
    return canvas


def label_picture(truth: Truth, grid: BevGrid) -> NDArray[np.uint8]:
    """Return a label likewise; its boxes show their fronts, what nobody knows is hatched.

    What is there is darker where no camera has it in plain view.
    """
    known = (truth.vehicle != NOT_KNOWN) | (truth.drivable != NOT_KNOWN)
    vehicle, drivable = ((one == YES).astype(np.float32) for one in (truth.vehicle, truth.drivable))
    canvas = _ground(grid, known, vehicle, drivable, _hidden(truth))
    for box in truth.boxes:
        _outline(canvas, grid, box)
    return canvas


def error_picture(answer: Surround, truth: Truth) -> NDArray[np.uint8]:
    """Return where answer and label differ: ``MISSED`` and ``FALSE``, vehicles over the ground.

    Darker where no camera has in plain view what is there.
    """
    grid, known = answer.grid, np.zeros(answer.grid.shape, np.bool_)
    cells = np.full((*grid.shape, 3), GROUND, np.uint8)
    for place, name in reversed(list(enumerate(("vehicle", "drivable")))):
        label = getattr(truth, name)
        if getattr(answer, name) is None:
            continue
        counted = (label != NOT_KNOWN) & answer.seen
        said, true = answer.binary(name) > 0, label == YES
        cells[counted & true & ~said] = MISSED[place]
        cells[counted & said & ~true] = FALSE[place]
        known |= counted
    return _finished(grid, _darker(cells, _hidden(truth)), known)


def panels(answer: Surround, truth: Truth) -> list[NDArray[np.uint8]]:
    """Return answer, label and error from above, as ``PANELS`` names them."""
    label = label_picture(truth, answer.grid)
    return [picture(answer), label, error_picture(answer, truth)]


def legend(answer: Surround) -> list[tuple[str, Colour]]:
    """Return the lines of text that name what ``picture`` shows."""
    lines: list[tuple[str, Colour]] = []
    if answer.drivable is not None:
        lines.append(("drivable", (233, 180, 86)))  # the ground's own blue drowns as letters
    if answer.vehicle is not None:
        count = len(answer.objects)
        lines.append(("vehicle", VEHICLE))
        lines.append((f"{count} object{'' if count == 1 else 's'}", OBJECT))
    lines.append(("hatched: not seen", INK))
    return lines


def paint(
    canvas: NDArray[np.uint8], answer: Surround, camera: RigCamera, scale: float = 1.0
) -> None:
    """Draw the objects into the picture of a camera, standing on the ground (in place).

    Args:
        canvas: (H, W, 3) BGR, as the camera took it.
        answer: Of the camera's rig.
        camera: How it sees, in the frame of the answer.
        scale: Lines are so many times as thick.
    """
    pairs = [(one.box(), f"{one.score:.2f}") for one in answer.objects]
    _draw_boxes(canvas, pairs, camera, OBJECT, scale)


def paint_label(
    canvas: NDArray[np.uint8], label: GroundLabel, camera: RigCamera, scale: float = 1.0
) -> None:
    """Draw the labelled boxes likewise, in white, each with its kind (in place)."""
    _draw_boxes(canvas, [(box, box.kind) for box in label.objects or ()], camera, WHITE, scale)


def zoom_of(grid: BevGrid) -> int:
    """Return the pixels of a cell's side in pictures."""
    return max(round(HEIGHT_PX / grid.cells_x), 1)


def pixels(grid: BevGrid, points_m: NDArray) -> NDArray[np.float64]:
    """Map (..., 2) ``(x, y)`` metres to ``(x, y)`` pixels of pictures from above."""
    cells = grid.cells(points_m)
    last = np.array((grid.cells_y - 1, grid.cells_x - 1))
    return (last - cells[..., ::-1] + 0.5) * zoom_of(grid) - 0.5


def _hidden(truth: Truth) -> NDArray[np.bool_] | None:
    """Return the cells that no camera has in plain view; ``None`` where nobody says."""
    return None if truth.vehicle_in_view is None else truth.vehicle_in_view == NO


def _darker(cells: NDArray[np.uint8], dark: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Return cells (Y, X, 3) of which some are darker."""
    if dark is None:
        return cells
    return np.where(dark[..., None], DARK * cells, cells).astype(np.uint8)


def _ground(
    grid: BevGrid,
    seen: NDArray[np.bool_],
    vehicle: NDArray,
    drivable: NDArray,
    dark: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Return the picture of two maps, 0 to 1, with all that is not of them."""
    colours = np.array((GROUND, DRIVABLE, VEHICLE), np.float32)
    cells = colours[0] + drivable[..., None] * (colours[1] - colours[0])
    cells += vehicle[..., None] * (colours[2] - cells)
    return _finished(grid, _darker(np.round(cells).astype(np.uint8), dark), seen)


def _finished(
    grid: BevGrid, cells: NDArray[np.uint8], known: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Turn cells (Y, X, 3) into a picture with hatching, rings and the own vehicle."""
    zoom = zoom_of(grid)
    small = grid.picture(cells)
    size = (small.shape[1] * zoom, small.shape[0] * zoom)
    canvas = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    dark = grid.picture(~known).repeat(zoom, axis=0).repeat(zoom, axis=1)
    along = np.add.outer(np.arange(canvas.shape[0]), np.arange(canvas.shape[1]))
    canvas[dark] = UNSEEN
    canvas[dark & (along % 8 < 2)] = HATCH
    _draw_rings(canvas, grid)
    _draw_own(canvas, grid)
    return canvas


def _draw_rings(canvas: NDArray[np.uint8], grid: BevGrid) -> None:
    """Draw a ring every 10 m around the vehicle's origin, with its metres (in place)."""
    x_min, y_min, x_max, y_max = grid.extent_m
    farthest = np.hypot(max(-x_min, x_max), max(-y_min, y_max))
    centre = pixels(grid, np.zeros(2))
    at = tuple(np.round(centre * 2**SUB_PIXEL_BITS).astype(int).tolist())
    for metres in np.arange(RING_M, farthest, RING_M):
        radius = round(metres / grid.cell_m * zoom_of(grid) * 2**SUB_PIXEL_BITS)
        cv2.circle(canvas, at, radius, INK, 1, cv2.LINE_AA, SUB_PIXEL_BITS)
        for where in ((metres, 0.0), (-metres, 0.0), (0.0, metres), (0.0, -metres)):
            column, row = pixels(grid, np.array(where)).round().astype(int).tolist()
            text, size = f"{metres:g} m", SMALLEST_LETTERS
            if 0 <= column < canvas.shape[1] - 40 and 14 <= row < canvas.shape[0]:
                place = (column + 3, row - 3)
                cv2.putText(canvas, text, place, FONT, size, RIM_COLOUR, 3, cv2.LINE_AA)
                cv2.putText(canvas, text, place, FONT, size, INK, 1, cv2.LINE_AA)


def _draw_own(canvas: NDArray[np.uint8], grid: BevGrid) -> None:
    """Draw an arrow that points ahead at the vehicle's origin (in place)."""
    length, width = OWN_M
    shape = np.array([(length / 2, 0), (-length / 2, width / 2), (-length / 4, 0)])
    arrow = np.concatenate((shape, [(-length / 2, -width / 2)]))
    fixed = np.round(pixels(grid, arrow) * 2**SUB_PIXEL_BITS).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], WHITE, cv2.LINE_AA, SUB_PIXEL_BITS)


def _outline(canvas: NDArray[np.uint8], grid: BevGrid, box: Box, front: bool = True) -> None:
    """Draw a box from above with its longer axis, or with a line to its front (in place)."""
    corners = box.footprint()
    ahead, behind = corners[[0, 3]].mean(axis=0), corners[[1, 2]].mean(axis=0)
    axis = np.stack((ahead, (box.x_m, box.y_m) if front else behind))
    colour = WHITE if front else OBJECT
    scale = scale_of(canvas) * 0.7
    for line in (axis, corners[[0, 1, 2, 3, 0]]):
        draw_line(canvas, pixels(grid, line), colour, scale)


def _draw_boxes(
    canvas: NDArray[np.uint8],
    boxes: Sequence[tuple[Box, str]],
    camera: RigCamera,
    colour: Colour,
    scale: float,
) -> None:
    """Draw boxes, each with a text, the farthest first (in place)."""
    if canvas.shape[:2] != tuple(camera.image_size):
        raise ValueError(
            f"the picture is {canvas.shape[:2]}, those of camera {camera.name} are "
            f"{tuple(camera.image_size)}"
        )
    position = camera.view.position[:2]
    far = sorted(boxes, key=lambda pair: -np.hypot(*(pair[0].x_m, pair[0].y_m) - position))
    share = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
    for box, text in far:
        corners = box.corners()
        starts, ends = corners[EDGES[:, 0], None], corners[EDGES[:, 1], None]
        points = starts + share * (ends - starts)
        seen = camera.see(points.reshape(-1, 3)).reshape(len(EDGES), STEPS + 1, 2)
        for line in seen:
            for run in _runs(line):
                draw_line(canvas, run, colour, scale * 0.7)
        shown = seen[np.isfinite(seen[..., 0])]
        if len(shown):
            column, row = shown[shown[:, 1].argmin()].round().astype(int).tolist()
            at = (column, max(row - 4, 12))
            size = max(SMALLEST_LETTERS, 0.5 * scale)
            cv2.putText(canvas, text, at, FONT, size, RIM_COLOUR, 3, cv2.LINE_AA)
            cv2.putText(canvas, text, at, FONT, size, colour, 1, cv2.LINE_AA)


def _runs(line: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the parts of a line (N, 2) between points that are NaN, those of two and more."""
    seen = np.r_[False, np.isfinite(line[:, 0]), False]
    starts, ends = np.flatnonzero(seen[1:] & ~seen[:-1]), np.flatnonzero(~seen[1:] & seen[:-1])
    return [line[a:b] for a, b in zip(starts, ends, strict=True) if b - a > 1]
