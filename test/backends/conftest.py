# SPDX-License-Identifier: Apache-2.0
"""TensorRT where it is installed."""

import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

from shared_encoder_perception.backends.hardware import gpus

OURS = "shared_encoder_perception.backends"


def importable(*names):
    """Return the first of these modules that can be imported."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:  # also where only a part of it is installed
            pass
    return None


@pytest.fixture(scope="module")
def trt():
    """TensorRT, or else TensorRT for RTX under its name, and our module that uses it."""
    library = importable("tensorrt", "tensorrt_rtx")
    if library is None:
        pytest.skip("neither TensorRT nor TensorRT for RTX is installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorrt", library)
        build = import_module(f"{OURS}.tensorrt_build")
        yield SimpleNamespace(library=library, build=build, rtx=library.__name__ == "tensorrt_rtx")
    for name in ("tensorrt_build", "tensorrt"):  # whoever comes next imports them anew
        sys.modules.pop(f"{OURS}.{name}", None)


@pytest.fixture(scope="module")
def builder(trt):
    if not (gpus() or trt.rtx):
        pytest.skip("TensorRT starts on a GPU only")
    return trt.library.Builder(trt.build._logger)


@pytest.fixture
def cuda():
    if importable("cuda.bindings.runtime") is None:
        pytest.skip("cuda-bindings is not installed")
