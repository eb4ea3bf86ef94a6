# SPDX-License-Identifier: Apache-2.0
"""Write ``docs/tour.md``: every command with what it really prints, ``python docs/tour.py``.

The steps stand in ``tour_steps.py``. They run in their order through a shell, in a fresh folder in
which ``tour/`` is empty, ``config`` and ``docs`` are those of the repository, and ``python`` is the
one that runs this. The first that ends with another exit status than it should stops the tour, and
the page stays as it was. Three minutes on two quiet cores; ``--keep FOLDER`` runs it there, to look
at what the commands wrote.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from time import perf_counter
from typing import Final

from tour_steps import INTRODUCTION, TOUR, Step

from shared_encoder_perception.files.whole_file import replacing

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "tour.md"
LINKED: Final = ("config", "docs")
"""What the steps read of the repository."""
PATIENCE_S: Final = 3600.0
"""Longest time of a step."""

MOST_LINES, HEAD, TAIL = 26, 18, 7
"""Of longer output than ``MOST_LINES`` its first and last lines are shown."""
MOST_COLUMNS: Final = 200
"""Longer lines are cut."""
PAGE_COLUMNS: Final = 150
"""Of the words between."""
CUT: Final = "…"

ENVIRONMENT: Final = {
    "COLUMNS": "100",
    "PYTHONPATH": str(ROOT),
    "TERM": "dumb",
    "TQDM_DISABLE": "1",
}
_STEERING: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BAR: Final = re.compile(r".*\|.*\| +\d+/[\d?]+ \[.*\]")
"""A progress bar, of Lightning's, which the environment does not turn off."""


class TourError(RuntimeError):
    """A step that ended otherwise than it should; the message holds its output."""


class Runner:
    """Runs steps in one folder, in the order in which they are given."""

    def __init__(self, folder: Path) -> None:
        """Lay out what the steps find.

        Args:
            folder: An empty one, or one that does not exist.
        """
        self._folder = folder.resolve()
        (self._folder / "tour").mkdir(parents=True)
        for name in LINKED:
            (self._folder / name).symlink_to(ROOT / name, target_is_directory=True)
        paths = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        self._environment = {**os.environ, **ENVIRONMENT, "PATH": os.pathsep.join(paths)}
        self._hidden = hidden(self._folder)

    def run(self, step: Step) -> str:
        """Run a step; return what a page shows of its output.

        Raises:
            TourError: Another exit status than the step's, no end, or no output.
        """
        status, out, err = self._shell(step.run)
        if status != step.status:
            said = self._plain(out) + self._plain(err)
            raise TourError(
                f"exit status {status}, expected {step.status}, of\n{step.run}\n" + "\n".join(said)
            )
        shown = self._plain(out)
        if step.last_of_stderr:
            shown += self._plain(err)[-step.last_of_stderr :]
        if not any(shown):
            raise TourError(f"no output, expected some, of\n{step.run}")
        return "\n".join(shortened(shown))

    def _shell(self, command: str) -> tuple[int, str, str]:
        """Run a command line; return exit status, standard output and standard error."""
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the step's processes
            out, err = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            err += f"\nno end after {PATIENCE_S:g} s".encode()
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def _plain(self, text: str) -> list[str]:
        """Return the lines of an output without what is of no use to a reader."""
        for secret, instead in self._hidden:
            text = re.sub(secret, instead, text)
        text = _STEERING.sub("", text)
        # Not splitlines, which takes what a bar draws over itself for lines.
        lines = [line.rpartition("\r")[2].rstrip() for line in text.strip("\n").split("\n")]
        return [line for line in lines if not _BAR.fullmatch(line)] if text.strip() else []


def hidden(folder: Path) -> list[tuple[str, str]]:
    """Return pairs of a pattern of what is of no use to a reader, and what is shown instead."""
    git = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    asked = subprocess.run(git, capture_output=True, text=True, check=False)
    pairs = [(re.escape(str(folder)), "/…"), (re.escape(str(ROOT)), "/…")]
    if asked.returncode == 0:
        commit = asked.stdout.strip()
        pairs.append((rf"\b{commit[:7]}(?:{commit[7:]})?\b", "COMMIT"))
    # The host's name may be a word, too, such as `localhost`: whole words alone.
    pairs += [
        (rf"\b{re.escape(name)}\b", word)
        for name, word in ((platform.node(), "HOST"), (platform.release(), "KERNEL"))
        if name
    ]
    return pairs


def shortened(lines: list[str]) -> list[str]:
    """Leave lines out of the middle, and cut long ones, each with a visible ``CUT``."""
    if len(lines) > MOST_LINES:
        lines = [*lines[:HEAD], CUT, *lines[-TAIL:]]
    return [line if len(line) <= MOST_COLUMNS else line[: MOST_COLUMNS - 1] + CUT for line in lines]


def page(outputs: Iterable[str]) -> str:
    """Return the page, given what is shown of each step's output, in their order."""
    rest = iter(outputs)
    rule = _RULE.format(most=MOST_LINES, head=HEAD, tail=TAIL, columns=MOST_COLUMNS, cut=CUT)
    parts = [f"# A tour of every command\n\n{_filled(INTRODUCTION)}\n\n{_filled(rule)}\n"]
    for chapter in TOUR:
        parts.append(f"\n## {chapter.title}\n")
        for step in chapter.steps:
            parts.append(f"\n{_filled(step.text)}\n\n```bash\n{step.run}\n```\n")
            parts.append(f"\n```text\n{next(rest)}\n```\n")
            if step.status:
                parts.append(f"\nExit status {step.status}.\n")
    return "".join(parts)


def _filled(text: str) -> str:
    """Return a paragraph in lines as long as those of the other pages."""
    return fill(text, PAGE_COLUMNS, break_long_words=False, break_on_hyphens=False)


def steps() -> Iterator[Step]:
    """Yield all steps in their order."""
    for chapter in TOUR:
        yield from chapter.steps


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """Give an empty folder, which stays if it is the reader's."""
    if keep is not None:
        yield keep
    else:
        with TemporaryDirectory(prefix="tour_") as folder:
            yield Path(folder)


def main() -> int:
    """Run the tour and write the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE, help="the page to write")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="new folder to run in, kept")
    args = parser.parse_args()
    if args.keep is not None and args.keep.exists():
        parser.error(f"--keep {args.keep} is there already, expected a new folder")
    outputs, start, count = [], perf_counter(), len(list(steps()))
    with _place(args.keep) as folder:
        runner = Runner(folder)
        for number, step in enumerate(steps(), 1):
            before = perf_counter(), _cpu_s()
            try:
                outputs.append(runner.run(step))
            except TourError as error:
                print(f"error: step {number} of {count}: {error}", file=sys.stderr)
                return 1
            wall, cpu = perf_counter() - before[0], _cpu_s() - before[1]
            line = " ".join(step.run.split()).removeprefix("python -m shared_encoder_perception")
            print(f"{number:>3} of {count} {wall:7.1f} s, CPU {cpu:6.1f} s {line:.80}", flush=True)
    with replacing(args.out) as part:
        part.write_text(page(outputs), encoding="utf-8")
    print(f"{args.out}: {count} steps, {perf_counter() - start:.0f} s, CPU {_cpu_s():.0f} s")
    return 0


def _cpu_s() -> float:
    """Return the processor time of the steps so far, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_RULE: Final = """The page is written by `python docs/tour.py`, which runs every line in a fresh
folder and stops at the first that ends otherwise than it should. Progress bars are left out. Of
output of more than {most} lines the first {head} and the last {tail} are shown, with `{cut}`
between; a line of more than {columns} characters ends in `{cut}`. Only names are replaced that tell
a reader nothing: of that folder (`/…`), the machine (`HOST`, `KERNEL`), and the commit (`COMMIT`).
"""

if __name__ == "__main__":
    # As Ctrl-C: the step that runs is ended, and the folder removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
