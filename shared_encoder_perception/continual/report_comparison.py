# SPDX-License-Identifier: Apache-2.0
"""The page that compares runs of one sequence: strategies in rows, means over seeds, and the cost.

An interval holds the mean over all seeds with 95 % confidence (Student's t); of one seed there is
none. Differences are taken seed by seed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from shared_encoder_perception.continual.intervals import Interval, interval, paired
from shared_encoder_perception.continual.measures import MEASURES, MORE_IS_BETTER, TITLES
from shared_encoder_perception.continual.report_charts import Course, courses, points
from shared_encoder_perception.continual.report_groups import Compared, Group, grouped
from shared_encoder_perception.evaluation.report.document import NOTHING, Report
from shared_encoder_perception.tasks.contract.reports import Cell

COSTS: Final = {
    "images_per_second": ("images a second", 1),
    "seconds": ("seconds a task", 1),
    "memory_samples": ("samples in memory", 0),
    "memory_bytes": ("bytes of memory", 0),
    "state_bytes": ("bytes of strategies", 0),
    "peak_mb": ("peak resident MB", 0),
}
"""Of ``matrix.PER_TASK`` -> what it is called, and its decimals; means over the tasks."""
FORGETTING: Final = "forgetting"
SHARE: Final = "of naive's"
"""Forgetting as a share of that of naive."""


def write_comparison(folders: Sequence[Path], out: Path) -> Path:
    """Write the page.

    Args:
        folders: Of runs, or of sweeps; see ``report_groups.grouped``.
        out: The .html.

    Returns:
        ``out``.

    Raises:
        ValueError: See ``grouped``.
        ModuleNotFoundError: jinja2 or matplotlib is not installed.
        OSError: It cannot be written.
    """
    compared = grouped(folders)
    matrix = compared.first
    seeds = sorted({seed for group in compared.groups for seed in group.runs})
    machines = sorted(
        {run.matrix.machine for group in compared.groups for run in group.runs.values()}
    )
    report = Report(
        f"Strategies: {', then '.join(matrix.tasks)}",
        {
            "strategies": ", ".join(group.label for group in compared.groups),
            "seeds": ", ".join(map(str, seeds)),
            "steps": ", ".join(map(str, matrix.steps)),
            "batch": f"{matrix.batch_size} images a step",
            "network": f"{matrix.parameters:,} parameters",
            "machines": "; ".join(machines),
            "sequence": matrix.digest[:12],
        },
    )
    _write_overview(report, compared)
    _write_tests(report, compared)
    _write_cost(report, compared, len(machines))
    _write_runs(report, compared)
    out.parent.mkdir(parents=True, exist_ok=True)
    report.write(out)
    return out


def terminal_table(compared: Compared) -> str:
    """Render the measures for a terminal: a table for each score, a line for each strategy."""
    width = max(len(one) for one in (*compared.first.headline, *_labels(compared))) + 2
    lines = []
    for score in compared.first.headline:
        head = [score, *(TITLES[name] for name in MEASURES), SHARE]
        for first, *cells in [
            head,
            *([group.label, *_cells(compared, group, score)] for group in compared.groups),
        ]:
            lines.append(f"{first:<{width}}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


def _cells(compared: Compared, group: Group, score: str) -> list[str]:
    """Return the measures of a group, and how much of what naive forgets it forgets."""
    found = _over_seeds(compared, group, score)
    return [
        *(interval_text(found[name]) for name in MEASURES),
        interval_text(forgotten_share(compared, group, score), 2),
    ]


def forgotten_share(compared: Compared, group: Group, score: str) -> Interval:
    """Return forgetting divided by that of naive, seed by seed; nothing where naive forgets none.

    Args:
        compared: All groups.
        group: One of them.
        score: By which score.
    """
    if (base := compared.naive) is None:
        return interval(())
    own, its = (_by_seed(compared, one, score, FORGETTING) for one in (group, base))
    return interval(own[seed] / its[seed] for seed in own if its.get(seed, 0.0) > 0)


def _labels(compared: Compared) -> list[str]:
    """Return what groups are called."""
    return [group.label for group in compared.groups]


def interval_text(found: Interval, decimals: int = 3) -> str:
    """Write a mean and its interval; without one where there is none, a dash for nothing."""
    if math.isnan(found.mean):
        return NOTHING
    mean = f"{round(found.mean, decimals) + 0.0:,.{decimals}f}"
    return mean if math.isnan(found.half) else f"{mean} ± {found.half:,.{decimals}f}"


def _by_seed(compared: Compared, group: Group, score: str, name: str) -> dict[int, float]:
    """Return a measure of a group by seed."""
    return {seed: getattr(one, name) for seed, one in compared.measures(group, score).items()}


def _over_seeds(compared: Compared, group: Group, score: str) -> dict[str, Interval]:
    """Return all measures of a group."""
    return {name: interval(_by_seed(compared, group, score, name).values()) for name in MEASURES}


def _write_overview(report: Report, compared: Compared) -> None:
    """Show the measures of each strategy, and how far they are from naive."""
    report.section("Measures")
    if any(len(group.runs) < 2 for group in compared.groups):
        alone = [group.label for group in compared.groups if len(group.runs) < 2]
        report.text(
            f"Only one seed of {', '.join(alone)}: how far other seeds would differ is not known."
        )
    for score in compared.first.headline:
        _write_measures(report, compared, score)
    first = compared.first.headline[0]
    for name in MEASURES:
        values = {
            group.label: list(_by_seed(compared, group, first, name).values())
            for group in compared.groups
        }
        drawn = {label: (each, interval(each)) for label, each in values.items()}
        if any(found.count for _, found in drawn.values()):
            better = "more" if MORE_IS_BETTER[name] else "less"
            title = f"{TITLES[name]} ({better} is better)"
            report.picture(points(drawn, title, first), TITLES[name], columns=2)
    report.text(
        "A pale dot is a seed, the mark their mean, the line its 95 % interval (Student's t). "
        "Accuracy and transfer as Lopez-Paz and Ranzato (2017), forgetting and intransigence as "
        "Chaudhry et al. (2018), the latter behind the joint run of the same seed."
    )
    _write_differences(report, compared, first)


def _write_measures(report: Report, compared: Compared, score: str) -> None:
    """Show a row for each strategy."""
    rows: list[list[Cell]] = []
    for group in compared.groups:
        rows.append([group.label, len(group.runs), *_cells(compared, group, score)])
    report.table(["strategy", "seeds", *(TITLES[name] for name in MEASURES), SHARE], rows, score)


def _write_differences(report: Report, compared: Compared, score: str) -> None:
    """Show each strategy minus naive, seed by seed."""
    base = compared.naive
    others = [group for group in compared.groups if group is not base]
    if base is None or not others:
        return
    rows: list[list[Cell]] = []
    for group in others:
        cells: list[Cell] = [group.label, len(set(group.runs) & set(base.runs))]
        for name in MEASURES:
            own, its = (_by_seed(compared, one, score, name) for one in (group, base))
            found = paired(own, its)
            cells.append(interval_text(found) + (" *" if found.excludes_zero else ""))
        rows.append(cells)
    header = ["strategy", "seeds of both", *(TITLES[name] for name in MEASURES)]
    report.table(header, rows, f"{score}: difference from {base.label}, seed by seed")
    report.text("* marks a difference whose 95 % interval does not hold 0.")


def _write_tests(report: Report, compared: Compared) -> None:
    """Show each test at the end, and while tasks are learned."""
    report.section("Tests")
    matrix = compared.first
    last = matrix.learned
    for score in matrix.headline:
        rows: list[list[Cell]] = [
            [
                group.label,
                *(interval_text(group.over_seeds(score, last, test.name)) for test in matrix.tests),
            ]
            for group in compared.groups
        ]
        of = Counter(test.task for test in matrix.tests)
        spans = [(task, of[number]) for number, task in enumerate(matrix.tasks)]
        header = ["strategy", *(test.name for test in matrix.tests)]
        report.table(header, rows, f"{score} after the last task", groups=[("", 1), *spans])
    score = matrix.headline[0]
    for test in matrix.tests:
        lines = {group.label: _course(group, score, test.name, last) for group in compared.groups}
        chart = courses(lines, test.name, matrix.tasks, score, test.task)
        report.picture(chart, f"{test.name}, a test of {matrix.tasks[test.task]}", columns=2)
    report.text("Shaded: while the test's own task is learned. Around a line: its 95 % interval.")


def _course(group: Group, score: str, test: str, last: int) -> Course:
    """Return a test's score after each task, over the seeds."""
    found = [group.over_seeds(score, row, test) for row in range(last + 1)]
    return Course([one.mean for one in found], [one.half for one in found])


def _write_cost(report: Report, compared: Compared, machines: int) -> None:
    """Show what each strategy costs, and how fast it is beside naive."""
    report.section("Cost")
    if machines > 1:
        report.text(
            f"The runs are of {machines} machines: their times cannot be compared with one another."
        )
    base = compared.naive
    rows: list[list[Cell]] = []
    for group in compared.groups:
        cells: list[Cell] = [group.label]
        cells += [
            interval_text(interval(group.cost(name).values()), decimals)
            for name, (_, decimals) in COSTS.items()
        ]
        rows.append([*cells, _speed(group, base)])
    header = ["strategy", *(title for title, _ in COSTS.values()), "speed beside naive"]
    report.table(header, rows, "Means over tasks, and over seeds with 95 % intervals")


def _speed(group: Group, base: Group | None) -> str:
    """Return the ratio of images a second to naive's, over the seeds that both have."""
    if base is None:
        return NOTHING
    own, its = (one.cost("images_per_second") for one in (group, base))
    both = [own[seed] / its[seed] for seed in own if its.get(seed)]
    return interval_text(interval(both), 2)


def _write_runs(report: Report, compared: Compared) -> None:
    """Say which runs these are."""
    report.section("Runs")
    rows: list[list[Cell]] = [
        [group.label, seed, str(run.folder), run.matrix.source, run.matrix.machine]
        for group in compared.groups
        for seed, run in sorted(group.runs.items())
    ]
    report.table(["strategy", "seed", "folder", "commit", "machine"], rows)
    for folder in compared.unfinished:
        report.text(f"{folder} has not learned all its tasks, and is left out.")
    for label, settings in _settings(compared).items():
        report.text(f"{label}: {settings}")


def _settings(compared: Compared) -> Mapping[str, str]:
    """Return how the strategies of each group were set."""
    return {
        group.label: ", ".join(f"{key}={value}" for key, value in run.used.items())
        for group in compared.groups
        for run in list(group.runs.values())[:1]
        if run.used
    }
