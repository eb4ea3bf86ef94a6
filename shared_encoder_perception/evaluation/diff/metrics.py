"""The scores that two models are compared by, each a function of summed counts.

Those with labels have the names, and the values, of ``evaluate``'s headline; ``image/...`` are
means over images; ``LANE/...`` are one head's. Those that begin with ``agreement/`` need no label:
they hold model B against model A.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.diff import counts
from shared_encoder_perception.evaluation.diff.bootstrap import (
    FEWEST,
    NO_INTERVAL,
    RESAMPLES,
    SEED,
    Groups,
    Interval,
    interval,
    resampled_sums,
)
from shared_encoder_perception.evaluation.diff.counts import BINS, INDEX, RELIABILITY
from shared_encoder_perception.evaluation.scorer import MAIN_LANES
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

HIGHER, LOWER, NEITHER = 1, -1, 0
"""Which is better; of ``NEITHER`` any change is a loss."""
AGREEMENT: Final = "agreement/"

Values = NDArray[np.float64]
"""A number for each sum: (R,)."""


class Sums:
    """Summed rows by the names of their columns."""

    def __init__(self, groups: Groups) -> None:
        """Wrap the sums of each source, (R, columns)."""
        self._groups = groups
        self._total = np.sum(groups, axis=0)

    def __getitem__(self, name: str) -> Values:
        """Return a column, all sources together."""
        return self._total[:, INDEX[name]]

    def each(self, name: str) -> list[Values]:
        """Return a column of every source."""
        return [group[:, INDEX[name]] for group in self._groups]

    def bins(self, name: str) -> NDArray[np.float64]:
        """Return the (R, BINS, 3) columns of a calibration."""
        start = INDEX[f"{name}/0/{RELIABILITY[0]}"]
        width = BINS * len(RELIABILITY)
        return self._total[:, start : start + width].reshape(-1, BINS, len(RELIABILITY))


@dataclass(frozen=True)
class Metric:
    """One score.

    Attributes:
        name: In files.
        better: ``HIGHER``, ``LOWER`` or ``NEITHER``.
        value: Its values, of sums; NaN where nothing was counted.
        perfect: What a model scores against itself, for scores of B against A.
    """

    name: str
    better: int
    value: Callable[[Sums], Values]
    perfect: float | None = None


@dataclass(frozen=True)
class Change:
    """What became of a score from A to B.

    Attributes:
        metric: Its name.
        better: As of ``Metric``.
        a: Score of A.
        b: Score of B.
        change: ``b - a``.
        interval: 95 % confidence interval of the change.
    """

    metric: str
    better: int
    a: float
    b: float
    change: float
    interval: Interval

    @property
    def loss(self) -> float:
        """How much worse B is, negative if it is better; NaN where one of them has no score."""
        return -self.better * self.change if self.better else abs(self.change)

    @property
    def significant(self) -> bool:
        """Whether chance alone hardly makes such a change."""
        return self.interval.excludes_zero


def changes(
    a: Groups, b: Groups, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Change]:
    """Compute every score of both models, and how sure its change is.

    Args:
        a: Rows of frames or blocks of A by source, (n, columns) each.
        b: Those of B, of the same frames.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        By name, without those that neither model has.
    """
    whole = [Sums([group.sum(axis=0)[np.newaxis] for group in side]) for side in (a, b)]
    enough = sum(map(len, a)) >= FEWEST
    drawn = [Sums(resampled_sums(side, resamples, seed)) for side in (a, b)] if enough else []
    found = {}
    for metric in METRICS:
        scores = [_value(metric, sums) for sums in whole]
        if metric.perfect is not None:
            scores[0] = np.where(np.isnan(scores[1]), np.nan, metric.perfect)
        before, after = (float(score[0]) for score in scores)
        if math.isnan(before) and math.isnan(after):
            continue
        spread = NO_INTERVAL
        if drawn and not math.isnan(after - before):
            against = metric.perfect
            start = _value(metric, drawn[0]) if against is None else against
            spread = interval(_value(metric, drawn[1]) - start)
        found[metric.name] = Change(
            metric.name, metric.better, before, after, after - before, spread
        )
    return found


def _value(metric: Metric, sums: Sums) -> Values:
    """Compute a metric; nothing of nothing is NaN, without a warning."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return metric.value(sums)


def _ratio(part: Values, whole: Values) -> Values:
    """Divide; NaN for nothing of nothing."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _mean(values: Sequence[Values]) -> Values:
    """Mean of those that are numbers."""
    table = np.stack(values)
    known = np.isfinite(table)
    return _ratio(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def _share(part: str, whole: str, sums: Sums) -> Values:
    """One column as a share of another."""
    return _ratio(sums[part], sums[whole])


def _f1(lane: str, sums: Sums) -> Values:
    """Detection F1 of a head."""
    found, said, labelled = (sums[f"{lane}/{what}"] for what in ("found", "said", "labelled"))
    return _ratio(2 * found, said + labelled)


def _labelled_f1(lane: str, sums: Sums) -> Values:
    """Detection F1 of a head, as far as its lane is labelled present."""
    return np.where(sums[f"{lane}/labelled"] > 0, _f1(lane, sums), np.nan)


def _lane_accuracy(sums: Sums) -> Values:
    return _mean([_share(f"{lane}/right", f"{lane}/rows", sums) for lane in MAIN_LANES])


def _lane_f1(sums: Sums) -> Values:
    return _mean([_labelled_f1(lane, sums) for lane in MAIN_LANES])


def _mask_iou(sums: Sums) -> Values:
    pairs = zip(sums.each("intersection"), sums.each("union"), strict=True)
    return _mean([_ratio(common, union) for common, union in pairs])


def _score(sums: Sums) -> Values:
    return _mean([_lane_accuracy(sums), _lane_f1(sums), _mask_iou(sums)])


def _boundary_f(sums: Sums) -> Values:
    precision = _share("edge_right", "edge_said", sums)
    recall = _share("edge_found", "edge_labelled", sums)
    both = np.nan_to_num(precision) + np.nan_to_num(recall)
    score = np.where(both > 0, 2 * precision * recall / both, 0.0)
    nothing = np.isnan(precision) & np.isnan(recall)
    return np.where(nothing, np.nan, np.nan_to_num(score))


def _culane_f1(sums: Sums) -> Values:
    twice = 2 * sums["culane_tp"]
    return _ratio(twice, twice + sums["culane_fp"] + sums["culane_fn"])


def _ece(name: str, sums: Sums) -> Values:
    statements, stated, right = np.moveaxis(sums.bins(name), -1, 0)
    return _ratio(np.abs(stated - right).sum(axis=1), statements.sum(axis=1))


def _lateral(sums: Sums) -> Values:
    return _mean([_share(f"{lane}/error", f"{lane}/error_rows", sums) for lane in MAIN_LANES])


def _agreed(part: str, whole: str, lanes: Sequence[str], sums: Sums) -> Values:
    """Agreement of several lanes together."""
    parts, wholes = ([sums[f"{lane}/{what}"] for lane in lanes] for what in (part, whole))
    return _ratio(np.sum(parts, axis=0), np.sum(wholes, axis=0))


def _lane_metrics(lane: str) -> list[Metric]:
    """Scores of one head; with labels first."""
    shares = (
        ("accuracy", HIGHER, "right", "rows"),
        ("precision", HIGHER, "found", "said"),
        ("recall", HIGHER, "found", "labelled"),
        ("false_alarms", LOWER, "alarms", "absent"),
        ("lateral_widths", LOWER, "error", "error_rows"),
        ("over_reach", LOWER, "over", "extent"),
    )
    found = [
        Metric(f"{lane}/{name}", better, partial(_share, f"{lane}/{part}", f"{lane}/{whole}"))
        for name, better, part, whole in shares
    ]
    f1 = Metric(f"{lane}/f1", HIGHER, partial(_f1, lane))
    return [
        *(found[0], f1, *found[1:]),
        Metric(f"{lane}/detected", NEITHER, partial(_share, f"{lane}/detected", "frames")),
        Metric(f"{lane}/confidence", NEITHER, partial(_share, f"{lane}/confidence", "frames")),
    ]


def _agreement_metrics() -> list[Metric]:
    """Scores of B against A; those of all lanes first."""
    kinds = (
        ("found", HIGHER, "both", "either", 1.0),
        ("distance_px", LOWER, "px", "px_rows", 0.0),
        ("distance_widths", LOWER, "widths", "widths_rows", 0.0),
    )
    groups: list[tuple[str, Sequence[str]]] = [("", LANE_NAMES)]
    groups += [(f"{lane}/", (lane,)) for lane in LANE_NAMES]
    found = [
        Metric(f"{AGREEMENT}{prefix}{name}", better, partial(_agreed, part, whole, lanes), perfect)
        for prefix, lanes in groups
        for name, better, part, whole, perfect in kinds
    ]
    mask = partial(_share, "common", "united")
    return [Metric(f"{AGREEMENT}mask_iou", HIGHER, mask, 1.0), *found]


METRICS: Final = (
    Metric("score", HIGHER, _score),
    Metric("lane_accuracy", HIGHER, _lane_accuracy),
    Metric("lane_f1", HIGHER, _lane_f1),
    Metric("mask_iou", HIGHER, _mask_iou),
    Metric("boundary_f", HIGHER, _boundary_f),
    Metric("lateral_widths", LOWER, _lateral),
    *(
        Metric(f"tusimple_{key}", better, partial(_share, f"tusimple_{key}", "tusimple_images"))
        for key, better in (("accuracy", HIGHER), ("fp", LOWER), ("fn", LOWER))
    ),
    Metric("culane_f1", HIGHER, _culane_f1),
    Metric("lanes_ece", LOWER, partial(_ece, counts.LANES_CALIBRATION)),
    Metric("mask_ece", LOWER, partial(_ece, counts.MASK_CALIBRATION)),
    *(
        Metric(f"image/{name}", HIGHER, partial(_share, f"image_{name}", f"images_{name}"))
        for name in counts.IMAGE_SHARES
    ),
    *(metric for lane in LANE_NAMES for metric in _lane_metrics(lane)),
    Metric("mask/area", NEITHER, partial(_share, "area", "areas")),
    *_agreement_metrics(),
)
"""In the order in which they are shown."""
NAMES: Final = tuple(metric.name for metric in METRICS)
