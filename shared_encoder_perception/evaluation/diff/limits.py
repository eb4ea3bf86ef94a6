# SPDX-License-Identifier: Apache-2.0
"""What a new version may lose: a YAML file of limits, and whether they hold.

lane_f1: 0.01                                # largest allowed loss
ego/f1: {loss: 0.005, significant: true}     # only if chance does not explain it
labelled: {mask_iou: 0.01}                   # only for input with labels
unlabelled: {agreement/mask_iou: 0.1}        # only for input without
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.diff.metrics import Change, scores_of
from shared_encoder_perception.evaluation.differences import read_yaml
from shared_encoder_perception.tasks.contract.comparisons import AGREEMENT, Limit

LABELLED, UNLABELLED = "labelled", "unlabelled"
KEYS: Final = ("loss", "significant")
GRACE: Final = 1e-9
"""Of a loss that equals its limit but for rounding."""


@dataclass(frozen=True)
class Limits:
    """Limits of an input's kind.

    Attributes:
        labelled: By metric, for input with labels.
        unlabelled: For input without.
        chosen: Whether the user named them: then each of them must be checked.
    """

    labelled: Mapping[str, Limit]
    unlabelled: Mapping[str, Limit]
    chosen: bool = True


@dataclass(frozen=True)
class Verdict:
    """Whether one limit holds.

    Attributes:
        metric: Its name.
        limit: What is allowed.
        loss: What was lost; NaN where it is not known.
        broken: Why not; empty if it holds.
        note: Why it was not checked, or holds in spite of the loss; empty otherwise.
    """

    metric: str
    limit: Limit
    loss: float
    broken: str = ""
    note: str = ""


def default_limits(names: Iterable[str]) -> Limits:
    """Return what holds unless somebody says otherwise, for models of these tasks.

    Of the tasks of this package ``config/diff.yaml`` says the same, which a test holds.
    """
    names = list(names)
    own = [score for score in scores_of(names) if not score.name.startswith(AGREEMENT)]
    agreed = [
        score
        for room in tasks.parts("drift", names).values()
        for score in room.SCORES
        if score.name.startswith(AGREEMENT)
    ]
    labelled, unlabelled = (
        {score.name: score.limit for score in scores if score.limit is not None}
        for scores in (own, agreed)
    )
    return Limits(labelled, unlabelled, chosen=False)


def read_limits(path: Path) -> Limits:
    """Read a file of limits.

    Raises:
        ValueError: Unreadable, an unknown metric or key, no number, or no limit at all.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: expected metrics, each with the largest allowed loss")
    sections: dict[str, dict[str, Limit]] = {LABELLED: {}, UNLABELLED: {}}
    for name, value in content.items():
        if name not in sections:
            limit = _limit(path, name, value)
            for limits in sections.values():
                _add(path, limits, name, limit)
            continue
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {name} is {value!r}, expected metrics with limits")
        for inner, limit in value.items():
            _add(path, sections[name], inner, _limit(path, inner, limit))
    return Limits(sections[LABELLED], sections[UNLABELLED])


def judge(
    found: Mapping[str, Change], limits: Limits, labelled: bool, missing: str
) -> list[Verdict]:
    """Check the limits.

    Args:
        found: What changed.
        limits: What may.
        labelled: Whether there were labels.
        missing: Why a metric may not be there, for people.

    Raises:
        ValueError: There is none that could be checked.
    """
    wanted = limits.labelled if labelled else limits.unlabelled
    verdicts = [_check(name, limit, found.get(name), missing) for name, limit in wanted.items()]
    if not limits.chosen:
        # Defaults are for every input: what this one cannot tell is left out, and said so.
        verdicts = [
            Verdict(one.metric, one.limit, math.nan, note=f"not checked: {missing}")
            if one.metric not in found
            else one
            for one in verdicts
        ]
    if not any(one.metric in found for one in verdicts):
        kind = "with" if labelled else "without"
        raise ValueError(
            f"no limit can be checked on this input, {kind} labels: it has "
            f"{', '.join(list(found)[:4])} and {max(len(found) - 4, 0)} others; name some in "
            "--limits"
        )
    return verdicts


def _check(name: str, limit: Limit, change: Change | None, missing: str) -> Verdict:
    """Check one limit; what cannot be checked is broken."""
    if change is None:
        return Verdict(name, limit, math.nan, f"{name} cannot be checked: {missing}")
    if math.isnan(change.loss):
        who = "B" if math.isnan(change.b) else "A"
        return Verdict(name, limit, math.nan, f"{name} cannot be checked: {who} has no such score")
    if change.loss <= limit.loss + GRACE:
        return Verdict(name, limit, change.loss)
    low, high = change.interval
    if limit.significant and change.interval.known and not change.significant:
        note = f"beyond {limit.loss:g}, but may be chance: {low:+.4f} to {high:+.4f}"
        return Verdict(name, limit, change.loss, note=note)
    why = f"{name} lost {change.loss:.4f}, more than {limit.loss:g} ({change.a:.4f} to "
    why += f"{change.b:.4f}" + (f"; change {low:+.4f} to {high:+.4f})" if low == low else ")")
    return Verdict(name, limit, change.loss, why)


def _add(path: Path, limits: dict[str, Limit], name: str, limit: Limit) -> None:
    """Add a limit, once."""
    if name in limits:
        raise ValueError(f"{path}: {name} is there twice")
    limits[name] = limit


def _limit(path: Path, name: Any, value: Any) -> Limit:
    """Read one limit.

    Raises:
        ValueError: It is none.
    """
    names = [score.name for score in scores_of(tasks.ROOMS)]
    if name not in names:
        near = get_close_matches(str(name), (*names, LABELLED, UNLABELLED), 1)
        hint = f"did you mean {near[0]}?" if near else "`diff --metrics` lists them"
        raise ValueError(f"{path}: unknown metric {name!r}: {hint}")
    values = value if isinstance(value, dict) else {"loss": value}
    for key in values:
        if key not in KEYS:
            raise ValueError(f"{path}: unknown key {name}.{key}, expected {' and '.join(KEYS)}")
    loss, significant = values.get("loss"), values.get("significant", False)
    if isinstance(loss, bool) or not isinstance(loss, (int, float)) or not 0 <= loss < math.inf:
        raise ValueError(f"{path}: the loss of {name} is {loss!r}, expected a number of 0 or more")
    if not isinstance(significant, bool):
        raise ValueError(f"{path}: {name}.significant is {significant!r}, expected true or false")
    return Limit(float(loss), significant)
