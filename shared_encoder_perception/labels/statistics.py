"""What a data set holds: counts by source and kind of label, and where its lanes and roads lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE, MASK_IGNORE
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId

GRID: Final = (60, 100)
"""Rows and columns of the maps, over the whole picture."""


@dataclass
class SourceStatistics:
    """Counts of one source.

    Attributes:
        frames: Number of frames.
        lanes: Lane name -> [present, known absent, unknown].
        masks: Frames with a mask.
        pseudo: Frames with a mask, and with lanes, from a teacher.
        sizes: ``WxH`` -> frames.
        attributes: ``key=value`` -> frames.
        notes: Why labels were left out -> frames.
        drivable: Drivable share of the labelled pixels of each mask, in 20 bins from 0 to 1.
    """

    frames: int = 0
    lanes: dict[str, list[int]] = field(default_factory=lambda: {n: [0, 0, 0] for n in LANE_NAMES})
    masks: int = 0
    pseudo: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    drivable: NDArray[np.int64] = field(default_factory=lambda: np.zeros(20, np.int64))


@dataclass
class Statistics:
    """Counts of a whole set; its size does not grow with the set.

    Attributes:
        sources: By source.
        lane_maps: (5, 60, 100) how many lines pass each part of the picture.
    """

    sources: dict[str, SourceStatistics] = field(default_factory=dict)
    lane_maps: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(LaneId), *GRID), np.int64)
    )

    def add(self, frame: LabelledFrame, *, pictures: bool) -> None:
        """Count one frame; ``pictures``: read its mask too."""
        counts = self.sources.setdefault(frame.source or "images", SourceStatistics())
        counts.frames += 1
        counts.sizes[f"{frame.size[1]}x{frame.size[0]}"] += 1
        counts.pseudo.update(frame.pseudo)
        counts.notes.update(frame.notes)
        counts.attributes.update(f"{key}={value}" for key, value in frame.attributes.items())
        for lane in LaneId:
            known = lane in frame.lanes
            points = frame.lanes.get(lane)
            counts.lanes[lane.label][0 if points is not None else 1 if known else 2] += 1
            if points is not None:
                self._draw(lane, points, frame.size)
        counts.masks += frame.read_mask is not None
        if frame.read_mask is not None and pictures:
            mask = frame.read_mask()
            labelled = int((mask != MASK_IGNORE).sum())
            share = int((mask == MASK_DRIVABLE).sum()) / max(labelled, 1)
            counts.drivable[min(int(share * 20), 19)] += 1

    def _draw(self, lane: LaneId, points: NDArray[np.float32], size: tuple[int, int]) -> None:
        """Mark the cells that a line passes."""
        near_to_far = np.linspace(0, len(points) - 1, 4 * GRID[0])
        at = np.stack(
            [np.interp(near_to_far, np.arange(len(points)), points[:, i]) for i in (1, 0)], axis=1
        )
        cells = np.unique((at / size * GRID).astype(np.int64), axis=0)
        cells = np.clip(cells, 0, (GRID[0] - 1, GRID[1] - 1))
        self.lane_maps[lane][cells[:, 0], cells[:, 1]] += 1


def count(frames: Iterable[LabelledFrame], *, pictures: bool = True) -> Statistics:
    """Count all frames of a set."""
    statistics = Statistics()
    for frame in frames:
        statistics.add(frame, pictures=pictures)
    return statistics


def table(statistics: Statistics) -> str:
    """Render the counts for a terminal."""
    lines = [
        f"{'source':<20}{'frames':>8}{'masks':>8}"
        + "".join(f"{name.removesuffix('_ego'):>18}" for name in LANE_NAMES),
        f"{'':<36}" + f"{'yes / no / ?':>18}" * len(LANE_NAMES),
    ]
    for source, counts in sorted(statistics.sources.items()):
        lanes = "".join(f"{' / '.join(map(str, counts.lanes[name])):>18}" for name in LANE_NAMES)
        lines.append(f"{source:<20}{counts.frames:>8}{counts.masks:>8}{lanes}")
    for source, counts in sorted(statistics.sources.items()):
        for what in ("sizes", "pseudo", "attributes", "notes"):
            found = getattr(counts, what).most_common(12)
            if found:
                lines.append(f"{source}, {what}: " + ", ".join(f"{k} {n}" for k, n in found))
    return "\n".join(lines)


def plot(statistics: Statistics) -> NDArray[np.uint8]:
    """Draw label counts, where each lane lies, and how much of the pictures is drivable.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 8), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4)
    _plot_counts(axes[0, 0], statistics)
    for lane, axis in zip(LaneId, (*axes[0, 1:], *axes[1, :2]), strict=True):
        axis.imshow(np.log1p(statistics.lane_maps[lane]), extent=(0, 1, 1, 0), aspect=0.6)
        axis.set(title=lane.label, xlabel="x / width", ylabel="y / height")
    middles = np.arange(20) / 20 + 0.025
    for source, counts in sorted(statistics.sources.items()):
        if counts.drivable.sum():
            axes[1, 2].plot(middles, counts.drivable / counts.drivable.sum(), label=source)
    axes[1, 2].set(title="drivable share of a picture", xlabel="share", ylabel="of the masks")
    if any(counts.drivable.sum() for counts in statistics.sources.values()):
        axes[1, 2].legend(fontsize=8)
    axes[1, 3].axis("off")
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, 2::-1])


def _plot_counts(axis: object, statistics: Statistics) -> None:
    """Stacked bars: present, absent, unknown of each lane, and masks."""
    totals = np.array(
        [
            [sum(counts.lanes[name][i] for counts in statistics.sources.values()) for i in range(3)]
            for name in LANE_NAMES
        ]
    )
    masks = sum(counts.masks for counts in statistics.sources.values())
    frames = sum(counts.frames for counts in statistics.sources.values())
    totals = np.vstack((totals, (masks, 0, frames - masks)))
    names = [*(name.replace("_ego", "") for name in LANE_NAMES), "mask"]
    left = np.zeros(len(names))
    for label, values, colour in zip(
        ("present", "absent", "unknown"), totals.T, ("#0072b2", "#e69f00", "#bbbbbb"), strict=True
    ):
        axis.barh(names, values, left=left, label=label, color=colour)  # type: ignore[attr-defined]
        left += values
    axis.invert_yaxis()  # type: ignore[attr-defined]
    axis.set(title="labels", xlabel="frames")  # type: ignore[attr-defined]
    axis.legend(fontsize=8)  # type: ignore[attr-defined]
