# SPDX-License-Identifier: Apache-2.0
"""Which shipped model answers for a single camera."""

from __future__ import annotations

from pathlib import Path

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.remote import FOLDER
from shared_encoder_perception.backends import DEFAULT_MODEL


def camera_model(folder: Path = FOLDER) -> Path:
    """Return the shipped model that answers most questions of single images; the default if equal.

    One that asks for a rig, or for pictures to compare images with, cannot be.

    Args:
        folder: Where the models are.

    Raises:
        ValueError: There is none.
    """
    answered = {}
    for path in sorted(folder.glob("*.onnx")):
        spec = read_artifact(path).spec
        if not spec.of_rigs() and not spec.companions():
            answered[path] = len(spec.tasks)
    if not answered:
        raise ValueError(f"there is no model for single images in {folder}")
    return max(answered, key=lambda path: (answered[path], path.name == DEFAULT_MODEL.name))
