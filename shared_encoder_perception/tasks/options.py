# SPDX-License-Identifier: Apache-2.0
"""What each task's decoder is told: the model's own, and what commands change of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.spec import ModelSpec

UNSEEN: Final = "mask.unseen_value"
"""Parameter of tasks whose masks can tell what was not seen; others lack it."""
FOCAL: Final = "depth.source_focal_px"
"""Parameter of tasks whose answers need the camera's focal length; others lack it."""

Options = Mapping[str, Any]
"""What each task's decoder is told, by the name of the task: ``Options`` of its room."""


def own_options(spec: ModelSpec) -> dict[str, Any]:
    """Return the thresholds that a model was shipped with, for each of its tasks."""
    return {
        name: tasks.part(name, "decode").Options.of(block) for name, block in spec.tasks.items()
    }


def add_answer_options(parser: ArgumentParser) -> None:
    """Declare what a command can be told of answers."""
    parser.add_argument(
        "--unseen-value",
        type=int,
        metavar="V",
        help="value of mask pixels outside of the crop (127); 0 is as not drivable",
    )
    parser.add_argument(
        "--focal-px",
        type=float,
        metavar="F",
        help="focal length of the camera in pixels of the pictures: depth is in metres then",
    )


def asked_options(spec: ModelSpec, args: Namespace, focal_px: float | None = None) -> Options:
    """Return the model's own options but for what the command was told.

    Args:
        spec: Of the model.
        args: With the options of ``add_answer_options``.
        focal_px: What the source says of an image, unless the command was told otherwise.

    Raises:
        ValueError: It was told what the model cannot do.
    """
    options = with_unseen(spec, own_options(spec), args.unseen_value)
    if args.focal_px is None and focal_px is not None:
        return with_value(spec, options, FOCAL, focal_px)[0]
    return with_focal(spec, options, args.focal_px)


def with_value(spec: ModelSpec, given: Options, name: str, value: Any) -> tuple[Options, bool]:
    """Return options with another value of a task's parameter, and whether any task has it.

    Raises:
        ValueError: The parameter cannot have that value.
    """
    told, found = dict(given), False
    for task, content in tasks.parts("content", told).items():
        values = {parameter.name: parameter.default for parameter in content.PARAMETERS}
        if name not in values:
            continue
        found = True
        for parameter in content.PARAMETERS:
            if parameter.name == name and (problem := parameter.problem(value)):
                raise ValueError(problem)
        told[task] = content.options({**values, name: value}.__getitem__, spec.tasks[task])
    return told, found


def with_unseen(spec: ModelSpec, given: Options, value: int | None) -> Options:
    """Return options with another value for pixels that were not seen.

    Raises:
        ValueError: No mask can have that value, or the model has no mask.
    """
    if value is None:
        return given
    told, found = with_value(spec, given, UNSEEN, value)
    if not found:
        raise ValueError(
            f"--unseen-value is {value}, but the model has no mask: it answers {', '.join(told)}"
        )
    return told


def with_focal(spec: ModelSpec, given: Options, focal_px: float | None) -> Options:
    """Return options of a camera whose focal length is known, pixels of the source image.

    Raises:
        ValueError: It is none, or nothing that the model answers depends on it.
    """
    if focal_px is None:
        return given
    if not 0 < focal_px < float("inf"):
        raise ValueError(f"--focal-px is {focal_px:g}, expected more than 0 pixels")
    told, found = with_value(spec, given, FOCAL, float(focal_px))
    if not found:
        raise ValueError(
            f"--focal-px is {focal_px:g}, but the model has no depth: it answers {', '.join(told)}"
        )
    return told
