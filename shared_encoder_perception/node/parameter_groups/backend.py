# SPDX-License-Identifier: Apache-2.0
"""Parameters ``backend.*``: what runs them, and how."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.backends import AUTO, BACKENDS, PRECISIONS
from shared_encoder_perception.tasks.parameter import Parameter

PARAMETERS: Final = (
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
)
