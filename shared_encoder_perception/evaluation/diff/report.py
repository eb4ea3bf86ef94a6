# SPDX-License-Identifier: Apache-2.0
"""What changed, for people: a table in the terminal, and one HTML file with frames to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.diff.changed import APART, BETTER, WORSE, ChangedFrame
from shared_encoder_perception.evaluation.diff.chart import draw_changes
from shared_encoder_perception.evaluation.diff.limits import Verdict
from shared_encoder_perception.evaluation.diff.metrics import Change
from shared_encoder_perception.evaluation.diff.pairs import FOUND, Pairs
from shared_encoder_perception.evaluation.diff.results import Outcome
from shared_encoder_perception.evaluation.report.document import Cell, Report
from shared_encoder_perception.tasks.contract.comparisons import (
    AGREEMENT,
    NEITHER,
    DriftTexts,
    Things,
)

DECIMALS: Final = 4
HEADER: Final = ("score", "better", "A", "B", "change", "from", "to", "verdict")
GROUPS: Final = (("", 2), ("", 2), ("change and its 95 % interval", 3), ("", 1))
ARROWS: Final = {1: "high", -1: "low", 0: "same"}
TITLES: Final = {
    WORSE: ("Got worse", "Frames with the most new faults, the worst first."),
    BETTER: ("Got better", "Frames with the most faults gone."),
    APART: ("Farthest apart", "Frames on which the answers differ most, the farthest first."),
}
FAULTS: Final = (
    " Faults of a frame: {}. Colours are the answers, white is the label.",
    " Measured as faults of B if A were right: {}.",
)
"""Where there are labels, and where there are none."""


def to_text(
    pairs: Pairs,
    found: Mapping[str, Change],
    verdicts: Sequence[Verdict],
    notes: Sequence[str],
) -> str:
    """Write the scores that matter most, and the verdict."""
    limited = [one.metric for one in verdicts]
    shown = [name for name in found if name in limited or "/" not in name or _brief(name)]
    lines = [
        f"{'':<2}{'score':<28}{'A':>9}{'B':>9}{'change':>10}   95 % interval",
        *(_line(found[name], name in limited) for name in shown),
        "",
        "! worse, + better, ~ other: beyond chance; | has a limit",
        *_found_by(pairs),
        *(f"note: {note}" for note in notes),
        *(f"note: {one.metric} {one.note}" for one in verdicts if one.note),
        *(f"broken: {one.broken}" for one in verdicts if one.broken),
    ]
    return "\n".join([*lines, f"{_verdict(verdicts)}, {pairs.frames} frames"])


def _found_by(pairs: Pairs) -> list[str]:
    """Write for each thing that may be found which model found it."""
    lines = []
    for room in tasks.parts("drift", pairs.answered).values():
        if room.THINGS:
            title = f"{room.THINGS.noun}s found by"
            lines.append(f"\n{title:<28}" + "".join(f"{kind:>9}" for kind in FOUND))
            for name in room.THINGS.names:
                counts = "".join(f"{count:>9}" for count in pairs.found[name].values())
                lines.append(f"{name:<28}{counts}")
    return [*lines, ""]


def write_report(
    path: Path,
    conditions: Mapping[str, str],
    outcome: Outcome,
    found: Mapping[str, Change],
    verdicts: Sequence[Verdict],
) -> None:
    """Write the report.

    Args:
        path: Of the HTML file.
        conditions: What the changes depend on, by name.
        outcome: What was counted.
        found: What changed.
        verdicts: Of the limits.

    Raises:
        RuntimeError: What draws it is not installed.
        OSError: The folder cannot be written.
    """
    page = Report(f"Diff of {_names(conditions)}", conditions)
    rooms = tasks.parts("drift", outcome.pairs.answered)
    texts = [room.TEXTS for room in rooms.values()]
    _glance(page, outcome, found, verdicts)
    _scores(page, found, texts)
    _agreement(page, outcome.pairs, found)
    for kind, (title, text) in TITLES.items():
        frames = outcome.pairs.changed.most(kind)
        if frames:
            page.section(title)
            parts = [one.apart if kind == APART else one.faults for one in texts]
            page.text(text + FAULTS[kind == APART].format(", plus ".join(parts)))
            _frames(page, frames)
    page.write(path)


def word(change: Change) -> str:
    """Say what a change is: beyond chance or not, for the better or the worse."""
    if change.change == 0:
        return "same"
    if change.metric.startswith(AGREEMENT):
        return "differs"  # of which chance is no explanation
    if not change.interval.known:
        return ""
    if not change.significant:
        return "may be chance"
    if change.better == NEITHER:
        return "changed"
    return "worse" if change.loss > 0 else "better"


def _brief(name: str) -> bool:
    """Whether a score with a slash in its name is worth a line in the terminal."""
    rest = name.partition("/")[2]
    return (name.startswith(AGREEMENT) and "/" not in rest) or rest in ("accuracy", "f1")


def _line(change: Change, limited: bool) -> str:
    """Write one change."""
    mark = {"worse": "!", "better": "+", "changed": "~"}.get(word(change), " ")
    low, high = change.interval
    spread = f"{low:+.4f} to {high:+.4f}" if change.interval.known else "-"
    return (
        f"{mark}{'|' if limited else ' '}{change.metric:<28}{_cell(change.a):>9}"
        f"{_cell(change.b):>9}{_cell(change.change, '+'):>10}   {spread}"
    )


def _cell(value: float, sign: str = "") -> str:
    """Four decimals, or a dash for nothing."""
    return "-" if value != value else f"{round(value, DECIMALS) + 0.0:{sign}.{DECIMALS}f}"


def _verdict(verdicts: Sequence[Verdict]) -> str:
    """Say it in a few words."""
    broken = sum(bool(one.broken) for one in verdicts)
    checked = sum(one.loss == one.loss or bool(one.broken) for one in verdicts)
    return (
        f"FAILED: {broken} of {checked} limits are broken"
        if broken
        else (f"passed: {checked} limits hold")
    )


def _names(conditions: Mapping[str, str]) -> str:
    """Name both models."""
    names = [
        f"{conditions[f'{side} model']} {conditions.get(f'{side} version', '')}".strip()
        for side in "AB"
    ]
    return f"{names[1]} (B) against {names[0]} (A)"


def _glance(
    page: Report, outcome: Outcome, found: Mapping[str, Change], verdicts: Sequence[Verdict]
) -> None:
    """The verdict, and why."""
    page.section("Verdict")
    broken = [one for one in verdicts if one.broken]
    numbers: list[tuple[str, Cell, str]] = [
        ("Limits", "FAILED" if broken else "passed", f"{_verdict(verdicts).split(': ')[1]}")
    ]
    for change in _at_a_glance(outcome.pairs, found):
        label = change.metric.replace("_", " ").replace("/", ", ")
        agreed = change.metric.startswith(AGREEMENT)
        shown = _cell(change.b) if agreed else _cell(change.change, "+")
        numbers.append((label, shown, f"{_cell(change.a)} to {_cell(change.b)}"))
    page.numbers(numbers)
    for one in broken:
        page.text(f"Broken: {one.broken}.")
    for note in outcome.notes:
        page.text(f"Note: {note}.")
    rows: list[list[Cell]] = [
        [
            one.metric,
            one.limit.loss,
            "if beyond chance" if one.limit.significant else "always",
            one.loss,
            "BROKEN" if one.broken else one.note or "holds",
        ]
        for one in verdicts
    ]
    header = ("score", "allowed loss", "counts", "loss", "")
    page.table(header, rows, "Limits", decimals={1: DECIMALS, 3: DECIMALS})


def _at_a_glance(pairs: Pairs, found: Mapping[str, Change]) -> list[Change]:
    """Return the changes that tell most: those with labels first, then task by task."""
    own = [one for one in found.values() if one.glance and not one.metric.startswith(AGREEMENT)]
    agreed = [
        found[score.name]
        for room in tasks.parts("drift", pairs.answered).values()
        for score in room.SCORES
        if score.glance and score.name.startswith(AGREEMENT) and score.name in found
    ]
    return own + agreed


def _scores(page: Report, found: Mapping[str, Change], texts: Sequence[DriftTexts]) -> None:
    """All scores but those of B against A."""
    page.section("Scores")
    own = [one for name, one in found.items() if not name.startswith(AGREEMENT)]
    headline = [one for one in own if not one.part]
    if drawn := [one for one in headline if one.better]:
        page.picture(draw_changes(drawn))
    _table(page, headline, _listed([one.whole for one in texts]))
    _table(page, [one for one in own if one.part], "Head by head")
    notes = [
        "Intervals are of the paired bootstrap: both models on the same frames, drawn anew. Where "
        "0 lies outside, the change is beyond chance: with one in twenty exceptions, so that in a "
        "long table some are to be expected. For better \N{LEFT DOUBLE QUOTATION MARK}same"
        "\N{RIGHT DOUBLE QUOTATION MARK} no direction is the good one. ECE: expected calibration "
        "error.",
        *(one.note for one in texts if one.note),
    ]
    page.text(" ".join(notes))


def _listed(names: Sequence[str]) -> str:
    """Write ``"All lanes, the mask, and the depth"``."""
    *first, last = names
    text = ", ".join([*first, f"and {last}"]) if first else last
    return text[0].upper() + text[1:]


def _agreement(page: Report, pairs: Pairs, found: Mapping[str, Change]) -> None:
    """B against A, whoever is right."""
    page.section("Agreement")
    for room in tasks.parts("drift", pairs.answered).values():
        if room.THINGS:
            _things(page, room.THINGS, pairs, found)
    _table(page, [one for one in found.values() if one.metric.startswith(AGREEMENT)], "B against A")


def _things(page: Report, things: Things, pairs: Pairs, found: Mapping[str, Change]) -> None:
    """A row for each thing that may be found."""
    header = (things.noun, *FOUND, *(heading for heading, _ in things.agreed.values()))
    first = len(header) - len(things.agreed)
    rows: list[list[Cell]] = []
    for name in things.names:
        values = [found.get(f"{AGREEMENT}{name}/{what}") for what in things.agreed]
        counts = pairs.found[name].values()
        rows.append([name, *counts, *(one.b if one else None for one in values)])
    places = {first + index: shown for index, (_, shown) in enumerate(things.agreed.values())}
    page.table(header, rows, f"Frames in which a {things.noun} was found", decimals=places)
    page.text(things.text)


def _table(page: Report, found: Sequence[Change], caption: str) -> None:
    """A row for each change."""
    if not found:
        return
    rows: list[list[Cell]] = [
        [
            *(one.metric, ARROWS[one.better], one.a, one.b),
            *(_cell(value, "+") for value in (one.change, *one.interval)),
            word(one),
        ]
        for one in found
    ]
    places = dict.fromkeys(range(2, 4), DECIMALS)
    page.table(HEADER, rows, caption, groups=GROUPS, decimals=places)


def _frames(page: Report, frames: Sequence[ChangedFrame]) -> None:
    """Pictures side by side; without pictures, what is known as a table."""
    if all(frame.a[1] is None for frame in frames):
        header = ("source", "frame", "by", "A", "B")
        page.table(header, [[f.source, f.name, f.amount, f.a[0], f.b[0]] for f in frames])
        return
    for frame in frames:
        page.heading(f"{frame.name} ({frame.source}), by {frame.amount:.2f}")
        for side, (text, jpeg) in zip("AB", (frame.a, frame.b), strict=True):
            if jpeg is not None:
                page.picture(jpeg, f"{side}: {text}", columns=2)
