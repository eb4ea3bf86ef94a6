# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU: bf16 where the CPU has AMX, fp32 elsewhere, int8 for quantised models."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import openvino as ov
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import BF16, FP16, FP32, INT8, Artifact
from shared_encoder_perception.artifact.tensors import batched, check_inputs, key_words
from shared_encoder_perception.backends import (
    AUTO,
    BackendError,
    BackendInfo,
    BackendOptions,
    UnfitError,
)
from shared_encoder_perception.backends.engine_cache import EngineCache
from shared_encoder_perception.backends.hardware import cores, cpu_name, has_amx

DEVICE: Final = "CPU"
HINTS: Final = {FP32: "f32", BF16: "bf16", FP16: "f16"}
"""Precision -> OpenVINO's name of it."""
INTEGERS: Final = ("i8", "u8")
NAMES: Final = {hint: precision for precision, hint in HINTS.items()} | dict.fromkeys(
    INTEGERS, INT8
)


@cache
def the_core() -> ov.Core:
    """Return the process's only core, which is never given up.

    Each new one gives its thread another stack for signals (AMX makes their frames large), and puts
    back what it found when it ends. Of two that end in the order in which they began, the second
    puts back the memory that the first has freed: the next SIGTERM or SIGCHLD kills the process.
    """
    return ov.Core()


class OpenVinoBackend:
    """Runs an exported artifact with OpenVINO's CPU plugin, compiled for each batch size."""

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        """Compile the model, or load what was compiled before.

        Raises:
            BackendError: OpenVINO refuses the model, or would run it otherwise than asked.
        """
        if options.device not in (AUTO, "cpu"):
            raise BackendError(
                f"the backend openvino runs on the device cpu here, not {options.device!r}"
            )
        self._artifact, self.spec = artifact, artifact.spec
        self._inputs, self._outputs = self.spec.input_tensors(), self.spec.output_tensors()
        self._of_rigs = self.spec.of_rigs()
        self._core = the_core()
        self._precision = _precision(artifact, options, self._core)
        self._threads = options.threads or cores()
        self._cache = EngineCache(options.cache)
        self._compiled: dict[int, Any] = {}
        self._requests = {1: self._request(1)}
        compiled = self._compiled[1]
        self.info = BackendInfo(
            name="openvino",
            version=ov.__version__.partition("-")[0],
            device="cpu",
            precision=_check_precision(compiled, self._precision, artifact.source),
            threads=int(compiled.get_property("INFERENCE_NUM_THREADS")),
            source=artifact.source,
            sha256=artifact.sha256,
        )

    def infer(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Run images and what belongs to them; see ``Backend.infer``.

        The first call with another N compiles the model for it.
        """
        count = check_inputs(inputs, self._inputs, self._of_rigs)
        request = self._requests.get(count)
        if request is None:
            request = self._requests[count] = self._request(count)
        results = request.infer(dict(inputs), share_inputs=True)
        return {name: results[name].copy() for name in self._outputs}

    def close(self) -> None:
        """Release what was compiled."""
        self._requests.clear()
        self._compiled.clear()

    def _request(self, count: int) -> Any:
        """Compile for ``count`` images: fixed shapes are faster than free ones."""
        key = self._key(count)
        blob = self._cache.load_or_build(key, lambda: self._build(count))
        if count not in self._compiled:
            try:
                self._compiled[count] = self._core.import_model(
                    io.BytesIO(blob), DEVICE, self._config()
                )
            except RuntimeError:  # intact, but of a build that this one does not understand
                self._cache.forget(key)
                self._build(count)
        return self._compiled[count].create_infer_request()

    def _build(self, count: int) -> bytes:
        """Compile the model for ``count`` images; return it as a file.

        Raises:
            BackendError: OpenVINO refuses it.
        """
        try:
            model = self._core.read_model(io.BytesIO(self._artifact.content))
            model.reshape(batched(self._inputs, count, self._of_rigs))
            compiled = self._core.compile_model(model, DEVICE, self._config())
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise BackendError(
                f"{self._artifact.source} is not a model that OpenVINO can load: {reason}"
            ) from None
        self._compiled[count] = compiled
        stream = io.BytesIO()
        compiled.export_model(stream)
        return stream.getvalue()

    def _config(self) -> dict[str, Any]:
        """Return how to run: one image at a time, as soon as possible."""
        hint = HINTS.get(self._precision, HINTS[FP32])
        return {
            "INFERENCE_PRECISION_HINT": hint,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._threads,
        }

    def _key(self, count: int) -> dict[str, str]:
        """Say all that a compiled model depends on."""
        return {
            "engine": "openvino",
            "version": ov.__version__,
            "sha256": self._artifact.sha256,
            "device": f"{DEVICE} {cpu_name()}",
            "precision": self._precision,
            "threads": str(self._threads),
            "inputs": key_words(self._inputs, count, self._of_rigs),
            "outputs": key_words(self._outputs, count, self._of_rigs),
        }


def _precision(artifact: Artifact, options: BackendOptions, core: Any) -> str:
    """Return the arithmetic to run a model in.

    Raises:
        BackendError: The model or the CPU cannot do what was asked for.
    """
    own, asked = artifact.precision, options.precision
    if asked == AUTO:
        return BF16 if own == FP32 and has_amx() else own
    if INT8 in (own, asked) and own != asked:
        remedy = "quantise it first: python -m shared_encoder_perception quantize"
        if own == INT8:
            remedy = "give the model that it was quantised from, or leave precision to auto"
        raise UnfitError(
            f"{artifact.source} is written in {own} and cannot run in {asked}: {remedy}"
        )
    can = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    if asked not in (FP32, INT8) and asked.upper() not in can:
        raise UnfitError(
            f"this CPU ({cpu_name()}) has no {asked} in OpenVINO, which offers {', '.join(can)}: "
            "use precision fp32 or auto"
        )
    return asked


def _check_precision(compiled: Any, asked: str, source: str) -> str:
    """Return the arithmetic in which most convolutions of a compiled model run.

    Raises:
        BackendError: It is another one than was asked for.
    """
    kinds: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) == "Convolution":
            kinds[info["runtimePrecision"].astype(str)] += 1
    most = kinds.most_common(1)[0][0] if kinds else HINTS.get(asked, HINTS[FP32])
    found = NAMES.get(most, most)
    if found != asked:
        raise BackendError(
            f"{source} was to run in {asked}, but OpenVINO runs its convolutions in {found} on "
            f"{cpu_name()}: use precision {found} or auto"
        )
    return found
