"""TensorRT on NVIDIA GPUs: an engine built once for the GPU, the model and the largest batch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import Artifact
from shared_encoder_perception.backends import (
    BackendError,
    BackendInfo,
    BackendOptions,
    cuda_memory,
    tensorrt_build,
    tensorrt_plan,
)
from shared_encoder_perception.backends.engine_cache import EngineCache
from shared_encoder_perception.spec import INPUT_IMAGE
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES

TYPES: Final[dict[str, tuple[np.dtype[Any], str]]] = {
    OUTPUT_LANES: (np.dtype(np.float32), "FLOAT"),
    OUTPUT_MASK: (np.dtype(np.uint8), "UINT8"),
}
"""Output -> its type in NumPy and in TensorRT."""


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

    def infer(self, images: NDArray[np.uint8]) -> dict[str, NDArray]:
        """Run (N, H, W, 3) uint8 BGR images; see ``Backend.infer``.

        Raises:
            BackendError: More images than the engine was built for, images of another shape or
                type, or the GPU failed.
        """
        expected = (*self.spec.input_size, 3)
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            raise BackendError(
                f"the images are {images.dtype} {images.shape}, expected uint8 (N, "
                f"{', '.join(map(str, expected))})"
            )
        count = len(images)
        if not 1 <= count <= self._max_batch:
            raise BackendError(
                f"{count} images were given, and the engine takes 1 to {self._max_batch}: give "
                "fewer, or set max_batch"
            )
        images = np.ascontiguousarray(images)
        self._buffers.use()  # the thread may be another one than the last time
        self._set_count(count)
        self._buffers.upload(INPUT_IMAGE, images)
        if not self._context.execute_async_v3(self._buffers.stream):
            raise tensorrt_build.failure("TensorRT could not run")
        outputs = {
            name: self._buffers.download(name, shape, TYPES[name][0])
            for name, shape in self.spec.output_shapes(count).items()
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
            return tensorrt_build.build(
                prepared, self.spec.input_size, self._max_batch, artifact.source
            )

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
        expected = {INPUT_IMAGE: ("INPUT", "UINT8")}
        expected |= {name: ("OUTPUT", TYPES[name][1]) for name in self.spec.output_shapes()}
        found = tensorrt_build.border(self._engine)
        if found != expected:
            raise BackendError(
                f"TensorRT made an engine of {source} that has {found}, expected {expected}"
            )

    def _sizes(self) -> dict[str, int]:
        """Return how many bytes each input and output has at most."""
        height, width = self.spec.input_size
        sizes = {INPUT_IMAGE: self._max_batch * height * width * 3}
        for name, shape in self.spec.output_shapes(self._max_batch).items():
            sizes[name] = int(np.prod(shape)) * TYPES[name][0].itemsize
        return sizes

    def _set_count(self, count: int) -> None:
        """Tell TensorRT how many images come."""
        if not self._context.set_input_shape(INPUT_IMAGE, (count, *self.spec.input_size, 3)):
            raise tensorrt_build.failure(f"TensorRT refuses {count} images")
