# SPDX-License-Identifier: Apache-2.0
"""Scores of many moments of rigs, by source."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared_encoder_perception import tasks


class RigScorer:
    """The metric of the task that is asked of rigs, by source."""

    def __init__(self, task: str) -> None:
        """``task`` is a name of ``tasks.RIG_ROOMS``."""
        self._task = task
        self._metrics: dict[str, Any] = {}

    def update(self, source: str, answer: Any, truth: Any) -> None:
        """Add one moment."""
        self._metric(source).update(answer, truth)

    def merge(self, other: RigScorer) -> None:
        """Add everything another one has counted."""
        for source, metric in other._metrics.items():
            self._metric(source).merge(metric)

    def compute(self) -> dict[str, Any]:
        """Return the scores of each source."""
        return {source: metric.compute() for source, metric in sorted(self._metrics.items())}

    def summary(self) -> dict[str, float]:
        """Return the headline numbers; ``score``, the mean of those that count, among them."""
        room = tasks.part(self._task, "metric")
        found: dict[str, float] = room.headline(self._metrics)
        scored = [found[name] for name in room.SCORE if not np.isnan(found[name])]
        return {"score": float(np.mean(scored)) if scored else float("nan"), **found}

    def _metric(self, source: str) -> Any:
        """Return the counts of a source."""
        if source not in self._metrics:
            self._metrics[source] = tasks.part(self._task, "metric").Metric()
        return self._metrics[source]
