"""Parameters ``model.*``: which weights."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter

PARAMETERS: Final = (
    Parameter(
        "model.path",
        "",
        "Path or URL (s3://, gs://, https://) of the .onnx model; empty = the one shipped inside "
        "the package. A change holds from ~/reload_model or the next configuration on.",
        read_only=False,
    ),
    Parameter(
        "model.sha256",
        "",
        "Sha256 that the model file must have; empty = any. Pin what you ship. Changes "
        "as the path.",
        read_only=False,
    ),
)
