"""How far an engine's answers are from another's, and whether that is tolerable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import BF16, FP16, FP32, INT8
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES

OUTPUTS: Final = {"heat": slice(0, 1), "start": slice(1, 3), "position": slice(3, 5)}
"""What is compared -> its maps in ``spec.LANE_MAPS``; the mask beside them."""
MASK: Final = "mask"
SCORES: Final = ("lane_accuracy", "lane_f1", "mask_iou")


@dataclass(frozen=True)
class Tolerances:
    """What is tolerated of one precision; ``None`` for anything.

    Attributes:
        heat: Largest error of a heat map, probability.
        start: Largest error of a start vector, cells.
        position: Largest error of a position, cells.
        mask: Largest error of the mask, steps of 1/255.
        lane_accuracy_loss: How much lower lane accuracy may be.
        mask_iou_loss: How much lower mask IoU may be.
    """

    heat: float | None = None
    start: float | None = None
    position: float | None = None
    mask: float | None = None
    lane_accuracy_loss: float | None = 0.005
    mask_iou_loss: float | None = 0.005


DEFAULTS: Final = {
    FP32: Tolerances(1e-4, 1e-3, 1e-3, 1),
    FP16: Tolerances(heat=0.02),
    BF16: Tolerances(),
    INT8: Tolerances(),
}
"""By precision; ``config/compare.yaml`` says the same, which a test holds."""


def read_tolerances(path: Path | None) -> dict[str, Tolerances]:
    """Read a YAML file of precision -> tolerances.

    Raises:
        ValueError: Unreadable, an unknown precision or key, or no number.
    """
    if path is None:
        return dict(DEFAULTS)
    content = read_yaml(path)
    known = [item.name for item in fields(Tolerances)]
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected some of {', '.join(DEFAULTS)}, each with tolerances")
    found = dict.fromkeys(DEFAULTS, Tolerances(None, None, None, None, None, None))
    for precision, values in content.items():
        if precision not in DEFAULTS:
            raise ValueError(
                f"{path}: unknown precision {precision!r}, expected some of {', '.join(DEFAULTS)}"
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
        found[precision] = replace(found[precision], **values)
    return found


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
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


@dataclass
class Differences:
    """One engine against the reference; ``update`` once an image.

    Attributes:
        label: ``engine:precision`` as asked for.
        info: What really ran.
        scorer: Fed by the caller with every image that has labels.
    """

    label: str
    info: BackendInfo
    scorer: Scorer
    _largest: dict[str, float] = field(default_factory=dict)
    _total: dict[str, float] = field(default_factory=dict)
    _where: str = ""
    _images: int = 0

    def update(
        self, outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray], name: str
    ) -> None:
        """Compare the outputs of one image.

        Args:
            outputs: (5, 5, h, w) float32 lanes and (H, W) uint8 mask, as far as the model has them.
            reference: The reference's.
            name: Of the image.
        """
        errors = {}
        if OUTPUT_LANES in outputs:
            lanes = np.abs(outputs[OUTPUT_LANES] - reference[OUTPUT_LANES])
            errors = {key: lanes[:, maps] for key, maps in OUTPUTS.items()}
        if OUTPUT_MASK in outputs:
            mask = outputs[OUTPUT_MASK].astype(np.int16) - reference[OUTPUT_MASK]
            errors[MASK] = np.abs(mask)
        for key, error in errors.items():
            # A comparison with NaN is never true: as infinity it cannot slip through.
            largest = float(np.nan_to_num(error.max(), nan=np.inf, posinf=np.inf))
            if key == "heat" and largest > self._largest.get(key, -1.0):
                self._where = name
            self._largest[key] = max(self._largest.get(key, 0.0), largest)
            self._total[key] = self._total.get(key, 0.0) + float(error.mean())
        self._images += 1

    def compute(self) -> dict[str, Any]:
        """Return errors (largest and mean over all images) and scores, NaN where unlabelled."""
        scores = self.scorer.summary()
        return {
            "engine": self.label,
            "runs": f"{self.info.name} {self.info.version} {self.info.device}",
            "precision": self.info.precision,
            "images": self._images,
            "largest": dict(self._largest),
            "mean": {key: total / self._images for key, total in self._total.items()},
            "largest_heat_error_on": self._where,
            "scores": {key: scores[key] for key in SCORES},
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
    reference = rows[0]
    for row in rows:
        row["exceeded"] = exceeded(row, reference, tolerances[row["precision"]])
        row["loss"] = {key: reference["scores"][key] - row["scores"][key] for key in SCORES}
    for row in rows:  # only now: what is no number cannot be calculated with
        for key in ("largest", "mean", "scores", "loss"):
            row[key] = {name: _number(value) for name, value in row[key].items()}
    passed = not failed and not any(row["exceeded"] for row in rows)
    lines = [
        f"{reference['images']} images, against {reference['engine']}; error: largest (mean)",
        "",
        "| engine | runs in | heat map | start, cells | position, cells | mask, 1/255 "
        "| lane accuracy | lane F1 | mask IoU | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        errors = [_error(row, key) for key in (*OUTPUTS, MASK)]
        scores = [_score(row, key) for key in SCORES]
        verdict = "; ".join(row["exceeded"]) or ("reference" if row is reference else "ok")
        cells = [row["engine"], row["precision"], *errors, *scores, verdict]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"\n{label} could not run: {reason}" for label, reason in failed.items()]
    return "\n".join(lines), {"passed": passed, "engines": rows, "failed": dict(failed)}


def exceeded(row: Mapping[str, Any], reference: Mapping[str, Any], limits: Tolerances) -> list[str]:
    """Name what is beyond its tolerance; what is no number is beyond any."""
    found = []
    for key in (*OUTPUTS, MASK):
        limit, error = getattr(limits, key), row["largest"].get(key, 0.0)
        if not math.isfinite(error):
            found.append(f"{key} is not finite")
        elif limit is not None and error > limit:
            found.append(f"{key} error {error:.2g} > {limit:g}")
    for key in ("lane_accuracy", "mask_iou"):
        limit = getattr(limits, f"{key}_loss")
        loss = reference["scores"][key] - row["scores"][key]
        if limit is not None and loss > limit:
            found.append(f"{key} {loss:.4f} lower > {limit:g}")
    return found


def _number(value: float) -> float | None:
    """JSON knows finite numbers only."""
    return value if math.isfinite(value) else None


def _error(row: Mapping[str, Any], key: str) -> str:
    """Write the largest and the mean error."""
    if row["largest"].get(key) is None:
        return "-"
    return f"{row['largest'][key]:.1e} ({row['mean'][key]:.1e})"


def _score(row: Mapping[str, Any], key: str) -> str:
    """Write a score, and how it changed."""
    if row["scores"][key] is None:
        return "-"
    return f"{row['scores'][key]:.4f} ({0.0 - round(row['loss'][key], 4):+.4f})"
