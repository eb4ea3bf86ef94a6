"""ONNX Runtime on the CPU: the embedded default."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from shared_encoder_perception.backends import (
    BackendError,
    BackendInfo,
    BackendOptions,
    read_model_file,
)
from shared_encoder_perception.spec import INPUT_IMAGE, METADATA_KEY, ModelSpec, SpecError

_ORT_TYPES = {"lanes": "tensor(float)", "mask": "tensor(uint8)"}


class OnnxRuntimeBackend:
    """Runs an exported artifact with ONNX Runtime's CPU provider in fp32."""

    def __init__(self, model: Path, options: BackendOptions) -> None:
        """Load ``model`` and check that the graph keeps its spec's promise.

        Raises:
            BackendError: Unreadable file, not an ONNX model, wrong device.
            SpecError: No spec, or a graph that does not fit it.
        """
        if options.device != "cpu":
            raise BackendError(
                f"backend 'onnxruntime' runs on device 'cpu' only, not {options.device!r}"
            )
        content, sha256 = read_model_file(model)
        try:
            self._session = ort.InferenceSession(
                content, _session_options(options), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises its own unrelated types
            first_line = str(error).splitlines()[0]
            raise BackendError(
                f"{model} is not a model that ONNX Runtime can load: {first_line}"
            ) from None
        self.spec = _read_spec(self._session, model)
        _check_graph(self._session, self.spec, model)
        self.info = BackendInfo(
            name="onnxruntime",
            version=ort.__version__,
            device=self._session.get_providers()[0].removesuffix("ExecutionProvider").lower(),
            precision="fp32",
            source=str(model),
            sha256=sha256,
        )
        self._outputs = list(self.spec.output_shapes())

    def infer(self, images: NDArray[np.uint8]) -> dict[str, NDArray]:
        """Run (N, H, W, 3) uint8 BGR images; see ``Backend.infer``."""
        arrays = self._session.run(self._outputs, {INPUT_IMAGE: images})
        return dict(zip(self._outputs, arrays, strict=True))

    def close(self) -> None:
        """Release the session and its threads."""
        del self._session


def _session_options(options: BackendOptions) -> ort.SessionOptions:
    """Translate our options; inference threads never spin while the node waits for an image."""
    session_options = ort.SessionOptions()
    session_options.log_severity_level = 3
    session_options.intra_op_num_threads = options.threads or len(os.sched_getaffinity(0))
    session_options.inter_op_num_threads = 1
    session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return session_options


def _read_spec(session: ort.InferenceSession, model: Path) -> ModelSpec:
    """Return the spec in the model's metadata."""
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise SpecError(
            f"{model} carries no model spec (metadata key {METADATA_KEY!r}): "
            "export it with `python -m shared_encoder_perception export`"
        )
    try:
        return ModelSpec.from_json(metadata[METADATA_KEY])
    except SpecError as error:
        raise SpecError(f"{model}: {error}") from None


def _check_graph(session: ort.InferenceSession, spec: ModelSpec, model: Path) -> None:
    """Compare the graph's input and outputs with the spec."""
    inputs = {item.name: item for item in session.get_inputs()}
    expected = [*spec.input_size, 3]
    if (
        list(inputs) != [INPUT_IMAGE]
        or inputs[INPUT_IMAGE].type != "tensor(uint8)"
        or inputs[INPUT_IMAGE].shape[1:] != expected
    ):
        found = [(item.name, item.type, item.shape) for item in inputs.values()]
        raise SpecError(
            f"{model}: inputs are {found}, the spec promises one uint8 {INPUT_IMAGE!r} of "
            f"(N, {', '.join(map(str, expected))})"
        )
    outputs = {item.name: item for item in session.get_outputs()}
    for name, shape in spec.output_shapes().items():
        item = outputs.get(name)
        if item is None or item.type != _ORT_TYPES[name] or item.shape[1:] != list(shape[1:]):
            actual = None if item is None else (item.type, item.shape)
            raise SpecError(
                f"{model}: output {name!r} is {actual}, the spec promises "
                f"{_ORT_TYPES[name]} of {('N', *shape[1:])}"
            )
