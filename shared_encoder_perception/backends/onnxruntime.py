# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: the embedded default on a CPU; CUDA and its TensorRT provider where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import FP16, FP32, INT8, Artifact, parse
from shared_encoder_perception.artifact.halves import unpack
from shared_encoder_perception.artifact.tensors import check_inputs
from shared_encoder_perception.backends import (
    AUTO,
    BackendError,
    BackendInfo,
    BackendOptions,
    UnfitError,
)
from shared_encoder_perception.backends.engine_cache import EngineCache
from shared_encoder_perception.backends.hardware import cores, gpus
from shared_encoder_perception.backends.onnxruntime_graph import convolve_apart
from shared_encoder_perception.files.own_files import scratch_folder

PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Device -> provider."""
QUANTISED: Final = ("QLinearConv", "ConvInteger")
"""What convolutions of an int8 model become where the engine has kernels for them."""


class OnnxRuntimeBackend:
    """Runs an exported artifact with one of ONNX Runtime's providers."""

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        """Start a session on the device that was asked for, and make sure that it runs there.

        Raises:
            BackendError: The provider is not there, or cannot run the model as asked.
        """
        device = _device(options)
        precision = _precision(artifact, options, device)
        session_options = _session_options(options)
        with scratch_folder() as folder:
            optimised = Path(folder) / "optimised.onnx"
            if precision == INT8 and device == "cpu":
                session_options.optimized_model_filepath = str(optimised)
            content = _content(artifact, device, precision)
            self._session = _session(
                content, artifact.source, session_options, _providers(device, options)
            )
            used = self._session.get_providers()
            if PROVIDERS[device.partition(":")[0]] not in used:
                raise BackendError(
                    f"ONNX Runtime could not start its provider for {device} and took {used[0]}: "
                    "its libraries (CUDA, cuDNN, TensorRT) do not fit this build; see its log"
                )
            if optimised.exists() and not _has_quantised_convolutions(optimised):
                raise UnfitError(
                    f"{artifact.source} is quantised, but ONNX Runtime {ort.__version__} runs its "
                    "convolutions in fp32: use precision auto with an fp32 model, or OpenVINO"
                )
        self.spec = artifact.spec
        self.info = BackendInfo(
            name="onnxruntime",
            version=ort.__version__,
            device=device,
            precision=precision,
            threads=self._session.get_session_options().intra_op_num_threads,
            source=artifact.source,
            sha256=artifact.sha256,
        )
        self._inputs, self._of_rigs = self.spec.input_tensors(), self.spec.of_rigs()
        self._outputs = list(self.spec.output_tensors())

    def infer(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Run images and what belongs to them; see ``Backend.infer``."""
        check_inputs(inputs, self._inputs, self._of_rigs)
        arrays = self._session.run(self._outputs, dict(inputs))
        return dict(zip(self._outputs, arrays, strict=True))

    def close(self) -> None:
        """Release the session and its threads."""
        del self._session


def _device(options: BackendOptions) -> str:
    """Return the device to run on.

    Raises:
        BackendError: This build of ONNX Runtime, or this machine, does not have it.
    """
    there = ort.get_available_providers()
    if options.device == AUTO:
        return "cuda" if gpus() and PROVIDERS["cuda"] in there else "cpu"
    kind = options.device.partition(":")[0]
    if PROVIDERS[kind] not in there:
        raise BackendError(
            f"this build of ONNX Runtime has no provider for {options.device!r} (it has "
            f"{', '.join(there)}): pip install onnxruntime-gpu instead of onnxruntime"
        )
    if kind != "cpu" and not gpus():
        raise BackendError(
            f"device {options.device!r} needs an NVIDIA GPU and its driver, and none is visible"
        )
    return options.device


def _precision(artifact: Artifact, options: BackendOptions, device: str) -> str:
    """Return the arithmetic that a session runs a model in: the model's own.

    TensorRT's provider can also run an fp32 model in fp16.

    Raises:
        BackendError: Another one was asked for.
    """
    own = artifact.precision
    asked = own if options.precision == AUTO else options.precision
    if asked == own or (device == "tensorrt" and (own, asked) == (FP32, FP16)):
        return asked
    remedy = "quantise it first: python -m shared_encoder_perception quantize"
    if asked != INT8:
        remedy = f"use the backend openvino or tensorrt for {asked}, or leave precision to auto"
    raise UnfitError(
        f"ONNX Runtime on {device} runs a model as it is written, {artifact.source} in {own}, "
        f"not in {asked}: {remedy}"
    )


def _providers(device: str, options: BackendOptions) -> list[tuple[str, dict[str, Any]]]:
    """Return the providers to start, with what they have to know; the last one takes the rest."""
    kind, _, index = device.partition(":")
    gpu = {"device_id": index or "0"}
    if kind == "cpu":
        return [(PROVIDERS["cpu"], {})]
    # TF32 has the range of fp32 but not its precision, and would be on by default.
    chosen = [(PROVIDERS["cuda"], {**gpu, "use_tf32": "0"}), (PROVIDERS["cpu"], {})]
    if kind == "tensorrt":
        folder = EngineCache(options.cache).folder_for_others()
        cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder)}
        half = {"trt_fp16_enable": "1" if options.precision == FP16 else "0"}
        chosen.insert(0, (PROVIDERS["tensorrt"], {**gpu, **cache, **half}))
    return chosen


def _content(artifact: Artifact, device: str, precision: str) -> bytes:
    """Return the model as this provider runs it fastest."""
    if device != "cpu" or precision != FP32:
        return artifact.content
    model = parse(artifact.content, artifact.source)
    unpack(model)
    return model.SerializeToString() if convolve_apart(model) else artifact.content


def _session(
    content: bytes, source: str, session_options: ort.SessionOptions, providers: list[Any]
) -> ort.InferenceSession:
    """Start a session.

    Raises:
        BackendError: ONNX Runtime refuses the model.
    """
    try:
        return ort.InferenceSession(content, session_options, providers=providers)
    except Exception as error:  # ONNX Runtime raises its own unrelated types
        reason = str(error).splitlines()[0]
        raise BackendError(
            f"{source} is not a model that ONNX Runtime can load: {reason}"
        ) from None


def _session_options(options: BackendOptions) -> ort.SessionOptions:
    """Translate our options; inference threads never spin while the node waits for an image."""
    session_options = ort.SessionOptions()
    session_options.log_severity_level = 3
    session_options.intra_op_num_threads = options.threads or cores()
    session_options.inter_op_num_threads = 1
    session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return session_options


def _has_quantised_convolutions(path: Path) -> bool:
    """Whether the graph that the engine made of a model multiplies integers."""
    graph = onnx.load(os.fspath(path)).graph
    return any(node.op_type in QUANTISED for node in graph.node)
