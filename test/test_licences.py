# SPDX-License-Identifier: Apache-2.0
"""Every file of code begins with its licence, in the one line that tools look for."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = "# SPDX-License-Identifier: Apache-2.0"
PATTERNS = (
    *("shared_encoder_perception/**/*.py", "test/**/*.py", "docs/**/*.py", "requirements/*.py"),
    *("launch/*.py", "examples/*.py", "scripts/*", "setup.py", "CMakeLists.txt", "cmake/*.cmake"),
    *("Makefile", "Containerfile*", ".ci/run", ".github/workflows/*.yaml"),
)
"""Code. Messages, configs and labels are data: tools write them, and bags carry them."""


def begins_with_it(text):
    """Whether a file's first line, or the one after ``#!``, is the licence's."""
    lines = text.split("\n", 2)
    return LINE in lines[:1] or (lines[0].startswith("#!") and lines[1:2] == [LINE])


def test_every_file_of_code_begins_with_its_licence():
    found = {name: sorted(ROOT.glob(name)) for name in PATTERNS}
    assert [name for name, paths in found.items() if not paths] == []
    files = [path for paths in found.values() for path in paths if path.is_file()]
    assert len(files) > 500
    lacking = [path for path in files if not begins_with_it(path.read_text("utf-8"))]
    assert [str(path.relative_to(ROOT)) for path in lacking] == []


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (f'{LINE}\n"""Words."""\n', True),
        (f"#!/usr/bin/env python3\n{LINE}\n", True),
        (f'"""Words."""\n{LINE}\n', False),
        (f"{LINE}-or-later\n", False),
        ("#!/usr/bin/env python3", False),
        ("", False),
    ],
)
def test_the_rule_can_fail(text, right):
    assert begins_with_it(text) is right
