# SPDX-License-Identifier: Apache-2.0
"""The models that come with the package, by what they answer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.remote import FOLDER
from shared_encoder_perception.backends import DEFAULT_MODEL


def model_for(names: Collection[str], model: Path | None = None, folder: Path = FOLDER) -> Path:
    """Return a model that answers some tasks: the one given, else one that is shipped.

    Of several the default one is taken, else the one that answers the least beside them.

    Args:
        names: Of the tasks.
        model: The only one that may be; ``None`` for those that are shipped.
        folder: Where these are.

    Raises:
        UnknownTaskError: There is no such task.
        ValueError: None answers them all; the message says what each does answer.
    """
    wanted = tasks.check(names, "--tasks")
    paths = sorted(folder.glob("*.onnx")) if model is None else [model]
    answered = {path: tuple(read_artifact(path).spec.tasks) for path in paths}
    fit = [path for path in paths if set(wanted) <= set(answered[path])]
    if model is None and not any(map(tasks.is_rig, wanted)):
        # Where single images are shown, one that asks for a rig cannot be.
        fit = [path for path in fit if not any(map(tasks.is_rig, answered[path]))]
    if fit:
        return min(fit, key=lambda path: (path.name != DEFAULT_MODEL.name, len(answered[path])))
    there = "; ".join(f"{path.name} answers {', '.join(of)}" for path, of in answered.items())
    which = "no shipped model answers" if model is None else "the model does not answer"
    raise ValueError(
        f"--tasks: {which} {', '.join(wanted)}: {there or f'there is none in {folder}'}; train one "
        "that does, and give it as --model"
    )
