# SPDX-License-Identifier: Apache-2.0
"""Every command line that the pages show is run by a test, or listed with the reason why not.

That their options exist is checked in ``test_docs.py``.
"""

from __future__ import annotations

import re

import pytest
from doc_pages import ROOT
from documented_commands import (
    NOT_RUN,
    RUN,
    Line,
    command_of,
    file_of,
    lines,
    page,
    reason,
    said,
    told,
)

LINES = lines()


def untold(line):
    """Return what a line holds that the tests of its command do not say; none for no command."""
    command = command_of(line)
    if not command:
        return None
    return told(line, command) - set().union(*map(said, RUN[command]))


def test_a_line_is_run_by_a_test_or_listed_with_the_reason():
    left = {line.text: untold(line) for line in LINES if not reason(line)}
    assert {text: words for text, words in left.items() if words is None or words} == {}


@pytest.mark.parametrize(
    "text", ["fly", "dataset", "predict --colour red", "dataset convert gone X", "make tea"]
)
def test_a_line_that_nothing_runs_is_found(text):
    line = Line("use.md", text, text.split())
    assert not reason(line) and untold(line) != set()


def test_no_row_is_left_of_a_line_that_went():
    texts = [line for line in LINES if not reason(line)]
    assert {command_of(line) for line in texts} == set(RUN)
    assert [one for one in NOT_RUN if not any(re.match(one, line.text) for line in LINES)] == []


def test_the_files_of_the_tables_are_there():
    assert [one for files in RUN.values() for one in files if not file_of(one).is_file()] == []
    named = {path for why in NOT_RUN.values() for path in re.findall(r"`(test/[\w/.]+)`", why)}
    assert named and [path for path in named if not (ROOT / path).is_file()] == []


def test_the_page_of_commands_is_what_the_tables_say():
    assert (ROOT / "docs" / "commands.md").read_text() == page(), (
        "write it again: PYTHONPATH=test python test/docs/documented_commands.py > docs/commands.md"
    )
