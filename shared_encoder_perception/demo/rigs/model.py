# SPDX-License-Identifier: Apache-2.0
"""Which model the demo of a rig runs, and what of its answers is shown."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.remote import FOLDER
from shared_encoder_perception.artifact.shipped import model_for
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.topics import latched


def asks_a_rig(names: Collection[str], spec: ModelSpec | None) -> bool:
    """Whether tasks that are asked for, or a model that is given, are of a rig as a whole."""
    return any(tasks.is_rig(name) for name in [*names, *(spec.tasks if spec else ())])


def rig_model(names: Collection[str], model: Path | None = None, folder: Path = FOLDER) -> Path:
    """Return a model that makes a map of the ground: the one given, else one that is shipped.

    That is one that answers the tasks of rigs; or else the default one, whose answers to the single
    pictures are put on the ground.

    Args:
        names: Of the tasks that are asked for; those of single images must be answered.
        model: The only one that may be; ``None`` for those that are shipped.
        folder: Where these are.

    Raises:
        UnknownTaskError: There is no such task.
        ValueError: None does.
        OSError: It cannot be read.
    """
    wanted = tasks.check(names, "--tasks") if names else ()
    of_images = [name for name in wanted if not tasks.is_rig(name)]
    if model is None:
        answered = [set(read_artifact(path).spec.tasks) for path in folder.glob("*.onnx")]
        if wanted and any(set(wanted) <= each for each in answered):
            return model_for(wanted, folder=folder)
        model = folder / DEFAULT_MODEL.name if not of_images else None
    if of_images:
        model = model_for(of_images, model, folder)
    assert model is not None
    spec = read_artifact(model).spec
    if not spec.of_rigs() and not tasks.parts("on_ground", spec.tasks):
        known = ", ".join([*tasks.RIG_ROOMS, *tasks.parts("on_ground")])
        raise ValueError(
            f"{model.name} answers {', '.join(spec.tasks)}, and none of that says anything of the "
            f"ground: take a model that answers one of {known}"
        )
    return model


def drawn_in_pictures(names: Collection[str], spec: ModelSpec) -> tuple[str, ...]:
    """Return the tasks of single images whose answers are drawn into the cameras' pictures.

    Args:
        names: Of the tasks that are asked for.
        spec: Of the model. Of one that is not asked of rigs, also those that the map is made of.

    Raises:
        ValueError: The node for rigs does not tell enough of one of them.
    """
    of_images = [name for name in names if not tasks.is_rig(name)]
    made_of = () if spec.of_rigs() else tasks.parts("on_ground", spec.tasks)
    if told_once := [one.task for one in latched(of_images)]:
        raise ValueError(
            f"--tasks: {', '.join(told_once)} cannot be drawn into the pictures of a rig's "
            "cameras, as the node for rigs does not tell the names of its classes: leave it out, "
            "or use `predict --rig rig.yaml --input FOLDER --overlay`"
        )
    return tuple(name for name in spec.tasks if name in of_images or name in made_of)
