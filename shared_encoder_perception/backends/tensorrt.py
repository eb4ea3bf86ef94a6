# SPDX-License-Identifier: Apache-2.0
"""TensorRT on NVIDIA GPUs: an engine built once for the GPU, the model and the largest batch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import Artifact
from shared_encoder_perception.artifact.tensors import batched, check_inputs
from shared_encoder_perception.backends import (
    BackendError,
    BackendInfo,
    BackendOptions,
    cuda_memory,
    tensorrt_build,
    tensorrt_plan,
)
from shared_encoder_perception.backends.engine_cache import EngineCache

TYPES: Final = {
    "float32": "FLOAT",
    "float16": "HALF",
    "uint8": "UINT8",
    "int8": "INT8",
    "int32": "INT32",
    "int64": "INT64",
    "bool": "BOOL",
}
"""Element type of an input or output in NumPy -> in TensorRT."""


class TensorRtBackend:
    """Runs an exported artifact with TensorRT, for up to ``max_batch`` images at once.

    Not for several threads at the same time; they may take turns.
    """

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        """Load the engine, or build it first, and get memory on the GPU.

        Raises:
            BackendError: No GPU, or TensorRT cannot run the model as asked.
        """
        index, gpu = tensorrt_plan.choose_device(options)
        precision = tensorrt_plan.choose_precision(artifact, options, gpu)
        cuda_memory.use_device(index)
        self.spec = artifact.spec
        self._inputs, self._outputs = self.spec.input_tensors(), self.spec.output_tensors()
        self._of_rigs = self.spec.of_rigs()
        self._max_batch = options.max_batch
        self._engine, self._runtime = self._load(artifact, options, gpu, precision)
        self._check_border(artifact.source)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise tensorrt_build.failure(f"TensorRT cannot make a context for {artifact.source}")
        self._buffers = cuda_memory.DeviceBuffers(index, self._sizes())
        try:
            for name in self._sizes():
                self._context.set_tensor_address(name, self._buffers.address(name))
            self._set_count(1)
            self.info = BackendInfo(
                name="tensorrt",
                version=tensorrt_build.VERSION,
                device=f"cuda:{index} ({gpu.name})",
                precision=tensorrt_plan.check_precision(
                    tensorrt_build.information(self._engine, self._context),
                    precision,
                    artifact.source,
                    tensorrt_build.VERSION,
                ),
                threads=0,
                source=artifact.source,
                sha256=artifact.sha256,
            )
        except BackendError:
            self.close()
            raise

    def infer(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Run images and what belongs to them; see ``Backend.infer``.

        Raises:
            InputError: Inputs of other names, shapes or types than the model takes.
            BackendError: More images than the engine was built for, or the GPU failed.
        """
        count = check_inputs(inputs, self._inputs, self._of_rigs)
        if count > self._max_batch:
            raise BackendError(
                f"{count} images were given, and the engine takes 1 to {self._max_batch}: give "
                "fewer, or set max_batch"
            )
        # Held until the uploads are done.
        arrays = {name: np.ascontiguousarray(inputs[name]) for name in self._inputs}
        self._buffers.use()  # the thread may be another one than the last time
        self._set_count(count)
        for name, array in arrays.items():
            self._buffers.upload(name, array)
        if not self._context.execute_async_v3(self._buffers.stream):
            raise tensorrt_build.failure("TensorRT could not run")
        shapes = batched(self._outputs, count, self._of_rigs)
        outputs = {
            name: self._buffers.download(name, shapes[name], np.dtype(tensor.dtype))
            for name, tensor in self._outputs.items()
        }
        self._buffers.wait()
        return outputs

    def close(self) -> None:
        """Release the engine and its memory; calling it again does nothing."""
        self._context = self._engine = self._runtime = None  # in this order
        self._buffers.use()
        self._buffers.close()

    def _load(
        self, artifact: Artifact, options: BackendOptions, gpu: Any, precision: str
    ) -> tuple[Any, Any]:
        """Take the engine from the cache, or build it; build it again once if it is refused."""
        prepared = tensorrt_plan.prepare(artifact, precision)
        version = f"{tensorrt_build.VERSION}, {tensorrt_build.SETTINGS}"
        key = tensorrt_plan.engine_key(artifact, prepared, gpu, precision, self._max_batch, version)
        cache = EngineCache(options.cache)

        def build() -> bytes:
            shapes = {name: tensor.shape for name, tensor in self._inputs.items()}
            most, of_rigs = self._max_batch, self._of_rigs
            return tensorrt_build.build(prepared, shapes, most, artifact.source, of_rigs)

        loaded = tensorrt_build.deserialize(cache.load_or_build(key, build))
        if loaded is None:  # intact, but TensorRT does not understand it
            cache.forget(key)
            loaded = tensorrt_build.deserialize(cache.load_or_build(key, build))
        if loaded is None:
            raise tensorrt_build.failure(
                f"TensorRT {tensorrt_build.VERSION} refuses the engine that it built"
            )
        return loaded

    def _check_border(self, source: str) -> None:
        """Make sure that the engine takes and gives what memory is set up for."""
        expected = {
            name: (mode, TYPES.get(tensor.dtype, tensor.dtype))
            for mode, tensors in (("INPUT", self._inputs), ("OUTPUT", self._outputs))
            for name, tensor in tensors.items()
        }
        found = tensorrt_build.border(self._engine)
        if found != expected:
            raise BackendError(
                f"TensorRT made an engine of {source} that has {found}, expected {expected}"
            )

    def _sizes(self) -> dict[str, int]:
        """Return how many bytes each input and output has at most."""
        tensors = {**self._inputs, **self._outputs}
        shapes = batched(tensors, self._max_batch, self._of_rigs)
        return {
            name: prod(shapes[name]) * np.dtype(tensor.dtype).itemsize
            for name, tensor in tensors.items()
        }

    def _set_count(self, count: int) -> None:
        """Tell TensorRT how many images come."""
        for name, shape in batched(self._inputs, count, self._of_rigs).items():
            if not self._context.set_input_shape(name, shape):
                raise tensorrt_build.failure(f"TensorRT refuses {name!r} of {count} images")
