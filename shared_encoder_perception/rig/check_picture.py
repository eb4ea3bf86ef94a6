# SPDX-License-Identifier: Apache-2.0
"""The picture of ``rig check``: what one looks at before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour
from shared_encoder_perception.drawing.text import FONT
from shared_encoder_perception.rig.camera_lines import draw_camera, step_of
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.grid import BevGrid

PANEL: Final = 760
"""Width of a map, and of a camera's picture, px."""
MARGIN: Final = 34
"""Around a map, for what its lines are."""
COLOURS: Final[tuple[Colour, ...]] = (
    *((80, 80, 255), (80, 220, 80), (255, 130, 60), (60, 210, 240), (230, 90, 230), (220, 220, 60)),
    *((150, 150, 250), (140, 250, 170)),
)
"""BGR of cameras, in the order of the rig."""
VIEWS: Final[tuple[Colour, ...]] = ((60, 60, 60), (150, 110, 60), (80, 190, 80), (60, 220, 240))
"""BGR of cells that no camera sees, one, two, and more."""
PAPER, INK, LINE = (245, 245, 245), (30, 30, 30), (200, 200, 200)
GOOD, BAD, DOUBTFUL = (60, 140, 30), (40, 40, 200), (20, 120, 190)
GAP: Final = 12
LETTERS: Final = 0.5


def draw_check(check: Check) -> NDArray[np.uint8]:
    """Draw the ground from above, whose it is, and each camera's picture with lines on the ground.

    Returns:
        (H, W, 3) uint8 BGR, 1556 px wide.
    """
    tiles = [
        _map("ground (z = 0), each cell by its best view", check, check.mosaic.picture),
        _footprints(check),
        _views(check),
        _disagreement(check),
    ]
    for index, camera in enumerate(check.frame.rig.cameras):
        picture = check.frame.images.get(camera.name)
        tile = np.full((PANEL // 2, PANEL, 3), 90, np.uint8)
        if picture is not None:
            tile = draw_camera(camera, picture, step_of(check.grid), PANEL)
        title = camera.name if picture is not None else f"{camera.name}: no picture"
        tiles.append(np.vstack([_title(title, COLOURS[index % len(COLOURS)]), tile]))
    rows = [_head(check)]
    for first in range(0, len(tiles), 2):
        rows.append(_row(tiles[first : first + 2]))
    return np.vstack(rows)


def _row(tiles: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Put two tiles beside each other, with a gap below."""
    height = max(tile.shape[0] for tile in tiles) + GAP
    row = np.full((height, 2 * PANEL + 3 * GAP, 3), PAPER, np.uint8)
    for column, tile in enumerate(tiles):
        left = GAP + column * (PANEL + GAP)
        row[: tile.shape[0], left : left + PANEL] = tile
    return row


def _head(check: Check) -> NDArray[np.uint8]:
    """Write what was found; long lines go on below."""
    width = 2 * PANEL + 3 * GAP
    doubtful = check.is_weak
    lines: list[tuple[str, Colour]] = [(f"rig check: {check.frame.name}", INK)]
    lines += [
        (part, DOUBTFUL if doubtful else INK) for part in _broken(check.looked_at, width - 2 * GAP)
    ]
    lines += [
        (part, BAD if fault.grave else DOUBTFUL)
        for fault in check.faults
        for part in _broken(fault.text, width - 2 * GAP)
    ]
    if not check.faults:
        lines.append(("nothing is wrong that can be seen from here", GOOD))
    strip = np.full((len(lines) * 22 + 2 * GAP, width, 3), PAPER, np.uint8)
    for number, (text, colour) in enumerate(lines, start=1):
        _write(strip, text, (GAP, number * 22), colour)
    return strip


def _broken(text: str, width: int) -> list[str]:
    """Break a text into lines that fit."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if cv2.getTextSize(longer, FONT, LETTERS, 1)[0][0] <= width:
            lines[-1] = longer
        else:
            lines.append(f"   {word}")
    return lines


def _title(text: str, colour: Colour) -> NDArray[np.uint8]:
    """Return a strip with a tile's title."""
    strip = np.full((26, PANEL, 3), PAPER, np.uint8)
    cv2.rectangle(strip, (0, 5), (14, 19), colour, -1)
    _write(strip, text, (22, 18), INK)
    return strip


def _footprints(check: Check) -> NDArray[np.uint8]:
    """Draw which camera sees what of the ground."""
    picture = np.full((*check.grid.shape, 3), 40.0)
    for view in check.views:
        colour = COLOURS[_index(check, view.name) % len(COLOURS)]
        picture[view.seen] = 0.7 * picture[view.seen] + 0.3 * np.array(colour)
    tile = _map("what each camera sees of it, and where it sits", check, picture.astype(np.uint8))
    where = _Places(check.grid)
    for view in check.views:
        colour = COLOURS[_index(check, view.name) % len(COLOURS)]
        seen = check.grid.picture(view.seen).astype(np.uint8)
        seen = cv2.resize(seen, where.size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        at = (MARGIN, MARGIN + 26)
        cv2.drawContours(tile, outlines, -1, colour, 2, cv2.LINE_AA, offset=at)
        if view.seen.any():
            middle = np.median(check.grid.centres()[view.seen], axis=0)
            column, row = where.at(middle)
            _write(tile, view.name, (column - 4 * len(view.name), row), colour)
    for index, camera in enumerate(check.frame.rig.cameras):
        spot = camera.view.position[:2]
        ahead = camera.view.ahead[:2]
        length = float(np.linalg.norm(ahead))
        tip = spot + ahead / max(length, 1e-9) * 0.06 * PANEL / where.px_per_m
        colour = COLOURS[index % len(COLOURS)]
        cv2.arrowedLine(tile, where.at(spot), where.at(tip), colour, 2, cv2.LINE_AA, tipLength=0.3)
    return tile


def _views(check: Check) -> NDArray[np.uint8]:
    """Draw how many cameras see each cell."""
    counts = np.minimum(check.mosaic.views, len(VIEWS) - 1)
    share = [float((check.mosaic.views == n).mean()) for n in range(3)]
    shares = [*share, 1.0 - sum(share)]
    words = ("none", "one", "two", "more")
    tile = _map("views per cell", check, np.array(VIEWS, np.uint8)[counts])
    left = 150
    for word, part, colour in zip(words, shares, VIEWS, strict=True):
        cv2.rectangle(tile, (left, 5), (left + 14, 19), colour, -1)
        _write(tile, f"{word} {part:.1%}", (left + 20, 18), INK)
        left += 145
    return tile


def _disagreement(check: Check) -> NDArray[np.uint8]:
    """Draw by how many grey levels the two best views of a cell differ."""
    several = len(check.frames) > 1
    apart = check.lasting_disagreement if several else check.mosaic.disagreement
    scaled = np.clip(np.nan_to_num(apart) / (2 * check.limit) * 255, 0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO)
    picture[np.isnan(apart)] = 90
    of = f", median of {len(check.frames)} moments" if several else ""
    title = f"disagreement of two views{of}: black 0 to yellow {2 * check.limit:g} grey levels"
    return _map(title, check, np.asarray(picture, np.uint8), check.coarse if several else None)


def _index(check: Check, name: str) -> int:
    """Return the number of a camera in its rig."""
    return check.frame.rig.names.index(name)


class _Places:
    """Where points of the ground are on a map's tile."""

    def __init__(self, grid: BevGrid) -> None:
        """Let the map fill the panel's width."""
        x_min, y_min, x_max, y_max = grid.extent_m
        self.px_per_m = (PANEL - 2 * MARGIN) / (y_max - y_min)
        self.size = (PANEL - 2 * MARGIN, max(round((x_max - x_min) * self.px_per_m), 1))
        self._corner = (x_max, y_max)

    def at(self, point: NDArray | tuple[float, float]) -> tuple[int, int]:
        """Return ``(column, row)`` of a point ``(x, y)``, m."""
        column = (self._corner[1] - float(point[1])) * self.px_per_m + MARGIN
        row = (self._corner[0] - float(point[0])) * self.px_per_m + MARGIN + 26
        return round(column), round(row)


def _map(
    title: str, check: Check, values: NDArray[np.uint8], cells: BevGrid | None = None
) -> NDArray[np.uint8]:
    """Draw a map of the grid, or of other cells, with its lines: x ahead is up, y left is left."""
    where = _Places(check.grid)
    picture = (cells or check.grid).picture(values)
    shrinks = picture.shape[1] > where.size[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    picture = np.asarray(cv2.resize(picture, where.size, interpolation=how), np.uint8)
    tile = np.full((where.size[1] + 2 * MARGIN + 26, PANEL, 3), PAPER, np.uint8)
    tile[MARGIN + 26 : -MARGIN, MARGIN:-MARGIN] = picture
    _write(tile, title, (0, 18), INK)
    x_min, y_min, x_max, y_max = check.grid.extent_m
    step = step_of(check.grid)
    for x in _steps(x_min, x_max, step):
        _line(tile, where.at((x, y_max)), where.at((x, y_min)))
        _write(tile, f"{x:g}", (2, where.at((x, y_max))[1] + 5), INK)
    for y in _steps(y_min, y_max, step):
        _line(tile, where.at((x_min, y)), where.at((x_max, y)))
        column, row = where.at((x_min, y))
        _write(tile, f"{y:g}", (column - 8, row + 18), INK)
    _write(tile, "x", (14, MARGIN + 20), (40, 40, 200))
    _write(tile, "y", (MARGIN - 8, tile.shape[0] - 4), (40, 140, 40))
    origin = where.at((0.0, 0.0))
    for tip, colour in (((step, 0.0), (60, 60, 255)), ((0.0, step), (60, 220, 60))):
        if min(x_max, -x_min, y_max, -y_min) > 0:  # the vehicle is on the map
            cv2.arrowedLine(tile, origin, where.at(tip), colour, 2, cv2.LINE_AA, tipLength=0.2)
    return tile


def _steps(low: float, high: float, step: float) -> NDArray[np.float64]:
    """Return the multiples of a step between two numbers, both included."""
    first, last = np.ceil(low / step - 1e-6), np.floor(high / step + 1e-6)
    return np.arange(first, last + 1) * step


def _line(tile: NDArray[np.uint8], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Draw a thin line that one can see through (in place)."""
    over = tile.copy()
    cv2.line(over, start, end, LINE, 1, cv2.LINE_AA)
    cv2.addWeighted(over, 0.45, tile, 0.55, 0.0, tile)


def _write(canvas: NDArray[np.uint8], text: str, at: tuple[int, int], colour: Colour) -> None:
    """Write small letters (in place)."""
    shown = "".join(one if " " <= one <= "~" else "?" for one in text)
    cv2.putText(canvas, shown, at, FONT, LETTERS, colour, 1, cv2.LINE_AA)
