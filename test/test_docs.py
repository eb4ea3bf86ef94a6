# SPDX-License-Identifier: Apache-2.0
"""README and docs say what is so: links lead somewhere, commands and their options exist."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from doc_commands import (
    FOREIGN_OPTIONS,
    JUDGES,
    PARAMETERS,
    options_of,
    parser_of,
    wrong_extract,
    wrong_words,
)
from doc_pages import PAGES, ROOT, anchors, blocks, code_spans, links, prose, shell_commands

from shared_encoder_perception.__main__ import COMMANDS, PACKAGE

MAX_README_LINES = 200
TEXTS = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}
TREES = "config|docs|examples|launch|msg|requirements|scripts|shared_encoder_perception|test"
SHELL = [(name, words) for name, text in TEXTS.items() for words in shell_commands(text)]
SPANS = sorted({(name, span) for name, text in TEXTS.items() for span in code_spans(text)})
QUOTED = [
    (name, span)
    for name, span in SPANS
    if " " in span and span.split()[0] in (*COMMANDS, *JUDGES)
]  # fmt: skip


def shown(value):
    """Name a test's case."""
    return value if isinstance(value, str) else " ".join(value)[:80]


@pytest.mark.parametrize(("page", "words"), SHELL, ids=shown)
def test_a_command_in_a_block_would_be_understood(page, words):
    assert wrong_words(words) == ""


@pytest.mark.parametrize(("page", "span"), QUOTED, ids=shown)
def test_a_command_in_running_text_exists(page, span):
    words = shlex.split(span)
    named = words[3:] if words[:3] == ["python", "-m", PACKAGE] else words
    assert (wrong_extract(named) if named[0] in COMMANDS else wrong_words(words)) == ""


@pytest.mark.parametrize(
    "line",
    [
        "python -m shared_encoder_perception predict --out y",
        "python -m shared_encoder_perception predict --input x --out y --colour red",
        "python -m shared_encoder_perception fly --out y",
        "python -m shared_encoder_perception train config/training/smoke.yaml lose.weighting=fixed",
        "python -m shared_encoder_perception train config/training/gone.yaml",
        "python -m shared_encoder_perception.gone",
        "python test/gone.py",
        "make tea",
        "make demo MILK=yes",
        "pip install '.[everything]'",
        "ros2 launch shared_encoder_perception perception.launch.py picture:=x",
        "ros2 launch shared_encoder_perception gone.launch.py",
        "ros2 param set /perception mask.threshold 2",
        "ros2 param set /perception autostart true",
        "ros2 fly",
        "rm -rf x",
    ],
)
def test_a_wrong_command_is_found(line):
    assert wrong_words(shlex.split(line)) != ""


@pytest.mark.parametrize("words", [["dataset", "fly"], ["diff", "--colour"]])
def test_a_wrong_extract_is_found(words):
    assert wrong_extract(words) != ""


def test_an_option_that_stands_alone_is_some_commands():
    known = set(FOREIGN_OPTIONS).union(*(options_of(parser_of(name)) for name in COMMANDS))
    named = {(page, span.split()[0]) for page, span in SPANS if span.startswith("--")}
    assert {one for one in named if one[1] not in known} == set()


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    dead = []
    for target in links(TEXTS[page]):
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        if "://" not in target and not (
            path.exists() and (not anchor or anchor in anchors(path.read_text()))
        ):
            dead.append(target)
    assert not dead


def test_a_page_is_taken_apart():
    page = (
        "# A `word`, two\n## A\n## A\n[x](y.md#z) `[no](link)` ![p](p.png)\n"
        '```bash\nS="python -m x"\n$S a \\\n  b  # c\ncd d && e\n```\n```\n# no heading\n```\n'
    )
    assert anchors(page) == {"a-word-two", "a", "a-1"}
    assert links(page) == ["y.md#z", "p.png"]
    commands = [["python", "-m", "x", "a", "b"], ["cd", "d"], ["e"]]
    assert shell_commands(page) == commands


@pytest.mark.parametrize("page", TEXTS)
def test_paths_parameters_and_modules_that_are_named_exist(page):
    for path, more in re.findall(rf"`((?:{TREES})/[\w./-]+)`(.{{0,10}})", prose(TEXTS[page])):
        assert (ROOT / path).exists() or more == " of commit", path
    heads = "|".join({name.partition(".")[0] for name in PARAMETERS if "." in name})
    for name in re.findall(rf"`((?:{heads})\.[a-z_]+)`", TEXTS[page]):
        assert name in PARAMETERS, name
    for name in re.findall(rf"\b{PACKAGE}(?:\.[a-z_0-9]+)+", TEXTS[page]):
        assert name.endswith(".msg") or find_spec(name) is not None, name


@pytest.mark.parametrize("page", TEXTS)
def test_what_the_examples_import_is_there(page):
    for block in blocks(TEXTS[page]):
        if block.language == "python":
            exec("\n".join(re.findall(r"^(?:from|import) .*$", block.text, re.MULTILINE)), {})


def test_the_readme_is_a_front_door():
    readme = TEXTS["README.md"]
    assert readme.count("\n") <= MAX_README_LINES
    assert "make demo" in readme and "make test" in readme


def test_every_page_and_picture_is_linked():
    index = {target.partition("#")[0] for target in links(TEXTS["docs/README.md"])}
    assert {page.name for page in PAGES[1:]} - {"README.md"} <= index
    seen = {Path(target).name for text in TEXTS.values() for target in links(text)}
    pictures = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".png", ".jpg")}
    assert pictures <= seen


def test_the_house_shows_every_room_and_every_file_of_a_room():
    house, package = TEXTS["docs/house.md"], ROOT / PACKAGE
    floor = {path.name for path in package.glob("[!_]*") if path.is_dir() or path.suffix == ".py"}
    assert len(floor) > 15
    assert {name for name in floor if f"`{name}`" not in house} == set()
    contract = "".join(path.read_text() for path in (package / "tasks/contract").glob("*.py"))
    files = set(re.findall(r'^    """``(\w+\.py)``', contract, re.MULTILINE))
    assert len(files) > 10
    assert {file for file in files if f"`{file}`" not in house} == set()
