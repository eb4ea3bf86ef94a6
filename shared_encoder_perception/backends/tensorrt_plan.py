# SPDX-License-Identifier: Apache-2.0
"""What TensorRT is to build and what it has built, decided without TensorRT.

Device, precision, the graph that it parses, the key under which the engine is kept, and what an
engine says about its own arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from shared_encoder_perception.artifact.file import BF16, FP16, FP32, INT8, Artifact, parse
from shared_encoder_perception.artifact.tensors import key_words
from shared_encoder_perception.backends import AUTO, BackendError, BackendOptions, UnfitError
from shared_encoder_perception.backends.half_precision import HALVES, to_half
from shared_encoder_perception.backends.hardware import Gpu, gpus
from shared_encoder_perception.backends.tensorrt_graph import (
    cast_bytes_first,
    check_quantisation,
    fold_integer_weights,
    keep_outputs,
)

FIRST_WITH_BF16: Final = (8, 0)
"""Compute capability (NVIDIA Ampere)."""
TF32: Final = "tf32"
"""What TensorRT calls kernels that round fp32 to ten bits of mantissa."""
WORDS: Final = {
    BF16: r"\b(bf16|bfloat16)\b",
    FP16: r"\b(fp16|half)\b",
    FP32: r"\b(fp32|float)\b",
    INT8: r"\bint8\b",
}
"""Precision -> TensorRT's words for it, in lower case."""
CONVOLUTION: Final = "conv"
"""In the kind of every layer that convolves, in lower case."""
TENSOR_KEYS: Final = ("Datatype", "DataType", "Format/Datatype", "Format")
"""Where a layer's tensor says its type, best first: TensorRT 11, 11, 10, and what else there is."""


def choose_device(options: BackendOptions) -> tuple[int, Gpu]:
    """Return the index of the GPU to run on, and the GPU.

    Raises:
        BackendError: No GPU is meant, or it is not there.
    """
    kind, _, index = options.device.partition(":")
    if kind not in (AUTO, "cuda"):
        raise BackendError(
            f"the backend tensorrt runs on cuda or cuda:N, not on {options.device!r}: use the "
            "device auto or cuda, or the backend onnxruntime or openvino"
        )
    there = gpus()
    if not there:
        raise BackendError(
            "the backend tensorrt needs an NVIDIA GPU and its driver, and none is visible: see "
            "nvidia-smi (in a container: give it the GPU), or use the backend onnxruntime or "
            "openvino"
        )
    number = int(index or 0)
    if number >= len(there):
        raise BackendError(f"there is no device {options.device!r}: {len(there)} GPUs are visible")
    return number, there[number]


def choose_precision(artifact: Artifact, options: BackendOptions, gpu: Gpu) -> str:
    """Return the arithmetic to build the model in.

    Raises:
        BackendError: The model or the GPU cannot do what was asked for.
    """
    own = artifact.precision
    asked = own if options.precision == AUTO else options.precision
    if asked != own and (own != FP32 or asked not in HALVES):
        remedy = "give the fp32 model, or leave precision to auto"
        if asked == INT8:
            remedy = "quantise it first: python -m shared_encoder_perception quantize"
        raise UnfitError(
            f"{artifact.source} is written in {own} and cannot run in {asked}: {remedy}"
        )
    compute = tuple(int(part) for part in gpu.compute.split("."))
    if asked == BF16 and compute < FIRST_WITH_BF16:
        raise UnfitError(
            f"the GPU {gpu.name} (compute capability {gpu.compute}) has no bf16, which came with "
            "8.0: use precision fp16 or fp32"
        )
    return asked


def prepare(artifact: Artifact, precision: str) -> bytes:
    """Return the ONNX file that TensorRT parses: the artifact's graph, as TensorRT can take it.

    TensorRT computes in the types that the graph says (a strongly typed network), so that the
    graph itself is brought to ``precision``.

    Raises:
        BackendError: It cannot be.
    """
    model = parse(artifact.content, artifact.source)
    keep_outputs(model, tuple(artifact.spec.output_tensors()))
    cast_bytes_first(model, artifact.source)
    if precision == INT8:
        fold_integer_weights(model)
        check_quantisation(model, artifact.source)
    elif precision != artifact.precision:
        model = to_half(model, precision, artifact.source)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def engine_key(
    artifact: Artifact, prepared: bytes, gpu: Gpu, precision: str, max_batch: int, version: str
) -> dict[str, str]:
    """Say all that an engine depends on.

    Args:
        artifact: The model.
        prepared: What TensorRT parses: another version of this code may prepare it differently.
        gpu: Where it runs.
        precision: To build in.
        max_batch: Most images of one inference.
        version: Of TensorRT, and how it is set up.
    """
    of_rigs = artifact.spec.of_rigs()
    return {
        "engine": "tensorrt",
        "version": version,
        "sha256": artifact.sha256,
        "graph": hashlib.sha256(prepared).hexdigest(),
        "device": f"{gpu.name}, compute capability {gpu.compute}, CUDA driver {gpu.driver}",
        "precision": precision,
        "inputs": key_words(artifact.spec.input_tensors(), max_batch, of_rigs),
        "outputs": key_words(artifact.spec.output_tensors(), max_batch, of_rigs),
    }


def check_precision(information: str, asked: str, source: str, version: str) -> str:
    """Return the arithmetic of an engine by its own account.

    Args:
        information: What TensorRT's engine inspector says of it, as JSON.
        asked: What it was built for.
        source: What to call the model in messages.
        version: Of TensorRT.

    Raises:
        BackendError: It is another one, or it does not say.
    """
    found = seen_precision(information)
    if not found:
        raise BackendError(
            f"TensorRT {version} does not say in which precision it runs {source}: its engine "
            "inspector's answer is not understood; use TensorRT 10 or 11, or the backend "
            "onnxruntime"
        )
    if found != asked:
        raise BackendError(
            f"{source} was to run in {asked}, but TensorRT {version} runs its convolutions in "
            f"{found}: use another precision, or the backend onnxruntime"
        )
    return found


def seen_precision(information: str) -> str:
    """Return the arithmetic in which most convolutions of an engine run.

    An engine whose layers are fused beyond recognition is judged by all its layers; ``tf32`` where
    a kernel rounds to that; empty where nothing is said.
    """
    try:
        layers = json.loads(information)["Layers"]
    except (ValueError, KeyError, TypeError):
        return ""
    layers = [layer for layer in layers if isinstance(layer, dict)]
    if any(TF32 in str(layer.get("TacticName", "")).lower() for layer in layers):
        return TF32
    convolutions = [layer for layer in layers if CONVOLUTION in _kind(layer)]
    for chosen in (convolutions, layers):
        kinds = Counter(kind for layer in chosen for kind in _input_precision(layer))
        if kinds:
            return kinds.most_common(1)[0][0]
    return ""


def _kind(layer: dict[str, Any]) -> str:
    """Say what a layer does."""
    return f"{layer.get('LayerType', '')} {layer.get('ParameterType', '')}".lower()


def _input_precision(layer: dict[str, Any]) -> Iterator[str]:
    """Yield the type of a layer's first input, its data; nothing when it is no arithmetic type."""
    for tensor in layer.get("Inputs", [])[:1]:
        words = next((tensor[key] for key in TENSOR_KEYS if tensor.get(key)), "")
        for precision, pattern in WORDS.items():
            if re.search(pattern, str(words).lower()):
                yield precision
                return
