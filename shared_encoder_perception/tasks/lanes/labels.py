# SPDX-License-Identifier: Apache-2.0
"""What a label of the lanes is: in files, in worlds, in pictures that are cropped or turned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes import label_lines
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.label_lines import BOUNDARIES, CONFIDENCE, LANES
from shared_encoder_perception.tasks.lanes.labelling.boundaries import Boundary, boundaries_inside
from shared_encoder_perception.tasks.lanes.labelling.centres import derive_centres
from shared_encoder_perception.tasks.lanes.labelling.horizon import horizon_row
from shared_encoder_perception.tasks.lanes.labelling.paint_edges import Marking, pair_edges

KEYS: Final = (LANES, BOUNDARIES, CONFIDENCE)
LAST: Final = (CONFIDENCE,)
SCORED_FROM_TEACHER: Final = True

AGREE_PX: Final = 0.5
"""Lines that differ by less are the same label, written with other digits."""
MIRRORED: Final = MappingProxyType(
    {
        LaneId.EGO: LaneId.EGO,
        LaneId.LEFT_EGO: LaneId.RIGHT_EGO,
        LaneId.RIGHT_EGO: LaneId.LEFT_EGO,
        LaneId.LEFT_SPLIT_EGO: LaneId.RIGHT_SPLIT_EGO,
        LaneId.RIGHT_SPLIT_EGO: LaneId.LEFT_SPLIT_EGO,
    }
)
"""Which lane a lane is in the mirror."""
NEIGHBOURS: Final = (LaneId.LEFT_EGO, LaneId.RIGHT_EGO)

Lines = Mapping[LaneId, NDArray | None]


@dataclass(frozen=True, eq=False)
class Label:
    """What is known about the lanes of one image.

    Attributes:
        lines: Per lane a (N, 2) float32 centre line, ``(x, y)`` pixels near to far (``y`` strictly
            decreasing, N >= 2), or ``None`` for a lane known to be absent. A lane that is missing
            from the mapping is unknown: neither trained nor scored.
        confidence: Weight of a lane's label in training, above 0 to 1; 1 for those missing.
        boundaries: The lane boundaries of which the lines are the middles, (N, 2) float32 each,
            near to far; for people.
    """

    lines: Lines
    confidence: Mapping[LaneId, float] = field(default_factory=dict)
    boundaries: tuple[NDArray[np.float32], ...] = ()

    def check(self, image_size: Size) -> None:
        """Refuse lines that are none; they may leave an image of any ``image_size``.

        Raises:
            ValueError: Names the lane.
        """
        for lane, points in self.lines.items():
            if points is None:
                continue
            if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
                raise ValueError(
                    f"{LaneId(lane).label} has shape {points.shape}, expected (N >= 2, 2)"
                )
            if np.any(np.diff(points[:, 1]) >= 0):
                raise ValueError(
                    f"{LaneId(lane).label} must run near to far (y strictly decreasing)"
                )


# ---- in files -----------------------------------------------------------------------------------


def faults(record: Mapping[str, Any], size: Size) -> Iterator[str]:
    """Say what is wrong with the keys of a line."""
    return label_lines.faults(record, size)


def read(record: Mapping[str, Any], folder: Path, size: Size) -> Callable[[], Label] | None:
    """Return what makes the label of a line; ``None`` where it has none."""
    there = record.get(LANES) or record.get(BOUNDARIES)
    return partial(_read, record) if there else None


def _read(record: Mapping[str, Any]) -> Label:
    """Make the label of a line without faults."""
    return Label(
        label_lines.lines_of(record),
        label_lines.confidence_of(record),
        label_lines.boundaries_of(record),
    )


def write(label: Label, folder: Path, picture: Path) -> dict[str, Any]:
    """Return the keys of a line; there are no files."""
    return label_lines.keys_of(label.lines, label.boundaries, label.confidence)


def known(label: Label) -> bool:
    """Whether anything is known of a lane; boundaries alone are for people."""
    return bool(label.lines)


def for_people(label: Label) -> Label | None:
    """Return the boundaries alone; ``None`` where there are none."""
    return Label({}, {}, label.boundaries) if label.boundaries else None


def rare(record: Mapping[str, Any]) -> bool:
    """Whether a line shows a split lane."""
    lanes = _object(record)
    return any(lanes.get(lane.label) for lane in LaneId if lane.is_split)


def complete(record: Mapping[str, Any]) -> bool:
    """Whether a line shows all lanes that are no splits."""
    lanes = _object(record)
    return all(lanes.get(lane.label) for lane in LaneId if not lane.is_split)


def _object(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The lanes of a line that may have faults."""
    lanes = record.get(LANES)
    return lanes if isinstance(lanes, dict) else {}


def merge(first: Label, second: Label) -> tuple[Label, Sequence[tuple[str, Any]]]:
    """Take over the lanes that only the second knows; where both know one, the first wins."""
    lines, confidence = dict(first.lines), dict(first.confidence)
    conflicts = []
    for lane, points in second.lines.items():
        if lane not in lines:
            lines[lane] = points
            if lane in second.confidence:
                confidence[lane] = second.confidence[lane]
        elif not _agree(lines[lane], points):
            value = None if points is None else points.tolist()
            conflicts.append((f"lane {LaneId(lane).label}", value))
    if len(lines) == len(first.lines):
        return first, conflicts
    return replace(first, lines=lines, confidence=confidence), conflicts


def _agree(first: NDArray | None, second: NDArray | None) -> bool:
    """Whether two labels of a lane say the same."""
    if first is None or second is None:
        return first is second
    return first.shape == second.shape and bool(np.abs(first - second).max() < AGREE_PX)


def of_world(rendered: Any) -> Label:
    """Return the exact centre lines of a world."""
    return Label({LaneId[name.upper()]: line for name, line in rendered.centre_lines.items()})


def of_set(said: Any) -> tuple[Callable[[], Label] | None, Sequence[str]]:
    """Derive centre lines from the boundaries that another data set labels."""
    if said.lines is None:
        return None, ()
    boundaries = _boundaries(said)
    if boundaries is None:
        return None, ("more lines than a road has: lanes are not known",)
    if not boundaries:
        return None, ("no lines",)
    centres = derive_centres(boundaries, said.size, said.usual_lane)
    lines, shown = centres.usable(said.lane_changes), boundaries_inside(boundaries, said.size)
    read_label = partial(Label, lines, {}, shown) if lines or shown else None
    return read_label, centres.notes


def _boundaries(said: Any) -> list[Boundary] | None:
    """Sort the points of each line by row; join the edges of paint."""
    if said.paint_edges:
        markings = [Marking(line.points, line.kind, line.is_edge) for line in said.lines]
        return pair_edges(markings, said.size)
    found = (Boundary.from_points(line.points, line.is_edge) for line in said.lines)
    return [boundary for boundary in found if boundary is not None]


def horizon_px(label: Label) -> float | None:
    """Return the row in which lines that are parallel on the road meet."""
    lanes = (points for lane, points in label.lines.items() if not LaneId(lane).is_split)
    lines = [points for points in lanes if points is not None]
    return horizon_row(lines + list(label.boundaries))


# ---- in pictures that move ----------------------------------------------------------------------


def view(label: Label, transform: ImageTransform) -> Label:
    """Return the lines in pixels of the network input; they may leave it."""
    return _moved(label, transform.points_to_input)


def mirror(label: Label, width: int) -> Label:
    """Return the lines of the mirrored picture: left lanes become right ones."""
    moved = _moved(label, lambda points: points * (-1, 1) + (width - 1, 0))
    return Label(
        {MIRRORED[lane]: points for lane, points in moved.lines.items()},
        {MIRRORED[lane]: weight for lane, weight in moved.confidence.items()},
    )


def warp(label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
    """Move the lines; they may leave the picture."""
    return _moved(label, lambda points: points @ matrix[:, :2].T + matrix[:, 2])


def _moved(label: Label, move: Callable[[NDArray], NDArray]) -> Label:
    """Map the points of every line; boundaries stay behind, for they are never trained on."""
    lines = {lane: None if points is None else move(points) for lane, points in label.lines.items()}
    return Label(lines, label.confidence)


def inside(label: Label, crop: Crop) -> Label:
    """Cut lines to a crop; one with less than two points in it is left out."""
    corner = (crop.x, crop.y)
    beyond = (crop.x + crop.width - 1, crop.y + crop.height - 1)
    seen: dict[LaneId, NDArray | None] = {}
    for lane, points in label.lines.items():
        if points is None:
            seen[lane] = None
            continue
        kept = ((points >= corner) & (points <= beyond)).all(axis=1)
        if kept.sum() >= 2:
            seen[lane] = points[kept]
    confidence = {lane: weight for lane, weight in label.confidence.items() if lane in seen}
    return Label(seen, confidence)


def still_true(label: Label, size: Size) -> bool:
    """Whether lines still run near to far, and ego is still the lane in the middle."""
    runs_on = all(
        points is None or bool((np.diff(points[:, 1]) < 0).all()) for points in label.lines.values()
    )
    return runs_on and ego_runs_up_the_middle(label.lines, size)


def ego_runs_up_the_middle(lines: Lines, size: Size) -> bool:
    """Tell whether ego is still the lane the picture of ``(height, width)`` is taken from.

    That is: of ego and its neighbours, each continued straight to the lower border, ego ends
    nearest to the middle of the picture. True where ego is not known.
    """
    height, width = size
    ego = lines.get(LaneId.EGO)
    if ego is None:
        return True
    middle = (width - 1) / 2
    others = (lines.get(lane) for lane in NEIGHBOURS)
    distance = abs(_x_at_border(ego, height) - middle)
    return all(
        distance < abs(_x_at_border(other, height) - middle)
        for other in others
        if other is not None
    )


def _x_at_border(points: NDArray, height: int) -> float:
    """Continue the near end of a line (N, 2) straight to the lower border."""
    near, y = points[: max(len(points) // 4, 2)], height - 1.0
    if np.ptp(near[:, 1]) < 1e-6:
        return float(near[0, 0])
    slope = (near[0, 0] - near[-1, 0]) / (near[0, 1] - near[-1, 1])
    return float(near[0, 0] + slope * (y - near[0, 1]))
