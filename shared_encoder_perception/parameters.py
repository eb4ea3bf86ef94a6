"""The node's parameters: one table for declaration, ``config/perception.yaml`` and the README.

``python -m shared_encoder_perception.parameters yaml`` (or ``markdown``) prints the derived forms;
a test holds them equal. Nothing here needs ROS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from shared_encoder_perception.backends import AUTO, BACKENDS, PRECISIONS
from shared_encoder_perception.decode import DecodeOptions
from shared_encoder_perception.preprocess import Crop
from shared_encoder_perception.spec import ModelSpec

MODEL_OWN: Final = -1.0
"""Threshold value that stands for what the model was shipped with."""

RAW, COMPRESSED = "raw", "compressed"
"""Values of ``input.transport``."""

NO_CROP: Final = (0, 0, 0, 0)
"""Value of ``input.crop`` that leaves the choice to ``preprocess.default_crop``."""

CHANGES_LATER, FIXED = "yes", "no"


@dataclass(frozen=True)
class Parameter:
    """One node parameter. Its ROS type is that of ``default``.

    Attributes:
        name: Dotted name.
        default: Value unless the user sets one.
        description: One sentence for people.
        bounds: Lowest and highest number allowed.
        special: A number outside ``bounds`` that is allowed too, with its meaning.
        choices: Texts allowed; empty allows any.
        read_only: Whether it is fixed once the node runs.
    """

    name: str
    default: bool | int | float | str | tuple[int, ...]
    description: str
    bounds: tuple[float, float] | None = None
    special: tuple[float, str] | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = True

    @property
    def expected(self) -> str:
        """What values are allowed, in words; empty when any value of the type is."""
        if self.choices:
            return ", ".join(self.choices)
        if self.name == "input.crop":
            return "[x, y, width, height] in pixels, width and height >= 2, or [0, 0, 0, 0]"
        if self.bounds is None:
            return ""
        words = f"{self.bounds[0]:g} to {self.bounds[1]:g}"
        return words + (f", or {self.special[0]:g} = {self.special[1]}" if self.special else "")

    def allows(self, value: Any) -> bool:
        """Whether ``value``, of the right type, may be set."""
        if self.choices:
            return value in self.choices
        if self.name == "input.crop":
            return _is_crop(value)
        if self.bounds is None or (self.special and value == self.special[0]):
            return True
        return bool(self.bounds[0] <= value <= self.bounds[1])

    def problem(self, value: Any) -> str:
        """Say why ``value`` is refused; empty when it is allowed."""
        if self.allows(value):
            return ""
        shown = list(value) if isinstance(self.default, tuple) else value
        return f"{self.name} is {shown!r}, expected {self.expected}"


def _is_crop(value: Sequence[int]) -> bool:
    """Whether ``value`` can be a crop of some image, or stands for none."""
    if tuple(value) == NO_CROP:
        return True
    return len(value) == 4 and min(value) >= 0 and min(value[2:]) >= 2


def _threshold(name: str, description: str) -> Parameter:
    """Build the parameter of one threshold."""
    special = (MODEL_OWN, "the model's own")
    return Parameter(name, MODEL_OWN, description, (0.0, 1.0), special, read_only=False)


PARAMETERS: Final = (
    Parameter("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    Parameter(
        "model.path",
        "",
        "Path or URL (s3://, gs://, https://) of the .onnx model; empty = the one shipped inside "
        "the package.",
    ),
    Parameter(
        "model.sha256", "", "Sha256 that the model file must have; empty = any. Pin what you ship."
    ),
    Parameter(
        "backend.name",
        AUTO,
        "Engine that runs the model; auto takes the best that is here, and says which and why.",
        choices=(AUTO, *BACKENDS),
    ),
    Parameter(
        "backend.device",
        AUTO,
        "Device it runs on: auto, cpu, cuda, cuda:1, or tensorrt (ONNX Runtime's provider).",
    ),
    Parameter(
        "backend.precision",
        AUTO,
        "Arithmetic; auto = the model's own, bf16 with OpenVINO on a CPU with AMX. int8 needs a "
        "quantised model.",
        choices=PRECISIONS,
    ),
    Parameter(
        "backend.threads",
        0,
        "Threads of one inference.",
        bounds=(1, 256),
        special=(0, "as many as the process may use"),
    ),
    Parameter(
        "backend.compile", False, "Backend torch: compile the network, with CUDA graphs on a GPU."
    ),
    Parameter(
        "backend.cache",
        "",
        "Folder of engines that are built once; empty = ~/.cache/shared_encoder_perception.",
    ),
    Parameter(
        "backend.build_only", False, "Build the engine into the cache at start, then end the node."
    ),
    Parameter(
        "backend.allow_fallback",
        False,
        "Run on another engine, device or precision if this one cannot; warned of in diagnostics.",
    ),
    Parameter(
        "input.transport",
        RAW,
        "Subscribe to `image` (sensor_msgs/Image) or to `image/compressed` (CompressedImage).",
        choices=(RAW, COMPRESSED),
    ),
    Parameter(
        "input.crop",
        NO_CROP,
        "Part of the image that the network sees; all zero = the largest of the model's aspect "
        "ratio, centred in x, flush with the bottom.",
    ),
    _threshold("lanes.keypoint_threshold", "Lowest heat-map value of a lane keypoint."),
    _threshold(
        "lanes.confidence_threshold",
        "Lowest confidence of a detected lane, one value for all five lanes.",
    ),
    _threshold("mask.threshold", "Lowest probability of a drivable pixel."),
)
"""Every parameter of the node, in the order in which they are shown."""

BY_NAME: Final = {parameter.name: parameter for parameter in PARAMETERS}


def decode_options(
    spec: ModelSpec, keypoint: float, confidence: float, mask: float
) -> DecodeOptions:
    """Combine the threshold parameters with the model's own thresholds."""
    own = DecodeOptions.from_spec(spec)
    lanes = own.lane_thresholds
    return DecodeOptions(
        own.keypoint_threshold if keypoint == MODEL_OWN else keypoint,
        lanes if confidence == MODEL_OWN else (confidence,) * len(lanes),
        own.mask_threshold if mask == MODEL_OWN else mask,
    )


def crop_of(value: Sequence[int]) -> Crop | None:
    """Translate the value of ``input.crop``."""
    return None if tuple(value) == NO_CROP else Crop(*value)


def to_yaml() -> str:
    """Return the text of ``config/perception.yaml``: every parameter with its default."""
    lines = [
        "# Parameters of the perception node with their defaults. Written by",
        "#   python -m shared_encoder_perception.parameters yaml > config/perception.yaml",
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


def _literal(value: bool | int | float | str | tuple[int, ...]) -> str:
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
