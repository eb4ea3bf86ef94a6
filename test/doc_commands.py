# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a command that a page for readers shows: each judge returns a reason or "".

Nothing is run: arguments go through the parsers of the commands, keys of training configs through
the config's own check, the rest is looked up in the files that define it.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Final, NoReturn

import pytest
from doc_pages import ROOT

from shared_encoder_perception.__main__ import COMMANDS, PACKAGE, _parse
from shared_encoder_perception.node import parameters

WITH_CONFIG: Final = ("train", "throughput", "sheet")
"""Commands that take ``key=value`` of a training config."""
FOREIGN_OPTIONS: Final = (
    *("--show-args", "--symlink-install", "--system-site-packages", "--ipc"),
    *("--network", "--shm-size"),
)
"""Of ``ros2 launch``, colcon, venv and podman."""
LAUNCH_FILES: Final = ROOT / PACKAGE / "node" / "launch_files.py"
"""What launch files have in common."""
STAND_INS: Final = ("my.yaml", "CONFIG")
"""Configs of the reader's own."""


PARAMETERS: Final = parameters.all_parameters()
"""The node's, by name."""


class Parser(argparse.ArgumentParser):
    """One that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what would have been printed."""
        raise ValueError(message)


def parser_of(name: str) -> Parser:
    """Return the parser of a command; skip where its libraries are missing."""
    try:
        module = import_module(f"{PACKAGE}.{COMMANDS[name][0]}")
    except ModuleNotFoundError as error:
        missing = error.name or PACKAGE
        if missing.startswith(PACKAGE) and missing != f"{PACKAGE}.msg":
            raise
        pytest.skip(f"{name} needs {missing}, which is not installed")
    parser = Parser(prog=name)
    parser.add_argument("--debug", action="store_true")
    module.add_arguments(parser)
    return parser


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return every option of a command and of its sub-commands."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for sub in action.choices.values() for option in options_of(sub)}
    return found


def wrong_words(words: Sequence[str]) -> str:
    """Judge a whole command of any kind."""
    if PACKAGE in words and words[words.index(PACKAGE) - 1] == "-m":  # python, torchrun, srun
        return wrong_command(words[words.index(PACKAGE) + 1 :])
    name, *rest = words
    if name in JUDGES:
        return JUDGES[name](rest)
    foreign = ("cd", "git", "source", "colcon", "rosdep", "touch")
    return "" if name in foreign else f"nothing judges {name}"


def wrong_command(words: Sequence[str]) -> str:
    """Parse a whole command of ours, the keys of a training config included."""
    name, *rest = words
    if name in ("--help", "--version"):
        return ""
    if name not in COMMANDS:
        return f"there is no command {name}"
    try:
        args = _parse(parser_of(name), rest)
    except ValueError as error:
        return str(error)
    return wrong_keys(rest, getattr(args, "config", None)) if name in WITH_CONFIG else ""


def wrong_extract(words: Sequence[str]) -> str:
    """Judge what a text quotes of a command of ours: its options, sub-command and keys exist."""
    name, *rest = words
    parser = parser_of(name)
    if unknown := {word for word in rest if word.startswith("--")} - options_of(parser):
        return f"{name} has no {unknown}"
    if name == "dataset":
        (actions,) = (one.choices for one in parser._actions if one.dest == "action")
        return "" if rest[0] in actions else f"dataset has no {rest[0]}"
    config = Path(rest[0]) if rest[0].endswith(".yaml") else None
    return wrong_keys(rest, config) if name in WITH_CONFIG else ""


def wrong_keys(words: Sequence[str], config: Path | None = None) -> str:
    """Judge the ``key=value`` of a training config; an ellipsis stands for any value."""
    pytest.importorskip("omegaconf", reason="training configs need it")
    from shared_encoder_perception.training.config import ConfigError, load_config

    keys = [word for word in words if re.match(r"[a-z_.0-9]+=", word) and "…" not in word]
    path = None if config is None or config.name in STAND_INS else ROOT / config
    try:
        load_config(path, keys)
    except ConfigError as error:
        return str(error)
    return ""


def wrong_make(words: Sequence[str]) -> str:
    """Look up targets and variables in the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z0-9.-]+):", makefile, re.MULTILINE)
    for word in words:
        variable, equals, _ = word.partition("=")
        if equals and f"$({variable})" not in makefile:
            return f"the Makefile knows no variable {variable}"
        if not equals and word not in targets:
            return f"the Makefile has no target {word}"
    return ""


def wrong_ros2(words: Sequence[str]) -> str:
    """Look up launch arguments and parameters; of other verbs only the name."""
    verb, *rest = words
    if verb == "param" and rest:
        _, _, name, value = rest
        if name not in PARAMETERS or PARAMETERS[name].read_only:
            return f"{name} is no parameter that changes while the node runs"
        return PARAMETERS[name].problem(type(PARAMETERS[name].default)(value))
    if verb == "launch" and rest:
        package, file, *arguments = rest
        path = ROOT / "launch" / file
        if package != PACKAGE or not path.exists():
            return f"there is no launch file {package} {file}"
        given = {one.partition(":=")[0] for one in arguments} - {"--show-args"}
        unknown = given - launch_arguments(path)
        return f"{file} has no argument {unknown}" if unknown else ""
    known = ("launch", "param", "topic", "service", "lifecycle", "run")
    return "" if verb in known else f"ros2 has no {verb}"


def launch_arguments(path: Path, table: str = "ARGUMENTS") -> set[str]:
    """Return the keys of a launch file's table, without importing ROS.

    What is spread into it stands in ``node/launch_files.py``.
    """
    for node in ast.parse(path.read_text()).body:
        targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
        if any(isinstance(one, ast.Name) and one.id == table for one in targets):
            value = getattr(node, "value", None)
            assert isinstance(value, ast.Dict)
            found: set[str] = set()
            for key, part in zip(value.keys, value.values, strict=True):
                if key is None:
                    found |= launch_arguments(LAUNCH_FILES, ast.unparse(part))
                else:
                    found.add(ast.literal_eval(key))
            return found
    raise AssertionError(f"{path} has no {table}")


def wrong_pip(words: Sequence[str]) -> str:
    """Look up the extras of ``pip install '.[extra]'``."""
    for before, word in pairwise(words):
        file = word.partition(f"{PACKAGE}/")[2] or word
        if before == "-r" and file != "..." and not (ROOT / file).is_file():
            return f"there is no {word}"
    pyproject = (ROOT / "pyproject.toml").read_text()
    extras = re.findall(r"\[([a-z0-9,]+)\]", " ".join(words))
    return ", ".join(f"no extra {one}" for one in extras if f"\n{one} = [" not in pyproject)


def wrong_python(words: Sequence[str]) -> str:
    """Look up files and modules that are run."""
    first, *rest = words
    if first == "-c":
        compile(rest[0], "-c", "exec")
        return ""
    if first == "-m":
        if rest[0] == parameters.__name__ and rest[1] not in ("yaml", "markdown"):
            return f"{rest[0]} knows no {rest[1]}"
        return "" if find_spec(rest[0]) else f"there is no module {rest[0]}"
    return "" if (ROOT / first).is_file() else f"there is no {first}"


JUDGES: Final[dict[str, Callable[[Sequence[str]], str]]] = {
    "make": wrong_make,
    "ros2": wrong_ros2,
    "pip": wrong_pip,
    "python": wrong_python,
    "python3": wrong_python,
    "pytest": wrong_python,
}
