# SPDX-License-Identifier: Apache-2.0
"""Parameters ``model.*``: which weights."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter

PARAMETERS: Final = (
    Parameter(
        "model.path",
        "",
        "Path or URL (s3://, gs://, https://) of the .onnx model, or shipped:NAME for one inside "
        "the package; empty = shipped:default. A change holds from ~/reload_model or the next "
        "configuration on.",
        read_only=False,
    ),
    Parameter(
        "model.sha256",
        "",
        "Sha256 that the model file must have; empty = any. Pin what you ship. Changes "
        "as the path.",
        read_only=False,
    ),
    Parameter(
        "model.load_timeout_s",
        600.0,
        "Longest time that loading a model may take, the building of its engine included. Then "
        "configuration fails; a reload fails and the old model goes on.",
        bounds=(0.1, 86400.0),
        special=(0.0, "no limit"),
        read_only=False,
    ),
    Parameter(
        "model.try_first",
        True,
        "~/reload_model tries a model in a process of its own, of lowest priority, before the node "
        "loads it: one that never ends, or takes its process down, costs nothing but a message. "
        "false where memory or the GPU do not bear one process more.",
        read_only=False,
    ),
)
