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
HEIGHT: Final = "depth.source_height_m"
"""Parameter of tasks whose answers gain by the camera's height above the road; others lack it."""

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
    add_height_option(parser)


def add_height_option(parser: ArgumentParser) -> None:
    """Declare how a command is told how high the camera is."""
    parser.add_argument(
        "--camera-height-m",
        type=float,
        metavar="H",
        help="height of the camera above the road: depth in metres is scaled by it",
    )


def asked_options(
    spec: ModelSpec,
    args: Namespace,
    focal_px: float | None = None,
    height_m: float | None = None,
) -> Options:
    """Return the model's own options but for what the command was told.

    Args:
        spec: Of the model.
        args: With the options of ``add_answer_options``.
        focal_px: What the source says of an image, unless the command was told otherwise.
        height_m: Likewise, of the camera above the road.

    Raises:
        ValueError: It was told what the model cannot do.
    """
    options = with_unseen(spec, own_options(spec), args.unseen_value)
    options = with_camera(spec, options, args.focal_px, args.camera_height_m)
    said = {FOCAL: args.focal_px or focal_px, HEIGHT: args.camera_height_m or height_m}
    known = {name: value for name, value in said.items() if value is not None}
    return with_values(spec, options, known)[0]


def with_values(
    spec: ModelSpec, given: Options, asked: Mapping[str, Any]
) -> tuple[Options, set[str]]:
    """Return options with other values of tasks' parameters, and which of these any task has.

    What else was changed of a task that has one of them is as it was at first again.

    Raises:
        ValueError: The parameter cannot have that value.
    """
    told, found = dict(given), set[str]()
    for task, content in tasks.parts("content", told).items():
        values = {parameter.name: parameter.default for parameter in content.PARAMETERS}
        own = {name: value for name, value in asked.items() if name in values}
        if not own:
            continue
        found |= own.keys()
        for parameter in content.PARAMETERS:
            if parameter.name in own and (problem := parameter.problem(own[parameter.name])):
                raise ValueError(problem)
        told[task] = content.options({**values, **own}.__getitem__, spec.tasks[task])
    return told, found


def with_unseen(spec: ModelSpec, given: Options, value: int | None) -> Options:
    """Return options with another value for pixels that were not seen.

    Raises:
        ValueError: No mask can have that value, or the model has no mask.
    """
    if value is None:
        return given
    told, found = with_values(spec, given, {UNSEEN: value})
    if not found:
        raise ValueError(
            f"--unseen-value is {value}, but the model has no mask: it answers {', '.join(told)}"
        )
    return told


def with_camera(
    spec: ModelSpec, given: Options, focal_px: float | None, height_m: float | None = None
) -> Options:
    """Return options of a camera of which something is known.

    Args:
        spec: Of the model.
        given: What is known of no camera.
        focal_px: Its focal length, pixels of the source image.
        height_m: Its height above the road.

    Raises:
        ValueError: It is none, or nothing that the model answers depends on it.
    """
    asked = {
        name: (option, float(value), unit)
        for option, name, value, unit in (
            ("--focal-px", FOCAL, focal_px, "pixels"),
            ("--camera-height-m", HEIGHT, height_m, "metres"),
        )
        if value is not None
    }
    for option, value, unit in asked.values():
        if not 0 < value < float("inf"):
            raise ValueError(f"{option} is {value:g}, expected more than 0 {unit}")
    told, found = with_values(spec, given, {name: one[1] for name, one in asked.items()})
    for name, (option, value, _) in asked.items():
        if name not in found:
            raise ValueError(
                f"{option} is {value:g}, but the model has no depth: it answers {', '.join(told)}"
            )
    return told
