# SPDX-License-Identifier: Apache-2.0
"""Lane centres between the markings that a teacher saw, and how far each one is to be believed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labelling.boundaries import (
    REFERENCE_HEIGHT,
    ROW_STEP,
    Boundary,
    boundaries_inside,
)
from shared_encoder_perception.tasks.lanes.labelling.centres import derive_centres
from shared_encoder_perception.tasks.lanes.labelling.marking_masks import trace_boundaries
from shared_encoder_perception.tasks.lanes.labelling.paint_edges import (
    HORIZON,
    LANE_WIDTH_SLOPE,
    MOST_GAP,
)

BESIDE_PX: Final = 2.0
"""A line's paint is looked for this far beside it, and as far as that of a double line may lie."""

LINE_INSIDE: Final = "ego: line inside"


@dataclass(frozen=True, eq=False)
class MarkedLanes:
    """What markings tell about the lanes of one picture.

    Attributes:
        lanes: Those that are there, as ``Label.lines``; nothing is known to be absent.
        confidence: Of each of them, above 0 to 1.
        boundaries: As ``Label.boundaries``.
        notes: Why something was left out.
    """

    lanes: dict[LaneId, NDArray[np.float32]]
    confidence: dict[LaneId, float]
    boundaries: tuple[NDArray[np.float32], ...]
    notes: tuple[str, ...]


def lanes_between(probability: NDArray[np.uint8], least: float) -> MarkedLanes:
    """Trace the markings of a mask and derive the lanes between them.

    Args:
        probability: (H, W) uint8, 0 to 255 for a probability of paint of 0 to 1.
        least: Lowest confidence of a lane that is kept, above 0 to 1: the mean probability of its
            two boundaries times the share of its rows in which both were seen. Gaps between dashes
            count as seen: they were bridged because the dashes line up. What was continued below a
            boundary's near end does not.
    """
    size = (probability.shape[0], probability.shape[1])
    traced = [Boundary(points) for points in trace_boundaries(probability)]
    centres = derive_centres(traced, size)
    notes, confidence = list(centres.notes), {}
    usable = centres.usable(False)
    if any(note.startswith(LINE_INSIDE) for note in notes):
        usable = {}  # more likely a boundary of the ego lane whose near dashes were not seen
    found = {lane: points for lane, points in usable.items() if points is not None}
    for lane, points in found.items():
        value = _confidence(points, traced, probability)
        if value >= least:
            confidence[lane] = value
        else:
            notes.append(f"{lane.label}: teacher unsure")
    return MarkedLanes(
        {lane: found[lane] for lane in confidence},
        confidence,
        boundaries_inside((_thinned(boundary, size) for boundary in traced), size),
        tuple(notes),
    )


def _confidence(
    points: NDArray[np.float32], boundaries: list[Boundary], probability: NDArray[np.uint8]
) -> float:
    """See ``lanes_between``; 0 where no row shows both boundaries."""
    rows = points[:, 1].astype(np.float64)
    columns = [
        np.interp(rows, b.points[::-1, 1], b.points[::-1, 0], left=np.nan, right=np.nan)
        for b in boundaries
    ]
    best, pair, share = np.inf, None, 0.0
    # A lane is the middle of two boundaries: those are the ones it was derived from.
    for i, j in combinations(range(len(boundaries)), 2):
        off = np.abs((columns[i] + columns[j]) / 2 - points[:, 0])
        seen = np.isfinite(off)
        if seen.any() and (middle := float(np.median(off[seen]))) < best:
            best, pair, share = middle, (i, j), float(seen.mean())
    if pair is None:
        return 0.0
    return share * float(np.mean([_paint(boundaries[i].points, probability) for i in pair]))


def _paint(line: NDArray[np.float64], probability: NDArray[np.uint8]) -> float:
    """Mean over the rows of a line of the highest probability beside it, 0 to 1."""
    height = len(probability)
    lane_width = LANE_WIDTH_SLOPE * np.maximum(line[:, 1] - HORIZON * height, 0.0)
    reach = BESIDE_PX + MOST_GAP / 2 * lane_width
    first = np.maximum(line[:, 0] - reach, 0).astype(int)
    end = (line[:, 0] + reach).astype(int) + 1
    rows = line[:, 1].astype(int)
    highest = [probability[row, a:b].max() for row, a, b in zip(rows, first, end, strict=True)]
    return float(np.mean(highest)) / 255


def _thinned(boundary: Boundary, size: Size) -> Boundary:
    """Keep every so many rows of a boundary, and its ends: as many as people would label."""
    step = max(1, round(ROW_STEP * size[0] / REFERENCE_HEIGHT))
    kept = np.arange(len(boundary.points)) % step == 0
    kept[-1] = True
    return Boundary(boundary.points[kept], boundary.is_edge)
