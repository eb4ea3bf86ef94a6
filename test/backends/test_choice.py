# SPDX-License-Identifier: Apache-2.0
"""What runs when the choice is left to us, and why."""

import os

import pytest
from quantised import quantised_model
from tiny_model import write_tiny_model

from shared_encoder_perception.backends import (
    BackendError,
    BackendOptions,
    choice,
    hardware,
    load_backend,
)
from shared_encoder_perception.backends.choice import Candidate

not_forced = pytest.mark.skipif(
    "AUTO_ENGINE" in os.environ, reason="`auto` is made to choose one engine: AUTO_ENGINE"
)


@not_forced
def test_auto_takes_what_is_here_and_says_why():
    pytest.importorskip("openvino")
    backend = load_backend(name="auto", options=BackendOptions(device="cpu"))
    first = "openvino" if hardware.has_amx() else "onnxruntime"
    assert backend.info.name == first
    assert backend.info.reason == f"CPU with{'' if hardware.has_amx() else 'out'} AMX"


@not_forced
@pytest.mark.parametrize(
    ("gpus", "amx", "device", "order"),
    [
        (1, True, "auto", "tensorrt onnxruntime torch openvino onnxruntime torch"),
        (1, False, "cpu", "onnxruntime openvino torch"),
        (0, True, "auto", "openvino onnxruntime torch"),
        (0, False, "auto", "onnxruntime openvino torch"),
        (0, False, "cuda", "tensorrt onnxruntime torch"),
        (1, False, "tensorrt", "onnxruntime"),
    ],
)
def test_the_order_of_auto(monkeypatch, gpus, amx, device, order):
    gpu = hardware.Gpu("Test", "9.0", "12.4")
    monkeypatch.setattr(choice, "gpus", lambda: (gpu,) * gpus)
    monkeypatch.setattr(choice, "has_amx", lambda: amx)
    found = choice.candidates(BackendOptions(device=device))
    assert [candidate.name for candidate in found] == order.split()


@not_forced
def test_auto_says_what_it_passed_over(monkeypatch):
    """A GPU without any engine that could use it: the CPU runs, and that is said."""
    pytest.importorskip("openvino")
    gpu = hardware.Gpu("Test", "9.0", "12.4")
    monkeypatch.setattr(choice, "gpus", lambda: (gpu,))
    monkeypatch.setattr(choice, "find_spec", lambda name: None if name == "tensorrt" else name)
    monkeypatch.setattr(choice, "import_module", lambda name: Builds)
    info = load_backend(name="auto").info
    reason = info.reason
    assert info.name in ("onnxruntime", "openvino")
    assert "tensorrt: not installed" in reason
    assert "onnxruntime: built without CUDA" in reason
    assert "torch: built without CUDA" in reason


class Builds:
    """Libraries without CUDA."""

    class cuda:  # noqa: N801, D106
        @staticmethod
        def is_available():
            return False

    @staticmethod
    def get_available_providers():
        return ["CPUExecutionProvider"]


@pytest.fixture
def cache(tmp_path):
    """A folder for compiled models, instead of the user's."""
    return tmp_path / "cache"


@pytest.fixture
def torch_first(monkeypatch):
    """Let ``auto`` see a machine on which torch is the best."""
    pytest.importorskip("torch")
    order = (Candidate("torch", "a test"), Candidate("onnxruntime", "a test"))
    monkeypatch.setattr(choice, "candidates", lambda options: iter(order))


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (write_tiny_model, "does not say what its network was built from"),
        (quantised_model, "does not run quantised models"),
    ],
    ids=["of_others", "int8"],
)
@pytest.mark.parametrize("allow_fallback", [False, True])
def test_auto_passes_over_what_cannot_run_the_model(
    torch_first, tmp_path, cache, write, why, allow_fallback
):
    """Else a machine whose best engine is torch could not run what every other machine runs."""
    path = write(tmp_path / "model.onnx")
    options = BackendOptions(cache=cache, allow_fallback=allow_fallback)
    info = load_backend(path, "auto", options).info
    assert info.name == "onnxruntime"
    assert info.reason.startswith("a test; torch: ")
    assert why in info.reason
    assert not info.fallback
    with pytest.raises(BackendError, match=why):
        load_backend(path, "torch", BackendOptions())


def test_auto_names_every_reason_when_nothing_is_fit(torch_first, tmp_path, cache):
    path = quantised_model(tmp_path / "model.onnx")
    asked = {"precision": "fp16", "cache": cache}
    with pytest.raises(BackendError) as caught:
        load_backend(path, "auto", BackendOptions(**asked))
    text = str(caught.value)
    assert "no engine can run" in text and "in precision fp16" in text
    assert "torch: " in text and "onnxruntime: " in text
    assert "pip install" not in text  # both are installed
    info = load_backend(path, "auto", BackendOptions(**asked, allow_fallback=True)).info
    assert info.precision == "int8"
    assert info.fallback.startswith("asked for auto on auto in fp16, runs on onnxruntime")


def test_the_best_engine_that_fails_is_not_passed_over(torch_first, monkeypatch):
    """It would be a fallback that nobody allowed."""

    def broken(name, artifact, options):
        raise BackendError(f"{name} is out of memory")

    monkeypatch.setattr(choice, "start", broken)
    with pytest.raises(BackendError, match=r"^torch is out of memory$"):
        load_backend(name="auto")
