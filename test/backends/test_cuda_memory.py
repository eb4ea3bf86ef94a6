# SPDX-License-Identifier: Apache-2.0
"""CUDA's memory: every error code is looked at, and raised in CUDA's own words."""

import numpy as np
import pytest

from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.backends.hardware import gpus

pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")

from shared_encoder_perception.backends import cuda_memory


@pytest.mark.skipif(bool(gpus()), reason="there is an NVIDIA GPU")
def test_an_error_of_cuda_is_raised_in_its_own_words():
    with pytest.raises(BackendError, match=r"cudaSetDevice|CUDA"):
        cuda_memory.DeviceBuffers(0, {"image": 16})
    with pytest.raises(BackendError, match=r"cudaMalloc.* failed"):
        cuda_memory.call(cuda_memory.cudart.cudaMalloc, 16)


def test_a_call_that_succeeds_returns_its_value():
    version = cuda_memory.call(cuda_memory.cudart.cudaRuntimeGetVersion)
    assert version >= 11000


@pytest.mark.skipif(not gpus(), reason="no NVIDIA GPU is visible")
def test_what_is_written_is_read_back_and_freed_once():
    buffers = cuda_memory.DeviceBuffers(0, {"image": 1000})
    array = np.arange(250, dtype=np.float32)
    buffers.upload("image", array)
    found = buffers.download("image", array.shape, array.dtype)
    buffers.wait()
    assert np.array_equal(found, array)
    buffers.close()
    buffers.close()
