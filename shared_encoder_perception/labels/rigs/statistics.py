# SPDX-License-Identifier: Apache-2.0
"""What a set of labelled rigs holds, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES

REACH_M: Final = (10.0, 20.0, 35.0, 50.0)
"""Distances up to which objects are counted; those beyond are the last column."""
MOST_COMMON: Final = 8
PLACES: Final = BevGrid(-60.0, -60.0, 60, 60, 2.0)
"""In which objects are counted for the plot."""


@dataclass
class RigStatistics:
    """Counts of a set.

    Attributes:
        lines: Moments.
        sources: Of them, by source.
        cameras: Moments by the names of the cameras.
        lenses: Cameras by model and size.
        pictures: Pictures.
        unlabelled: Moments of which nobody looked at the objects.
        objects: By class, at each distance of ``REACH_M`` and beyond.
        hidden: By class, objects that are less than 0.4 visible.
        cells: Cells of the maps: drivable, not, not known.
        in_view: Of the cells that a camera looks at: in plain view, hidden.
        maps: Moments with a map.
        places: (Y, X) of ``PLACES``, objects whose centre lies in each cell.
    """

    lines: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    cameras: Counter[tuple[str, ...]] = field(default_factory=Counter)
    lenses: Counter[str] = field(default_factory=Counter)
    pictures: int = 0
    unlabelled: int = 0
    objects: dict[str, Counter[int]] = field(default_factory=dict)
    hidden: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    in_view: Counter[str] = field(default_factory=Counter)
    maps: int = 0
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PLACES.shape, np.int64))

    def add(self, record: RigRecord, *, pictures: bool = True) -> None:
        """Count a moment; its maps are read with ``pictures`` only."""
        self.lines += 1
        self.sources[record.source or "-"] += 1
        self.cameras[record.rig.names] += 1
        self.pictures += len(record.pictures)
        for camera in record.rig.cameras:
            lens, (height, width) = camera.view.camera, camera.image_size
            bent = "fisheye" if lens.fisheye else "distorted" if len(lens.distortion) else "pinhole"
            self.lenses[f"{bent} {width}x{height}"] += 1
        self.unlabelled += record.objects is None
        for box in record.objects or ():
            distance = float(np.hypot(box.x_m, box.y_m))
            at = int(np.searchsorted(REACH_M, distance, side="right"))
            self.objects.setdefault(box.kind, Counter())[at] += 1
            column, row = np.rint(PLACES.cells(np.array([box.x_m, box.y_m]))).astype(int)
            if 0 <= row < PLACES.cells_y and 0 <= column < PLACES.cells_x:
                self.places[row, column] += 1
            self.hidden[box.kind] += box.visible is not None and box.visible < 0.4
        drivable = record.drivable() if pictures else None
        if drivable is not None:
            self.maps += 1
            values, counts = np.unique(drivable.values, return_counts=True)
            words = {YES: "drivable", NOT_KNOWN: "not known"}
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                self.cells[words.get(value, "not drivable")] += count
        in_view = record.in_view() if pictures else None
        if in_view is not None:
            for name, value in (("in plain view", YES), ("hidden", NO)):
                self.in_view[name] += int((in_view.values == value).sum())


def count(records: Iterable[RigRecord], *, pictures: bool = True) -> RigStatistics:
    """Count all moments of a set; maps are read with ``pictures`` only."""
    found = RigStatistics()
    for record in records:
        found.add(record, pictures=pictures)
    return found


def table(found: RigStatistics) -> str:
    """Render the counts for a terminal."""
    lines = [f"{found.lines} moments, {found.pictures} pictures, {found.maps} maps of the ground"]
    for what, counts in (("sources", found.sources), ("lenses", found.lenses)):
        told = ", ".join(f"{name} {number}" for name, number in counts.most_common(MOST_COMMON))
        lines.append(f"{what}: {told}")
    for names, number in found.cameras.most_common(MOST_COMMON):
        lines.append(f"cameras {', '.join(names)}: {number}")
    if len(found.cameras) > MOST_COMMON:
        lines.append(f"and {len(found.cameras) - MOST_COMMON} other sets of cameras")
    if found.unlabelled:
        lines.append(f"moments of whose objects nothing is known: {found.unlabelled}")
    if found.objects:
        bounds = [*(f"< {reach:g} m" for reach in REACH_M), "beyond", "hidden"]
        lines.append(f"{'class':<20}" + "".join(f"{bound:>10}" for bound in bounds))
        for kind, near in sorted(found.objects.items(), key=lambda item: -item[1].total()):
            numbers = [*(near[at] for at in range(len(REACH_M) + 1)), found.hidden[kind]]
            lines.append(f"{kind[:20]:<20}" + "".join(f"{number:>10}" for number in numbers))
    if total := found.cells.total():
        told = ", ".join(f"{name} {n / total:.1%}" for name, n in found.cells.most_common())
        lines.append(f"cells of the maps: {told}")
    if total := found.in_view.total():
        told = ", ".join(f"{name} {n / total:.1%}" for name, n in found.in_view.most_common())
        lines.append(f"cells that a camera looks at: {told}")
    return "\n".join(printable(line) for line in lines)


def plot(found: RigStatistics) -> NDArray[np.uint8]:
    """Draw where objects are, and how many of each class.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    bars, above = figure.subplots(1, 2)
    kinds = {kind: near.total() for kind, near in found.objects.items()}
    bars.barh(list(kinds), list(kinds.values()), color="#0072b2")
    bars.set(xlabel="objects", title="classes")
    x_min, y_min, x_max, y_max = PLACES.extent_m
    drawn = above.imshow(
        np.log1p(PLACES.picture(found.places)), extent=(y_max, y_min, x_min, x_max), cmap="viridis"
    )
    above.set(xlabel="y, left (m)", ylabel="x, ahead (m)", title="objects from above, log(1 + n)")
    figure.colorbar(drawn)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, 2::-1])
