# SPDX-License-Identifier: Apache-2.0
"""TensorRT itself: as much of the backend as this machine can run.

The parser and the builder also run as those of TensorRT for RTX, its sister with the same API,
which comes as a wheel and builds without a GPU. The whole backend runs on a GPU only.
"""

import threading
from importlib import import_module

import numpy as np
import pytest
from onnx import TensorProto, helper
from small_graphs import two_inputs
from test_tensorrt_graph import byte_model, symmetric_model
from tiny_model import write_tiny_model

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.remote import local_path
from shared_encoder_perception.artifact.tensors import InputError
from shared_encoder_perception.backends import (
    DEFAULT_MODEL,
    BackendError,
    BackendOptions,
    load_backend,
)
from shared_encoder_perception.backends.engine_cache import EngineCache
from shared_encoder_perception.backends.hardware import Gpu, gpus
from shared_encoder_perception.backends.tensorrt_plan import prepare

SHIPPED = read_artifact(DEFAULT_MODEL)
SIZE = SHIPPED.spec.input_size
IMAGE = {"image": (*SIZE, 3)}
"""What goes into the shipped model."""
GPU = Gpu("Test", "9.0", "12.6")
OURS = "shared_encoder_perception.backends"

needs_gpu = pytest.mark.skipif(not gpus(), reason="no NVIDIA GPU is visible")
needs_no_gpu = pytest.mark.skipif(bool(gpus()), reason="there is an NVIDIA GPU")


# ---- parser and builder -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "name"), [("fp32", "FLOAT"), ("fp16", "HALF"), ("bf16", "BF16")]
)
def test_the_parser_types_every_convolution_as_asked_for(trt, builder, precision, name):
    network, _parser = trt.build.parse(builder, prepare(SHIPPED, precision), "default.onnx")
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    types = [
        layer.get_output(0).dtype.name
        for layer in layers
        if layer.type == trt.library.LayerType.CONVOLUTION
    ]
    assert len(types) > 50
    assert set(types) == {name}
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    assert {item.name: item.dtype.name for item in outputs} == {"lanes": "FLOAT", "mask": "UINT8"}
    assert network.get_input(0).dtype.name == "UINT8"
    assert tuple(network.get_input(0).shape) == (-1, *SIZE, 3)


def test_the_parser_takes_a_symmetric_int8_model(trt, builder, tmp_path):
    artifact = read_artifact(symmetric_model(tmp_path / "int8.onnx"))
    assert artifact.precision == "int8"
    with pytest.raises(BackendError, match=r"cannot take int8.onnx: .*Int32"):
        trt.build.parse(builder, artifact.content, "int8.onnx")
    network, _parser = trt.build.parse(builder, prepare(artifact, "int8"), "int8.onnx")
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    (convolution,) = [item for item in layers if item.type == trt.library.LayerType.CONVOLUTION]
    assert convolution.get_input(0).dtype.name == "FLOAT"  # of a dequantisation, fused by the build
    assert sum(item.type == trt.library.LayerType.DEQUANTIZE for item in layers) == 3


def test_bytes_that_are_rearranged_before_their_cast_are_refused_by_the_parser(trt, builder):
    """Why ``cast_bytes_first`` is needed."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["t"], ["y"], to=TensorProto.FLOAT),
    ]
    with pytest.raises(BackendError, match=r"cannot take old.onnx: .*(UInt8|UINT8)"):
        trt.build.parse(builder, byte_model(nodes).SerializeToString(), "old.onnx")


def test_fp32_is_not_tf32_and_one_image_is_what_it_is_tuned_for(trt, builder):
    tf32 = trt.library.BuilderFlag.TF32
    assert builder.create_builder_config().get_flag(tf32)  # on, unless it is switched off
    config = trt.build.configure(builder, IMAGE, 4)
    assert not config.get_flag(tf32)
    assert config.num_optimization_profiles == 1
    assert config.profiling_verbosity == trt.library.ProfilingVerbosity.DETAILED


def test_an_engine_is_built(trt, builder):
    """Also of several images, with the weights of the precision that was asked for."""
    sizes = {
        precision: len(trt.build.build(prepare(SHIPPED, precision), IMAGE, 2, "default.onnx"))
        for precision in ("fp32", "fp16")
    }
    assert sizes["fp16"] < sizes["fp32"]


@pytest.mark.parametrize("name", ["semantic", "depth"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_the_shipped_models_with_more_tasks_are_built(trt, builder, precision, name):
    """Arg max and two bytes a cell, and the plane of depth, too."""
    content = prepare(read_artifact(local_path(f"shipped:{name}")), precision)
    network, _parser = trt.build.parse(builder, content, f"{name}.onnx")
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    bytes_out = [item.name for item in outputs if item.dtype.name == "UINT8"]
    assert bytes_out == ["mask", "semantic", "semantic_confidence"]
    assert len(trt.build.build(content, IMAGE, 1, f"{name}.onnx"))


def test_a_model_with_several_inputs_is_built_with_a_profile_of_each(trt, builder):
    content = two_inputs().SerializeToString()
    network, _parser = trt.build.parse(builder, content, "two.onnx")
    found = {network.get_input(index).name for index in range(network.num_inputs)}
    assert found == {"image", "gain"}
    inputs = {"image": (8, 8, 3), "gain": (8, 8)}
    assert len(trt.build.build(content, inputs, 2, "two.onnx"))
    with pytest.raises(BackendError, match=r"cannot build two.onnx"):
        trt.build.build(content, {"image": (8, 8, 3)}, 2, "two.onnx")


def test_what_cannot_be_parsed_is_refused_with_tensorrts_reason(trt, builder):
    with pytest.raises(BackendError, match=r"TensorRT [\d.]+ cannot take m.onnx: .+"):
        trt.build.build(b"no model", IMAGE, 1, "m.onnx")


def test_an_engine_that_is_none_is_refused_without_an_error(trt, builder):
    assert trt.build.deserialize(b"no engine") is None


@needs_no_gpu
def test_without_a_gpu_a_built_engine_cannot_be_read(trt, builder):
    content = prepare(SHIPPED, "fp16")
    assert trt.build.deserialize(trt.build.build(content, IMAGE, 1, "default.onnx")) is None
    assert "CUDA" in str(trt.build.failure("refused"))


@needs_no_gpu
def test_tensorrt_itself_says_that_it_does_not_start_without_a_gpu(trt):
    if trt.rtx:
        pytest.skip("TensorRT for RTX builds without a GPU")
    with pytest.raises(BackendError, match="cannot build engines here"):
        trt.build.build(prepare(SHIPPED, "fp32"), IMAGE, 1, "default.onnx")


def test_a_long_build_says_how_far_it_is(trt, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(trt.build, "PROGRESS_S", 0.0)
    progress = trt.build._Progress()
    progress.phase_start("Timing", None, 7)
    assert progress.step_complete("Timing", 2) is True
    progress.phase_finish("Timing")
    assert "TensorRT: Timing, step 3 of 7" in caplog.text


USED = {
    "ICudaEngine": "create_engine_inspector create_execution_context get_tensor_dtype "
    "get_tensor_mode get_tensor_name num_io_tensors",
    "IExecutionContext": "execute_async_v3 set_input_shape set_tensor_address",
    "EngineInspector": "execution_context get_engine_information",
    "LayerInformationFormat": "JSON",
    "TensorIOMode": "INPUT OUTPUT",
    "DataType": "FLOAT UINT8",
}


@pytest.mark.parametrize("name", list(USED))
def test_what_runs_on_a_gpu_only_has_the_names_that_we_call(trt, name):
    for attribute in USED[name].split():
        assert hasattr(getattr(trt.library, name), attribute), attribute


# ---- the whole backend ---------------------------------------------------------------------------


def load(tmp_path, model=DEFAULT_MODEL, **options):
    return load_backend(model, "tensorrt", BackendOptions(cache=tmp_path, **options))


@needs_no_gpu
def test_without_a_gpu_the_backend_says_so_before_it_builds(trt, cuda, tmp_path):
    for options in ({}, {"device": "cuda"}, {"precision": "fp16"}):
        with pytest.raises(BackendError, match="needs an NVIDIA GPU and its driver"):
            load(tmp_path, **options)
    with pytest.raises(BackendError, match="not on 'cpu'"):
        load(tmp_path, device="cpu")
    assert not list(tmp_path.iterdir())


@needs_no_gpu
def test_a_refused_engine_is_built_again_once_and_no_more(
    trt, builder, cuda, tmp_path, monkeypatch
):
    """Without a GPU the runtime refuses every engine, also those of the build just before."""
    written, write = [], EngineCache.write
    monkeypatch.setattr(EngineCache, "write", lambda *a: (written.append(a[1]), write(*a)))
    backend = object.__new__(import_module(f"{OURS}.tensorrt").TensorRtBackend)
    backend.spec, backend._max_batch = SHIPPED.spec, 1
    backend._inputs = SHIPPED.spec.input_tensors()
    with pytest.raises(BackendError, match=r"refuses the engine that it built: .*CUDA"):
        backend._load(SHIPPED, BackendOptions(cache=tmp_path), GPU, "fp16")
    assert len(written) == 2


@pytest.fixture(scope="module")
def images():
    from shared_encoder_perception.world.synthetic import render_sample

    return np.stack([render_sample(seed).image for seed in range(3)])


@needs_gpu
@pytest.mark.parametrize(
    ("precision", "heat", "cells", "steps"),
    [("fp32", 1e-4, 0.01, 1), ("fp16", 0.01, 0.3, 3), ("bf16", 0.1, 4.0, 20)],
)
def test_a_gpu_answers_as_the_cpu_does(trt, cuda, tmp_path, images, precision, heat, cells, steps):
    expected = load_backend().infer({"image": images})
    backend = load(tmp_path, precision=precision, max_batch=3)
    assert backend.info.precision == precision
    assert backend.info.device.startswith("cuda:0 (")
    found = backend.infer({"image": images})
    difference = np.abs(found["lanes"] - expected["lanes"])
    assert difference[:, :, 0].max() < heat
    assert difference.max() < cells
    assert np.abs(found["mask"].astype(int) - expected["mask"]).max() <= steps
    alone = backend.infer({"image": images[1:2]})
    assert np.abs(alone["lanes"] - found["lanes"][1]).max() < cells
    backend.close()
    backend.close()


@needs_gpu
def test_too_many_or_wrong_images_are_refused_and_the_next_ones_work(trt, cuda, tmp_path, images):
    backend = load(tmp_path)
    with pytest.raises(BackendError, match="3 images were given, and the engine takes 1 to 1"):
        backend.infer({"image": images})
    with pytest.raises(InputError, match="the input 'image' is float32"):
        backend.infer({"image": images[:1].astype(np.float32)})
    assert backend.infer({"image": images[:1]})["mask"].any()


@needs_gpu
def test_another_thread_may_run_it_and_answers_are_kept(trt, cuda, tmp_path, images):
    backend, answers = load(tmp_path), []
    first = backend.infer({"image": images[:1]})
    kept = first["lanes"].copy()
    thread = threading.Thread(target=lambda: answers.append(backend.infer({"image": images[1:2]})))
    thread.start()
    thread.join()
    assert answers[0]["mask"].shape == (1, *SIZE)
    assert np.array_equal(first["lanes"], kept)


@needs_gpu
def test_an_engine_that_tensorrt_refuses_is_built_again_once(
    trt, cuda, tmp_path, images, monkeypatch
):
    load(tmp_path).close()
    (path,) = tmp_path.glob("tensorrt-*.engine")
    before = path.stat().st_mtime_ns
    load(tmp_path).close()
    assert path.stat().st_mtime_ns == before
    read = EngineCache.read
    monkeypatch.setattr(
        EngineCache, "read", lambda *args: b"no engine" if path.exists() else read(*args)
    )
    backend = load(tmp_path)
    assert path.stat().st_mtime_ns != before
    assert backend.infer({"image": images[:1]})["mask"].any()


@needs_gpu
def test_a_quantised_model_runs_in_integers_and_says_so(trt, cuda, tmp_path):
    model = symmetric_model(tmp_path / "int8.onnx")
    assert load(tmp_path, model).info.precision == "int8"
    with pytest.raises(BackendError, match="no convolutions"):
        load(tmp_path, write_tiny_model(tmp_path / "tiny.onnx"), precision="fp16")
