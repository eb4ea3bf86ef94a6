# SPDX-License-Identifier: Apache-2.0
"""Backends: they agree, they refuse in words that help, and report what really runs."""

import subprocess
import sys

import numpy as np
import pytest
from quantised import quantised_model
from shipped import shipped_worlds

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import (
    BACKENDS,
    DEFAULT_MODEL,
    BackendError,
    BackendOptions,
    hardware,
    load_backend,
)

CPU = [name for name in BACKENDS if name != "tensorrt"]
SIZE = (64, 160)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def images():
    return shipped_worlds(3)


@pytest.fixture(scope="module")
def expected(images):
    return load_backend().infer({"image": images})


@pytest.fixture(scope="module", params=CPU)
def backend(request, cache):
    pytest.importorskip(BACKENDS[request.param].requires)
    options = BackendOptions(precision="fp32", cache=cache)
    return load_backend(name=request.param, options=options)


def test_the_shipped_model_keeps_its_promise(backend, images):
    assert DEFAULT_MODEL.stat().st_size <= 14e6
    out = backend.infer({"image": images[:2]})
    assert {name: array.shape for name, array in out.items()} == backend.spec.output_shapes(2)
    assert out["lanes"].dtype == np.float32
    assert out["mask"].dtype == np.uint8


def test_all_engines_agree(backend, images, expected):
    """Lanes to rounding of float32: start vectors are up to 100 cells long."""
    out = backend.infer({"image": images})
    difference = np.abs(out["lanes"] - expected["lanes"])
    assert difference[:, :, 0].max() < 1e-5
    assert difference.max() < 3e-4
    assert np.abs(out["mask"].astype(int) - expected["mask"]).max() <= 1


def test_an_image_in_a_batch_is_answered_as_if_it_were_alone(backend, images):
    together = backend.infer({"image": images})
    for index, image in enumerate(images):
        alone = backend.infer({"image": image[np.newaxis]})
        assert np.abs(alone["lanes"][0] - together["lanes"][index]).max() < 3e-4
        assert np.abs(alone["mask"][0].astype(int) - together["mask"][index]).max() <= 1


def test_what_runs_is_reported(backend):
    info = backend.info
    assert (info.device, info.precision, info.fallback) == ("cpu", "fp32", "")
    assert info.threads == hardware.cores()
    assert info.version == sys.modules[BACKENDS[info.name].requires].__version__.partition("-")[0]
    assert info.sha256 == read_artifact(DEFAULT_MODEL).sha256


def test_outputs_are_not_overwritten_by_the_next_inference(backend, images):
    first = backend.infer({"image": images[:1]})
    kept = {name: array.copy() for name, array in first.items()}
    backend.infer({"image": images[1:2]})
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


@pytest.mark.parametrize("name", CPU)
def test_the_number_of_threads_is_the_one_asked_for(name, cache):
    pytest.importorskip(BACKENDS[name].requires)
    backend = load_backend(name=name, options=BackendOptions(threads=1, cache=cache))
    assert backend.info.threads == 1
    if name == "torch":  # it is the process's own
        sys.modules["torch"].set_num_threads(hardware.cores())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("abacus", {}, "unknown backend 'abacus': choose auto or one of onnxruntime"),
        ("onnxruntime", {"device": "cuda"}, "no provider for 'cuda'.*pip install onnxruntime-gpu"),
        ("onnxruntime", {"precision": "bf16"}, "runs a model as it is written.*use the backend"),
        ("onnxruntime", {"precision": "int8"}, "quantise it first"),
        ("openvino", {"device": "cuda"}, "runs on the device cpu here, not 'cuda'"),
        ("openvino", {"precision": "int8"}, "quantise it first"),
        ("torch", {"device": "cuda:7"}, "sees no device 'cuda:7'"),
        ("torch", {"precision": "fp16", "device": "cpu"}, "fp16 on a GPU only"),
        ("torch", {"precision": "int8"}, "does not run quantised models"),
        ("tensorrt", {"device": "cpu"}, "tensorrt"),
    ],
)
def test_what_cannot_run_is_refused_not_replaced(name, options, message, cache):
    if name in BACKENDS and name != "tensorrt":
        pytest.importorskip(BACKENDS[name].requires)
    with pytest.raises(BackendError, match=message):
        load_backend(name=name, options=BackendOptions(cache=cache, **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "npu"}, "device is 'npu', expected auto, cpu, cuda"),
        ({"device": "cuda:x"}, "device is 'cuda:x'"),
        ({"precision": "fp8"}, "precision is 'fp8', expected one of auto, fp32"),
        ({"threads": -1}, "threads is -1"),
        ({"max_batch": 0}, "max_batch 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(BackendError, match=message):
        BackendOptions(**options)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_a_missing_library_is_named_with_the_package_to_install(name):
    """A fresh process in which the library cannot be imported."""
    library = BACKENDS[name].requires
    code = f"""
import sys
sys.modules[{library!r}] = None
from shared_encoder_perception.backends import BackendError, load_backend
try:
    load_backend(name={name!r})
except BackendError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"backend '{name}' needs what is not there ({library}" in result.stdout, result.stderr
    assert f"pip install {BACKENDS[name].package}" in result.stdout


def test_fall_back_runs_only_when_it_is_allowed_and_says_so(cache):
    asked = {"device": "cuda", "cache": cache}
    with pytest.raises(BackendError, match="no provider for 'cuda'"):
        load_backend(name="onnxruntime", options=BackendOptions(**asked))
    backend = load_backend(name="onnxruntime", options=BackendOptions(**asked, allow_fallback=True))
    assert backend.info.device == "cpu"
    assert backend.info.fallback.startswith("asked for onnxruntime on cuda in auto, runs on")
    assert "no provider for 'cuda'" in backend.info.fallback


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_quantised_model_runs_in_integers_and_says_so(tmp_path, name, cache):
    pytest.importorskip(BACKENDS[name].requires)
    path = quantised_model(tmp_path / "int8.onnx")
    assert read_artifact(path).precision == "int8"
    for precision in ("auto", "int8"):
        options = BackendOptions(precision=precision, cache=cache)
        assert load_backend(path, name, options).info.precision == "int8"
    with pytest.raises(BackendError, match="int8"):
        load_backend(path, name, BackendOptions(precision="fp32", cache=cache))


def test_openvino_compiles_once_for_each_batch_size(tmp_path, images):
    pytest.importorskip("openvino")
    for _ in range(2):
        backend = load_backend(name="openvino", options=BackendOptions(cache=tmp_path))
        first = backend.infer({"image": images[:2]})
        assert len(list(tmp_path.glob("openvino-*.engine"))) == 2
    assert np.array_equal(first["lanes"], backend.infer({"image": images[:2]})["lanes"])


def test_openvino_builds_again_what_its_runtime_cannot_read(tmp_path, images, expected):
    """An intact file of our cache whose content OpenVINO refuses."""
    pytest.importorskip("openvino")
    from shared_encoder_perception.backends.engine_cache import EngineCache

    options = BackendOptions(cache=tmp_path, precision="fp32")
    backend = load_backend(name="openvino", options=options)
    EngineCache(tmp_path).write(backend._key(1), b"no compiled model")
    again = load_backend(name="openvino", options=options)
    assert np.abs(again.infer({"image": images[:1]})["lanes"] - expected["lanes"][:1]).max() < 3e-4


def test_openvino_refuses_a_precision_that_it_would_not_run_in(cache):
    pytest.importorskip("openvino")
    import openvino

    offered = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "FP16" in offered:
        pytest.skip("this CPU has fp16")
    with pytest.raises(BackendError, match="has no fp16 in OpenVINO, which offers"):
        load_backend(name="openvino", options=BackendOptions(precision="fp16", cache=cache))
