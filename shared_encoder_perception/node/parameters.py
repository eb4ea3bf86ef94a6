# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: one table for declaration, ``config/perception.yaml`` and the docs.

``python -m shared_encoder_perception.node.parameters yaml`` (or ``markdown``) prints the derived
forms; a test holds them equal. Nothing here needs ROS.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.node.parameter_groups import (
    backend,
    background,
    debug,
    diagnostics,
    ground,
    images,
    model,
    painting,
)
from shared_encoder_perception.tasks.parameter import Parameter, Value

CHANGES_LATER, FIXED = "yes", "no"

_BEFORE: Final = (
    Parameter("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    *model.PARAMETERS,
    *backend.PARAMETERS,
    *images.PARAMETERS,
    *background.PARAMETERS,
)
_AFTER: Final = (
    *painting.PARAMETERS,
    *ground.PARAMETERS,
    *debug.PARAMETERS,
    *diagnostics.PARAMETERS,
)


def all_parameters() -> dict[str, Parameter]:
    """Return every parameter of the node by its name, in the order in which they are shown.

    Those of all tasks of the table are there, because they are declared before it is known which
    of them the model answers. A task's parameters join those of their group, if there is one.
    """
    own = [
        parameter for content in tasks.parts("content").values() for parameter in content.PARAMETERS
    ]
    general = {_group(parameter) for parameter in (*_BEFORE, *_AFTER)}
    between = [parameter for parameter in own if _group(parameter) not in general]
    joining = [parameter for parameter in own if _group(parameter) in general]
    rows = [*_BEFORE, *between, *_AFTER, *joining]
    groups = list(dict.fromkeys(map(_group, rows)))
    rows.sort(key=lambda parameter: groups.index(_group(parameter)))
    found = {parameter.name: parameter for parameter in rows}
    assert len(found) == len(rows), "two parameters of one name"
    return found


def task_parameters() -> list[str]:
    """Return the names of the parameters that belong to a task."""
    contents = tasks.parts("content").values()
    return [parameter.name for content in contents for parameter in content.PARAMETERS]


def _group(parameter: Parameter) -> str:
    """Return what stands before the last dot of a name."""
    return parameter.name.rpartition(".")[0]


def to_yaml(
    table: Mapping[str, Parameter] | None = None,
    node: str = "perception node",
    written_by: str = "node.parameters yaml > config/perception.yaml",
) -> str:
    """Return the text of ``config/perception.yaml``: every parameter with its default.

    Args:
        table: The parameters by their names, one block a group; by default ``all_parameters``.
        node: Whose they are, for people.
        written_by: What of this package writes the file.
    """
    lines = [
        f"# Parameters of the {node} with their defaults. Written by",
        f"#   python -m shared_encoder_perception.{written_by}",
        "/**:",
        "  ros__parameters:",
    ]
    group = ""
    for parameter in (table or all_parameters()).values():
        head, _, tail = parameter.name.rpartition(".")
        if head != group:
            lines.append(f"    {head}:")
            group = head
        indent = "      " if head else "    "
        comments = [parameter.description]
        if parameter.expected:
            comments.append(f"Allowed: {parameter.expected}.")
        for comment in comments:
            lines += wrap(
                comment, 99, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
        lines.append(f"{indent}{tail}: {_literal(parameter.default)}")
    return "\n".join(lines) + "\n"


def to_markdown(table: Mapping[str, Parameter] | None = None) -> str:
    """Return the table of the docs, by default of ``all_parameters``."""
    lines = [
        "| parameter | default | allowed | changes while running | meaning |",
        "|---|---|---|---|---|",
    ]
    for parameter in (table or all_parameters()).values():
        changes = FIXED if parameter.read_only else CHANGES_LATER
        lines.append(
            f"| `{parameter.name}` | `{_literal(parameter.default)}` | {parameter.expected} "
            f"| {changes} | {parameter.description} |"
        )
    return "\n".join(lines) + "\n"


def _literal(value: Value) -> str:
    """Write a value as YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(list(value)) if isinstance(value, tuple) else str(value)


def main(arguments: Sequence[str]) -> int:
    """Print the table in the form that ``arguments`` name."""
    forms = {"yaml": to_yaml, "markdown": to_markdown}
    if len(arguments) != 1 or arguments[0] not in forms:
        print(f"usage: python -m {__spec__.name} {'|'.join(forms)}", file=sys.stderr)
        return 2
    print(forms[arguments[0]](), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
