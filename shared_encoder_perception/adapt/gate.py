# SPDX-License-Identifier: Apache-2.0
"""Whether a model that has learned from drives may take the place of the one before.

Both are asked the same: of labelled pictures that have nothing to do with the drives (the guard),
and of the last part of each drive, which nobody trained on. What was trained on is asked as well:
ground that the drive says is drivable, and that the network still denies after having been told so
again and again, contradicts all else that it was taught, as grass does that a path leads over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.adapt.counts import DriveCounts, count, gain_interval
from shared_encoder_perception.adapt.taught import taught
from shared_encoder_perception.evaluation.diff.bootstrap import Interval
from shared_encoder_perception.evaluation.informed import perceive
from shared_encoder_perception.evaluation.labelled_images import LabelledSet, open_set
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.predictor import Predictor

GUARD_LOSS: Final = 0.005
"""By which no score of the guard may fall."""
GAIN: Final = 0.005
"""By which the share of the held-out ground that is said to be drivable must rise, at least."""
SKY_RISE: Final = 0.001
"""By which the share of what is far above the horizon may not rise."""
SECTION_M: Final = 10.0
LEARNED: Final = 0.5
"""Share of the ground of each stretch of ``SECTION_M`` that must be said to be drivable, once it
was trained on; less is no surface that could be learned."""

Scores = dict[str, dict[str, float]]
"""Guard -> name of a headline score -> its value."""


@dataclass(frozen=True)
class Verdict:
    """What came of it, as JSON takes it.

    Attributes:
        guard: Guard -> score -> before and after.
        ground: Share of the held-out ground that is said to be drivable, before and after.
        gain: 95 % interval of its rise; NaN where there are too few pictures.
        sky: Share of what is far above the horizon, before and after.
        sections: Drive and begin of each stretch that was trained on, and its share, after.
        reasons: Why the model before stays; none if the new one may take its place.
    """

    guard: Mapping[str, Mapping[str, tuple[float, float]]]
    ground: tuple[float, float]
    gain: Interval
    sky: tuple[float, float]
    sections: Sequence[tuple[int, float, float]]
    reasons: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether the new model may take its place."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {**asdict(self), "gain": self.gain._asdict(), "passed": self.passed}


def open_guards(paths: Sequence[Path], names: Sequence[str]) -> dict[str, LabelledSet]:
    """Open the guards, and see that they label what a drive may spoil.

    Args:
        paths: Native sets.
        names: Tasks of the model.

    Raises:
        ValueError: One cannot be read, or none labels what the drives teach.
    """
    guards = {str(path): open_set(path, names) for path in paths}
    for task in taught(names):
        if not any(guard.labelled.get(task) for guard in guards.values()):
            raise ValueError(
                f"--guard {', '.join(guards)}: no picture is labelled for {task}, which the drive "
                "is to teach: whether it would be forgotten nobody could say; give a set with "
                "such labels"
            )
    return guards


def guard_scores(predictor: Predictor, guards: Mapping[str, LabelledSet]) -> Scores:
    """Score a model on the guards: every headline score that they have labels for."""
    found: Scores = {}
    keys = [key for name in predictor.spec.tasks for key in tasks.part(name, "metric").SCORE]
    for path, guard in guards.items():
        scorer = Scorer(predictor.spec.input_size)
        for image in tqdm(guard.read(), total=guard.total, desc="guard", unit="image"):
            perception = perceive(predictor, image.sample, image.crop)
            scorer.update(image.source, perception, image.sample, image.crop)
        summary = scorer.summary()
        found[path] = {key: summary[key] for key in keys if not math.isnan(summary[key])}
    return found


def judge(
    old: Predictor,
    new: Predictor,
    guards: Mapping[str, LabelledSet],
    held_out: Sequence[Path],
    trained: Sequence[Path],
) -> Verdict:
    """Hold a new model against the old one.

    Args:
        old: The model as it was.
        new: The one that has learned.
        guards: Of ``open_guards``.
        held_out: Sets of the drives' last parts.
        trained: Sets that were trained on.
    """
    scores = [guard_scores(one, guards) for one in (old, new)]
    counts = [count(one, list(held_out)) for one in (old, new)]
    learned = count(new, list(trained))
    return verdict(scores[0], scores[1], counts[0], counts[1], learned)


def verdict(
    guard_before: Scores,
    guard_after: Scores,
    before: DriveCounts,
    after: DriveCounts,
    learned: DriveCounts,
) -> Verdict:
    """Decide by what was counted.

    Args:
        guard_before: Of the old model.
        guard_after: Of the new one.
        before: Of the old model, on the held-out parts.
        after: Of the new one, on the same.
        learned: Of the new one, on what it was trained on.
    """
    guard = {
        path: {key: (value, guard_after[path].get(key, math.nan)) for key, value in own.items()}
        for path, own in guard_before.items()
    }
    gain, sections = gain_interval(before, after), learned.sections(SECTION_M)
    reasons = [
        *_guard_reasons(guard),
        *_drive_reasons(before, after, gain),
        *_section_reasons(sections),
    ]
    return Verdict(
        guard,
        (before.ground, after.ground),
        gain,
        (before.sky, after.sky),
        sections,
        tuple(reasons),
    )


def _guard_reasons(guard: Mapping[str, Mapping[str, tuple[float, float]]]) -> Iterator[str]:
    """Say which scores of the guard fell."""
    for path, scores in guard.items():
        for key, (was, now) in scores.items():
            if not now >= was - GUARD_LOSS:
                yield (
                    f"{key} of the guard {path} falls from {was:.4f} to {now:.4f}, by more than "
                    f"{GUARD_LOSS:g}"
                )


def _drive_reasons(before: DriveCounts, after: DriveCounts, gain: Interval) -> Iterator[str]:
    """Say what is wrong with the held-out part of the drives."""
    rise = after.ground - before.ground
    told = f"from {before.ground:.4f} to {after.ground:.4f}"
    if not rise > GAIN:
        yield (
            f"the share of the held-out ground that is said to be drivable goes {told}, and must "
            f"rise by more than {GAIN:g}: nothing is gained"
        )
    elif gain.known and not gain.low > 0:
        yield (
            f"the share of the held-out ground that is said to be drivable goes {told}, which may "
            f"be chance: 95 % interval of the rise {gain.low:+.4f} to {gain.high:+.4f}"
        )
    if not after.sky <= before.sky + SKY_RISE:
        yield (
            f"the share of what is far above the horizon that is said to be drivable rises from "
            f"{before.sky:.4f} to {after.sky:.4f}"
        )


def _section_reasons(sections: Sequence[tuple[int, float, float]]) -> Iterator[str]:
    """Say which ground could not be learned."""
    worst = [(found, drive, begin) for drive, begin, found in sections if found < LEARNED]
    if worst:
        found, drive, begin = min(worst)
        yield (
            f"{len(worst)} of {len(sections)} stretches of {SECTION_M:g} m are not learned though "
            f"trained on, the worst at {begin:.0f} m of drive {drive + 1}: {found:.0%} of the "
            "ground driven over there is said to be drivable; it looks like what the memory says "
            "is not drivable, or the path is wrong"
        )
