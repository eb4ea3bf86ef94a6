# SPDX-License-Identifier: Apache-2.0
"""Parameters that were given for the node and have no effect: misspelt ones must be named."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable

OVERRIDES: Final = "qos_overrides."
"""Begins the names of parameters that ROS declares with a subscription, when that is made."""
OF_ROS: Final = tuple(
    f"{OVERRIDES}{topic}." for topic in ("/clock", "/rosout", "/tf", "/tf_static")
)
"""Those of topics that a node may or may not have."""
FILES: Final = "--params-file"
PARAMETER: Final = ("-p", "--param")
FOR_NODE: Final = re.compile(r"([^:=]+):([^:=]+):=")
SECTION: Final = "ros__parameters"


def unknown_lines(given: Iterable[str], declared: Iterable[str], *, late: bool) -> list[str]:
    """Say which parameters were given but never declared, each with the nearest name.

    Args:
        given: Names that were given for the node, on its command line and in files.
        declared: Names that it has.
        late: Whether to look at those that are declared with a subscription, else at the others.
    """
    known = sorted(declared)
    return [
        f"parameter {printable(name)} was given, but there is none of that name"
        f"{_near(name, known)}: it has no effect"
        for name in sorted(set(given) - set(known))
        if name.startswith(OVERRIDES) == late and not name.startswith(OF_ROS)
    ]


def idle_lines(given: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Say which parameters were given for tasks that the model lacks, other than the default.

    Args:
        given: Values by name.
        names: Of the model's tasks.
    """
    names = tuple(names)
    used = {
        parameter.name
        for content in tasks.parts("content", names).values()
        for parameter in content.PARAMETERS
    }
    lines = []
    for task, content in tasks.parts("content").items():
        for parameter in content.PARAMETERS:
            name, default = parameter.name, parameter.default
            if name not in given or name in used:
                continue
            value = tuple(given[name]) if isinstance(default, tuple) else given[name]
            if value != default:
                lines.append(
                    f"parameter {name} was given, but it is of the task {task}, and this model "
                    f"answers {' and '.join(names)}: it has no effect"
                )
    return lines


def deaf_lines(arguments: Sequence[str], node: str) -> list[str]:
    """Say what of a command line is for other nodes only.

    Args:
        arguments: Of the process: files after ``--params-file``, ``node:name:=value`` after ``-p``.
        node: Its full name, e.g. ``/front/perception``.
    """
    lines = []
    for flag, name in pairwise(arguments):
        other = FOR_NODE.match(name) if flag in PARAMETER else None
        if other and other[1] != node.rpartition("/")[2] and not matches(other[1], node):
            lines.append(
                f"parameter {printable(other[2])} was given for a node {printable(other[1])}, and "
                f"this is {node}: it has no effect"
            )
        if flag != FILES:
            continue
        sections = list(_sections(_read(Path(name))))
        if sections and not any(matches(section, node) for section in sections):
            near = get_close_matches(node, sections, n=1)
            hint = f"; did you mean {node} by {printable(near[0])}?" if near else ""
            shown = ", ".join(printable(section) for section in sections[:5])
            lines.append(
                f"{FILES} {printable(name)} has nothing for {node}, only for {shown}{hint}: it has "
                "no effect"
            )
    return lines


def argument_lines(arguments: Iterable[str], known: Iterable[str]) -> list[str]:
    """Say which arguments of a launch file it has not.

    Args:
        arguments: Given as ``name:=value``.
        known: Names of those it has.
    """
    known = sorted(known)
    given = {argument.partition(":=")[0] for argument in arguments if ":=" in argument}
    return [
        f"launch argument {printable(name)} was given, but there is none of that name"
        f"{_near(name, known, 'see --show-args')}: it has no effect"
        for name in sorted(given - set(known))
    ]


def matches(section: str, node: str) -> bool:
    """Whether a section of a parameter file is for a node: ``*`` is a name, ``**`` any number."""
    parts = [part for part in section.split("/") if part]
    one = {"**": r"(/[^/]+)*", "*": r"/[^/]+"}
    pattern = "".join(one.get(part, "/" + re.escape(part)) for part in parts)
    return re.fullmatch(pattern, node) is not None


def warn_of_unknown(node: Any, *, late: bool = False) -> None:
    """Name in the log of a node what was given for it and never declared.

    Args:
        node: The node, with its parameters declared.
        late: See ``unknown_lines``; before, also the files that are not for it.
    """
    # rclpy has no public way to them: YAML files with their wildcards, and the command line.
    given: Mapping[str, Any] = node._parameter_overrides
    lines = [] if late else deaf_lines(sys.argv, node.get_fully_qualified_name())
    for line in [*lines, *unknown_lines(given, node._parameters, late=late)]:
        node.get_logger().warning(line)


def warn_of_idle(node: Any, names: Iterable[str]) -> None:
    """Name in the log of a node what was given for tasks that its model lacks."""
    given = {name: one.value for name, one in node._parameter_overrides.items()}
    for line in idle_lines(given, names):
        node.get_logger().warning(line)


def _near(name: str, known: Sequence[str], all_in: str = "docs/parameters.md has them all") -> str:
    """Return a hint at the nearest of some names, else where all of them are."""
    near = get_close_matches(name, known, n=1)
    if not near:  # the part before the dot may be wrong, or lack
        last = {one.rpartition(".")[2]: one for one in known}
        found = get_close_matches(re.split(r"[./]", name)[-1], last, n=1, cutoff=0.8)
        near = [last[one] for one in found]
    return f"; did you mean {near[0]}?" if near else f" ({all_in})"


def _read(path: Path) -> Any:
    """Return what a YAML file holds; ``None`` where ROS has to complain of it."""
    try:
        import yaml

        return yaml.safe_load(plain(path).read_text("utf-8"))
    except Exception:  # not there, no YAML: ROS refuses it by itself
        return None


def _sections(tree: Any, above: str = "") -> Iterator[str]:
    """Yield the nodes that a parameter file is for, as patterns of their full names."""
    if not isinstance(tree, Mapping):
        return
    for key, value in tree.items():
        if key == SECTION:
            yield above or "/"
        elif isinstance(value, Mapping):
            yield from _sections(value, f"{above}/{str(key).strip('/')}")
