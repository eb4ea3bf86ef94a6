# SPDX-License-Identifier: Apache-2.0
"""Learn a sequence of places with one network, and measure what it forgets.

    python -m shared_encoder_perception continual CONFIG
    python -m shared_encoder_perception continual CONFIG strategy=replay memory.size=64
    python -m shared_encoder_perception continual CONFIG --sweep strategy=naive,replay seed=0,1,2
    python -m shared_encoder_perception continual --compare RUN RUN --out comparison.html

A run that was interrupted goes on where it was when the same command is given again. A sweep is
every combination of its values, each in a folder of its own below ``out``; finished ones are not
run again, and a page compares them. They run one after another; with --ray beside one another, on
GPUs where train.machine.accelerator is gpu; and on a cluster with a queue, with --index each as a
job of its own: ``--index $SLURM_ARRAY_TASK_ID`` of an array of as many jobs as --list shows.
Folders of the machine stand in a file of their own: ``camvid: /data/camvid`` in the YAML file that
--paths or SHARED_ENCODER_PATHS names, ``path: ${paths.camvid}/train`` in CONFIG.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from omegaconf import OmegaConf

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.load import load_sequence
from shared_encoder_perception.continual.matrix import MATRIX, read_matrix
from shared_encoder_perception.continual.report import write_report
from shared_encoder_perception.continual.report_comparison import terminal_table, write_comparison
from shared_encoder_perception.continual.report_groups import JOINT, grouped
from shared_encoder_perception.continual.sequence import NETWORK, learn
from shared_encoder_perception.continual.sweep import Variant, variants
from shared_encoder_perception.continual.testing import PICTURES
from shared_encoder_perception.libraries import REPORT_LIBRARIES, can_write
from shared_encoder_perception.training.train import without_hints

LOCAL = "local"
COMPARISON = "comparison.html"
"""Name of a sweep's page, in the folder of its runs."""
FAILED = 1
"""Exit status when a run of several failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("config", type=Path, nargs="?", help="YAML file of a sequence")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replace single values")
    parser.add_argument(
        "--paths", type=Path, metavar="FILE", help="YAML file of this machine's folders by name"
    )
    parser.add_argument(
        "--sweep", nargs="+", default=[], metavar="key=a,b", help="run every combination of values"
    )
    parser.add_argument("--list", action="store_true", help="print the runs by number and stop")
    parser.add_argument("--index", type=int, metavar="N", help="run only that one of the list")
    parser.add_argument("--show", action="store_true", help="print the whole config and stop")
    parser.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="one task per run, on a cluster; without an address, on one started on this machine",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="runs at a time with --ray")
    parser.add_argument(
        "--compare", type=Path, nargs="+", metavar="RUN", help="compare runs, or folders of sweeps"
    )
    parser.add_argument("--out", type=Path, metavar="HTML", help="where --compare writes its page")


def run(args: argparse.Namespace) -> int:
    """Learn; the exit status is 1 if one of several runs failed."""
    if args.compare or args.out:
        return _compare(args)
    if args.config is None:
        raise ValueError("no config is given: name the YAML file of a sequence, or --compare runs")
    jobs = chosen(args)
    if args.show:
        for _, config in jobs:
            print(OmegaConf.to_yaml(OmegaConf.structured(config)), end="")
        return 0
    if args.list:
        for number, (variant, config) in enumerate(jobs):
            print(f"{number:<4} {variant.name or '-':<40} {_state(Path(config.out))}")
        return 0
    if args.ray is not None:
        spread = import_module("shared_encoder_perception.continual.spread")  # may need Ray
        errors = spread.learn_by_ray([config for _, config in jobs], args.ray, args.workers)
        return _told(jobs, errors)
    without_hints()
    if len(jobs) == 1:
        _say(learn(jobs[0][1]))
        return 0
    errors = []
    for variant, config in jobs:
        print(f"\n{variant.name}: {_state(Path(config.out))}")
        try:
            _say(learn(config))
            errors.append("")
        except (ValueError, OSError, RuntimeError) as error:  # the others are not to suffer for it
            if args.debug:
                raise
            errors.append(" ".join(str(error).split()) or type(error).__name__)
            print(f"error: {errors[-1]}", file=sys.stderr)
    return _told(jobs, errors)


def chosen(args: argparse.Namespace) -> list[tuple[Variant, ContinualConfig]]:
    """Return the runs that are asked for; all configs are checked before the first begins.

    Raises:
        ValueError: A config cannot work, or there is no run of that number.
    """
    if args.index is not None and args.list:
        raise ValueError("--list shows all runs and --index takes one: leave one out")
    found = variants(args.sweep)
    if args.index is not None:
        if not 0 <= args.index < len(found):
            raise ValueError(f"--index is {args.index}, expected 0 to {len(found) - 1}: see --list")
        found = [found[args.index]]
    jobs = []
    for variant in found:
        config = load_sequence(args.config, [*args.overrides, *variant.overrides], args.paths)
        folder = variant.folder(Path(config.out))
        jobs.append((variant, replace(config, out=str(folder))))
    return jobs


def _state(out: Path) -> str:
    """Say how far a run has come."""
    if (out / NETWORK).exists():
        return "done"
    if (out / MATRIX).exists():
        matrix = read_matrix(out)
        return f"{matrix.learned} of {len(matrix.tasks)} tasks learned"
    return "begun" if out.exists() else "not begun"


def _say(out: Path) -> None:
    """Say where the results are, and the scores after the last task."""
    matrix = read_matrix(out)
    score = matrix.headline[0]
    last = {test.name: matrix.score(score, matrix.learned, test.name) for test in matrix.tests}
    print(f"{score}: " + ", ".join(f"{name} {value:.4f}" for name, value in last.items()))
    print(f"scores:   {out / MATRIX}\nnetwork:  {out / NETWORK}\npictures: {out / PICTURES}")
    if can_write("the report", *REPORT_LIBRARIES):
        print(f"report:   {write_report(out)}")


def _told(jobs: Sequence[tuple[Variant, ContinualConfig]], errors: Sequence[str]) -> int:
    """Sum up several runs; return the exit status."""
    failed = [variant.name for (variant, _), error in zip(jobs, errors, strict=True) if error]
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    print(f"{len(jobs) - len(failed)} of {len(jobs)} runs done")
    done = [Path(config.out) for (_, config), error in zip(jobs, errors, strict=True) if not error]
    if done and can_write("the comparison", *REPORT_LIBRARIES):
        try:
            _write_comparison(done, done[0].parent / COMPARISON)
        except ValueError as error:  # of a sweep over sequences; the runs are worth as much
            print(f"not compared: {error}")
    return FAILED if failed else 0


def _compare(args: argparse.Namespace) -> int:
    """Write the page that compares runs.

    Raises:
        ValueError: Nothing to compare, a config beside, or no runs of one sequence.
    """
    if not (args.compare and args.out) or args.config is not None:
        raise ValueError("--compare RUN... and --out PAGE.html go together, and without a config")
    _write_comparison(args.compare, args.out)
    return 0


def _write_comparison(folders: Sequence[Path], out: Path) -> None:
    """Write the page, and each run's own with the joint run of its seed as ceiling; say both."""
    compared = grouped(folders)
    print(terminal_table(compared))
    ceilings: dict[int, Path] = {}
    for group in compared.groups:
        if group.strategy == JOINT:
            ceilings |= {seed: one.folder for seed, one in group.runs.items()}
    for group in compared.groups:
        for seed, one in group.runs.items():
            write_report(one.folder, ceilings.get(seed))
    print(f"comparison: {write_comparison(folders, out)}")
