# SPDX-License-Identifier: Apache-2.0
"""The tour of every command: its page is that of its steps, and its runner tells what happens.

All of it is run by ``python docs/tour.py``; here only the first steps are, which are cheap.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from doc_pages import ROOT, blocks, shell_commands

from shared_encoder_perception.__main__ import COMMANDS, PACKAGE

sys.path.insert(0, str(ROOT / "docs"))

import tour
from tour_steps import TOUR, Step

PAGE = (ROOT / "docs" / "tour.md").read_text()
STEPS = list(tour.steps())
CHEAP = 5
"""The first steps, which need neither torch nor ROS."""
SETS = ("render", "validate", "stats", "view", "merge", "split", "export", "convert", "label")


@pytest.fixture
def runner(tmp_path):
    """Return a runner in a folder of its own."""
    return tour.Runner(tmp_path / "place")


def outputs():
    """Return pairs of a command line of the page and its output."""
    found = blocks(PAGE)
    assert [one.language for one in found] == ["bash", "text"] * (len(found) // 2)
    return [
        (one.text.rstrip("\n"), two.text) for one, two in zip(found[::2], found[1::2], strict=True)
    ]


def words(step):
    """Return the words of our commands in a step, without what starts them."""
    lines = shell_commands(f"```bash\n{step.run}\n```\n")
    return [line[3:] for line in lines if line[:3] == ["python", "-m", PACKAGE]]


def masked(text):
    """Hide what differs from run to run and from machine to machine: numbers, and the engine."""
    text = re.sub(r"^engine: .*$", "engine:", text, flags=re.MULTILINE)
    return re.sub(r"[ \d.+-]+", " ", text).strip()


def test_every_command_has_a_step():
    used = {line[0] for step in STEPS for line in words(step)}
    assert used - {"--version"} == set(COMMANDS)
    assert {line[1] for step in STEPS for line in words(step) if line[0] == "dataset"} >= set(SETS)


def test_the_page_is_that_of_the_steps():
    assert [line for line, _ in outputs()] == [step.run for step in STEPS], "run docs/tour.py"
    assert tour.page(output.rstrip("\n") for _, output in outputs()) == PAGE, "run docs/tour.py"


def test_each_step_has_an_output():
    assert [line for line, output in outputs() if not output.strip()] == []


def test_no_step_names_a_path_outside_of_the_tours_folder():
    named = {word for step in STEPS for word in shlex.split(step.run) if word.startswith("/")}
    assert named == set()


def test_nothing_on_the_page_is_of_this_machine():
    assert re.findall(r"(?<![\w.…])/(?:home|mnt|opt|root|srv|tmp|usr|var|work)/\S*", PAGE) == []
    assert str(ROOT) not in PAGE


def test_the_first_steps_print_what_the_page_shows(runner):
    for step, (_, output) in zip(STEPS[:CHEAP], outputs(), strict=False):
        assert masked(runner.run(step)) == masked(output), step.run


def test_a_step_that_fails_stops_the_tour_with_its_output(runner):
    bad = Step("", f"python -m {PACKAGE} dataset validate tour/gone")
    with pytest.raises(tour.TourError, match=r"exit status 2, expected 0(.|\n)*tour/gone"):
        runner.run(bad)
    told = runner.run(bad._replace(status=2, last_of_stderr=1))
    assert told == "error: tour/gone: No such file or directory"


def test_a_tour_that_stops_leaves_the_page_as_it_was(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("an earlier one")
    chapter = TOUR[0]._replace(steps=(Step("", "echo said; exit 3"), Step("", "echo never")))
    monkeypatch.setattr(tour, "TOUR", (chapter,))
    monkeypatch.setattr(sys, "argv", ["tour.py", "--out", str(page)])
    assert tour.main() == 1
    told = capsys.readouterr().err
    assert "step 1 of 2" in told and "said" in told and "never" not in told
    assert page.read_text() == "an earlier one"


@pytest.mark.parametrize("line", ["true", "echo; echo", "echo only an error >&2"])
def test_a_step_without_output_stops_the_tour(runner, line):
    with pytest.raises(tour.TourError, match="no output"):
        runner.run(Step("", line))


def test_a_step_that_does_not_end_is_ended_with_what_it_started(runner, monkeypatch):
    monkeypatch.setattr(tour, "PATIENCE_S", 0.5)
    sleep = f"sleep {10**6 + os.getpid()}"
    with pytest.raises(tour.TourError, match=r"no end after 0\.5 s"):
        runner.run(Step("", f"{sleep} & {sleep}"))
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert sleep not in left.stdout


def test_places_and_names_of_no_use_are_hidden(runner):
    name = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout
    shown = runner.run(Step("", f"echo $PWD/tour {ROOT}/config {name.strip()}"))
    assert shown == "/…/tour /…/config KERNEL"


def test_long_output_is_shortened_visibly():
    lines = [str(number) for number in range(tour.MOST_LINES + 1)]
    short = tour.shortened(lines)
    assert short.count(tour.CUT) == 1 and len(short) == tour.HEAD + 1 + tour.TAIL
    assert short[: tour.HEAD] == lines[: tour.HEAD] and short[-tour.TAIL :] == lines[-tour.TAIL :]
    assert tour.shortened(lines[1:]) == lines[1:]
    (wide,) = tour.shortened(["x" * (tour.MOST_COLUMNS + 1)])
    assert wide == "x" * (tour.MOST_COLUMNS - 1) + tour.CUT
    assert tour.shortened(["x" * tour.MOST_COLUMNS]) == ["x" * tour.MOST_COLUMNS]


def test_progress_bars_are_left_out(runner):
    bar = r"printf 'begun\nEpoch 0:  42%%|███ | 10/24 [00:01<00:02,  6.9it/s]\r\x1b[1mdone\x1b[0m\n"
    assert runner.run(Step("", bar + "Validation: |          | 0/? [00:00<?, ?it/s]\n'")) == (
        "begun\ndone"
    )
