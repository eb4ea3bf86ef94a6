# SPDX-License-Identifier: Apache-2.0
"""How far an engine's answers are from another's, and whether that is tolerable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import BF16, FP16, FP32, INT8
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.evaluation.deviations import Deviations, quantities, shown_scores
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.spec import ModelSpec

PRECISIONS: Final = (FP32, FP16, BF16, INT8)
LOSS: Final = "_loss"
"""Ends the key of a score in a file of tolerances."""

Tolerances = Mapping[str, float]
"""Of one precision: quantity -> largest error, score with ``LOSS`` -> how much lower it may be.
What is missing is not checked."""


def default_tolerances() -> dict[str, Tolerances]:
    """Return what holds unless somebody says otherwise, by precision.

    Of the tasks of this package ``config/compare.yaml`` says the same, which a test holds.
    """
    errors, scores = quantities(tasks.ROOMS), shown_scores(tasks.ROOMS)
    losses = {f"{name}{LOSS}": one.loss for name, one in scores.items() if one.loss is not None}
    return {
        precision: {
            **{name: one.most[precision] for name, one in errors.items() if precision in one.most},
            **losses,
        }
        for precision in PRECISIONS
    }


def read_tolerances(path: Path | None) -> dict[str, Tolerances]:
    """Read a YAML file of precision -> tolerances.

    Raises:
        ValueError: Unreadable, an unknown precision or key, or no number.
    """
    if path is None:
        return default_tolerances()
    content = read_yaml(path)
    known = [*quantities(tasks.ROOMS), *(f"{name}{LOSS}" for name in shown_scores(tasks.ROOMS))]
    precisions = ", ".join(PRECISIONS)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected some of {precisions}, each with tolerances")
    for precision, values in content.items():
        if precision not in PRECISIONS:
            raise ValueError(
                f"{path}: unknown precision {precision!r}, expected some of {precisions}"
            )
        if not isinstance(values, dict):
            raise ValueError(
                f"{path}: {precision} is {values!r}, expected some of {', '.join(known)}"
            )
        for key, value in values.items():
            if key not in known:
                raise ValueError(
                    f"{path}: unknown key {precision}.{key}, expected some of {', '.join(known)}"
                )
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise ValueError(
                    f"{path}: {precision}.{key} is {value!r}, expected a number of 0 or more"
                )
    return {precision: content.get(precision, {}) for precision in PRECISIONS}


def read_yaml(path: Path) -> Any:
    """Parse a YAML file.

    Raises:
        ValueError: It is none, or PyYAML is missing.
    """
    try:
        import yaml  # comes with ROS and with training, which are not everywhere
    except ModuleNotFoundError:
        raise ValueError(f"reading {path} needs PyYAML: pip install pyyaml") from None
    try:
        return yaml.safe_load(plain(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


class Differences:
    """One engine against the reference; ``update`` once an image.

    Attributes:
        label: ``engine:precision`` as asked for.
        deviations: What is compared.
        shown: The scores that are.
        scorer: Fed by the caller with every image that has labels.
    """

    def __init__(self, label: str, info: BackendInfo, spec: ModelSpec) -> None:
        """Start empty.

        Args:
            label: ``engine:precision`` as asked for.
            info: What really ran.
            spec: Of the model that ran.
        """
        self.label = label
        self.deviations = Deviations(spec)
        self.shown = shown_scores(name for name in tasks.ROOMS if name in spec.tasks)
        self.scorer = Scorer(spec.input_size)
        self._info = info
        self._first = next(iter(self.deviations.quantities))
        self._largest: dict[str, float] = {}
        self._total: dict[str, float] = {}
        self._where = ""
        self._images = 0

    def update(
        self, outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray], name: str
    ) -> None:
        """Compare the outputs of one image.

        Args:
            outputs: The model's output tensors, without the batch axis.
            reference: The reference's.
            name: Of the image.
        """
        for key, error in self.deviations.errors(outputs, reference).items():
            # A comparison with NaN is never true: as infinity it cannot slip through.
            largest = float(np.nan_to_num(error.max(), nan=np.inf, posinf=np.inf))
            if key == self._first and largest > self._largest.get(key, -1.0):
                self._where = name
            self._largest[key] = max(self._largest.get(key, 0.0), largest)
            self._total[key] = self._total.get(key, 0.0) + float(error.mean())
        self._images += 1

    def compute(self) -> dict[str, Any]:
        """Return errors (largest and mean over all images) and scores, NaN where unlabelled."""
        scores = self.scorer.summary()
        return {
            "engine": self.label,
            "runs": f"{self._info.name} {self._info.version} {self._info.device}",
            "precision": self._info.precision,
            "images": self._images,
            "largest": dict(self._largest),
            "mean": {key: total / self._images for key, total in self._total.items()},
            f"largest_{self._first}_error_on": self._where,
            "scores": {key: scores.get(key, math.nan) for key in self.shown},
        }


def report(
    found: Sequence[Differences],
    failed: Mapping[str, str],
    tolerances: Mapping[str, Tolerances],
) -> tuple[str, dict[str, Any]]:
    """Judge what was found.

    Returns:
        A Markdown table, and everything as plain values with ``passed``.
    """
    rows = [difference.compute() for difference in found]
    reference, errors, shown = rows[0], found[0].deviations.quantities, found[0].shown
    for row in rows:
        row["exceeded"] = exceeded(row, reference, tolerances[row["precision"]])
        row["loss"] = {key: reference["scores"][key] - row["scores"][key] for key in shown}
    for row in rows:  # only now: what is no number cannot be calculated with
        for key in ("largest", "mean", "scores", "loss"):
            row[key] = {name: _number(value) for name, value in row[key].items()}
    passed = not failed and not any(row["exceeded"] for row in rows)
    titles = [one.title for one in errors.values()] + [one.title for one in shown.values()]
    lines = [
        f"{reference['images']} images, against {reference['engine']}; error: largest (mean)",
        "",
        f"| engine | runs in | {' | '.join(titles)} | |",
        "|---" * (len(titles) + 3) + "|",
    ]
    for row in rows:
        cells = [_error(row, key) for key in errors] + [_score(row, key) for key in shown]
        verdict = "; ".join(row["exceeded"]) or ("reference" if row is reference else "ok")
        lines.append(f"| {' | '.join([row['engine'], row['precision'], *cells, verdict])} |")
    lines += [f"\n{label} could not run: {reason}" for label, reason in failed.items()]
    return "\n".join(lines), {"passed": passed, "engines": rows, "failed": dict(failed)}


def exceeded(row: Mapping[str, Any], reference: Mapping[str, Any], limits: Tolerances) -> list[str]:
    """Name what is beyond its tolerance; what is no number is beyond any."""
    found = []
    for key, error in row["largest"].items():
        limit = limits.get(key)
        if not math.isfinite(error):
            found.append(f"{key} is not finite")
        elif limit is not None and error > limit:
            found.append(f"{key} error {error:.2g} > {limit:g}")
    for key, score in row["scores"].items():
        limit, loss = limits.get(f"{key}{LOSS}"), reference["scores"][key] - score
        if limit is not None and loss > limit:
            found.append(f"{key} {loss:.4f} lower > {limit:g}")
    return found


def _number(value: float) -> float | None:
    """JSON knows finite numbers only."""
    return value if math.isfinite(value) else None


def _error(row: Mapping[str, Any], key: str) -> str:
    """Write the largest and the mean error."""
    if row["largest"][key] is None:
        return "-"
    return f"{row['largest'][key]:.1e} ({row['mean'][key]:.1e})"


def _score(row: Mapping[str, Any], key: str) -> str:
    """Write a score, and how it changed."""
    if row["scores"][key] is None:
        return "-"
    return f"{row['scores'][key]:.4f} ({0.0 - round(row['loss'][key], 4):+.4f})"
