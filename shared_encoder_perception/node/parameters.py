"""The node's parameters: one table for declaration, ``config/perception.yaml`` and the README.

``python -m shared_encoder_perception.node.parameters yaml`` (or ``markdown``) prints the derived
forms; a test holds them equal. Nothing here needs ROS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from shared_encoder_perception.compat import options_of
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.node.parameter_groups import (
    backend,
    debug,
    diagnostics,
    ground,
    images,
    model,
    thresholds,
    tracking,
)
from shared_encoder_perception.node.parameter_groups.images import NO_CROP
from shared_encoder_perception.node.parameter_groups.thresholds import MODEL_OWN
from shared_encoder_perception.predictor import Options, own_options
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.parameter import Parameter, Value

CHANGES_LATER, FIXED = "yes", "no"

PARAMETERS: Final = (
    Parameter("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    *model.PARAMETERS,
    *backend.PARAMETERS,
    *images.PARAMETERS,
    *thresholds.PARAMETERS,
    *ground.PARAMETERS,
    *tracking.PARAMETERS,
    *debug.PARAMETERS,
    *diagnostics.PARAMETERS,
)
"""Every parameter of the node, in the order in which they are shown."""

BY_NAME: Final = {parameter.name: parameter for parameter in PARAMETERS}


def decode_options(spec: ModelSpec, keypoint: float, confidence: float, mask: float) -> Options:
    """Combine the threshold parameters with the model's own thresholds."""
    own = own_options(spec)
    lanes = own["lanes"].lane_thresholds
    return options_of(
        own["lanes"].keypoint_threshold if keypoint == MODEL_OWN else keypoint,
        lanes if confidence == MODEL_OWN else (confidence,) * len(lanes),
        own["drivable_surface"].mask_threshold if mask == MODEL_OWN else mask,
    )


def crop_of(value: Sequence[int]) -> Crop | None:
    """Translate the value of ``input.crop``."""
    return None if tuple(value) == NO_CROP else Crop(*value)


def to_yaml() -> str:
    """Return the text of ``config/perception.yaml``: every parameter with its default."""
    lines = [
        "# Parameters of the perception node with their defaults. Written by",
        "#   python -m shared_encoder_perception.node.parameters yaml > config/perception.yaml",
        "/**:",
        "  ros__parameters:",
    ]
    group = ""
    for parameter in PARAMETERS:
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


def to_markdown() -> str:
    """Return the README's table."""
    lines = [
        "| parameter | default | allowed | changes while running | meaning |",
        "|---|---|---|---|---|",
    ]
    for parameter in PARAMETERS:
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
