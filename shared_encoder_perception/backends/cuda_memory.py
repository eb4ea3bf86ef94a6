# SPDX-License-Identifier: Apache-2.0
"""Memory and a stream on an NVIDIA GPU, through cuda-bindings; every error code is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from cuda.bindings import runtime as cudart
from numpy.typing import NDArray

from shared_encoder_perception.backends import BackendError


class DeviceBuffers:
    """Named buffers on one GPU, and the stream on which everything happens.

    Attributes:
        stream: The stream's handle.
    """

    def __init__(self, device: int, sizes: Mapping[str, int]) -> None:
        """Allocate.

        Args:
            device: Index of the GPU.
            sizes: Name -> bytes.

        Raises:
            BackendError: No such device, or not enough memory; nothing stays allocated.
        """
        self._device = device
        self._addresses: dict[str, int] = {}
        self._stream: Any = None
        self.use()
        try:
            self._stream = call(cudart.cudaStreamCreate)
            for name, size in sizes.items():
                self._addresses[name] = int(call(cudart.cudaMalloc, size))
        except BackendError:
            self.close()
            raise
        self.stream = int(self._stream)

    def use(self) -> None:
        """Make the GPU the calling thread's; each thread begins with the first one."""
        use_device(self._device)

    def address(self, name: str) -> int:
        """Return where a buffer is on the device."""
        return self._addresses[name]

    def upload(self, name: str, array: NDArray) -> None:
        """Begin to fill a buffer.

        Args:
            name: Of the buffer.
            array: Contiguous; must stay as it is until ``wait`` has returned.
        """
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(self._addresses[name], array.ctypes.data, array.nbytes, kind)

    def download(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
        """Begin to read a buffer; the array is complete when ``wait`` has returned."""
        array = np.empty(shape, dtype)
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(array.ctypes.data, self._addresses[name], array.nbytes, kind)
        return array

    def wait(self) -> None:
        """Wait until everything on the stream is done.

        Raises:
            BackendError: Something on it failed.
        """
        call(cudart.cudaStreamSynchronize, self._stream)

    def close(self) -> None:
        """Free everything; calling it again does nothing."""
        while self._addresses:
            call(cudart.cudaFree, self._addresses.popitem()[1])
        if self._stream is not None:
            stream, self._stream = self._stream, None
            call(cudart.cudaStreamDestroy, stream)

    def _copy(self, to: int, start: int, size: int, kind: Any) -> None:
        """Begin a copy."""
        call(cudart.cudaMemcpyAsync, to, start, size, kind, self._stream)


def use_device(device: int) -> None:
    """Make a GPU the calling thread's.

    Raises:
        BackendError: There is no such device.
    """
    call(cudart.cudaSetDevice, device)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the CUDA runtime and return its value.

    Raises:
        BackendError: It failed; with CUDA's own words.
    """
    name = getattr(function, "__name__", str(function))
    try:
        error, *values = function(*arguments)
    except RuntimeError as problem:  # older cuda-bindings, when the driver's library is missing
        raise BackendError(f"CUDA is not usable, {name} failed: {problem}") from None
    if error != cudart.cudaError_t.cudaSuccess:
        text = cudart.cudaGetErrorString(error)[1].decode(errors="replace")
        raise BackendError(f"{name} failed: {text} ({error.name})")
    return values[0] if values else None
