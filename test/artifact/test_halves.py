# SPDX-License-Identifier: Apache-2.0
"""Weights kept as half floats: half the file, the answers of the rounded weights, any engine."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_graphs import FLOAT, model_of
from tiny_model import SPEC, write_tiny_model

from shared_encoder_perception.artifact.file import (
    FP32,
    parse,
    read_artifact,
    read_file,
    read_model,
    write_artifact,
)
from shared_encoder_perception.artifact.halves import HALVES, STORED_KEY, SUFFIX, pack, unpack
from shared_encoder_perception.backends import BackendOptions, load_backend

STORED = {STORED_KEY: HALVES}


def convolution(values):
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])
    constants = [
        numpy_helper.from_array(values.astype(np.float32), "w"),
        numpy_helper.from_array(np.full(len(values), 0.1, np.float32), "b"),
    ]
    return model_of([node], [("x", FLOAT, [1, 8, 9, 9])], constants)


@pytest.fixture
def weights():
    return np.random.default_rng(0).normal(size=(16, 8, 3, 3)).astype(np.float32)


def answer(model):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    image = np.random.default_rng(1).normal(size=(1, 8, 9, 9)).astype(np.float32)
    return session.run(None, {"x": image})[0]


def packed(model):
    pack(model)
    helper.set_model_props(model, STORED)
    return model


def test_the_file_runs_as_it_is_and_answers_as_what_is_read_of_it(weights):
    model = packed(convolution(weights))
    as_it_is = answer(model)
    assert unpack(model)
    assert np.array_equal(as_it_is, answer(model))
    assert np.array_equal(as_it_is, answer(convolution(weights.astype(np.float16))))
    assert not np.array_equal(as_it_is, answer(convolution(weights)))


def test_what_is_read_is_the_graph_that_it_was_but_for_the_rounding(weights):
    rounded = weights.astype(np.float16).astype(np.float32)
    model, plain = packed(convolution(rounded)), convolution(rounded)
    unpack(model)
    assert model.graph == plain.graph


def test_what_halves_cannot_hold_or_what_is_small_stays(weights):
    for wrong in (1e5, np.inf, np.nan):
        weights[3, 2, 1, 0] = wrong
        model = packed(convolution(weights))
        assert model.graph == convolution(weights).graph
    model = packed(convolution(np.ones((16, 8, 3, 3))))
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds == {"w" + SUFFIX: TensorProto.FLOAT16, "b": TensorProto.FLOAT}


def test_twice_is_refused_and_others_models_are_left_alone(weights):
    model = convolution(weights)
    pack(model)
    with pytest.raises(ValueError, match="float16 already"):
        pack(model)
    before = model.SerializeToString()
    assert not unpack(model)  # it does not say that it is ours
    assert model.SerializeToString() == before


def test_a_name_alone_is_no_weight_of_ours(weights):
    """Whoever writes such a file: nothing is lost of what its nodes read."""
    node = helper.make_node("Add", ["x", "w" + SUFFIX], ["y"])
    constants = [numpy_helper.from_array(weights[:1, :, :1, :1], "w" + SUFFIX)]
    model = model_of([node], [("x", FLOAT, [1, 8, 9, 9])], constants)
    helper.set_model_props(model, STORED)
    graph = model.graph.SerializeToString()
    assert not unpack(model)
    assert model.graph.SerializeToString() == graph


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_artifact_is_half_as_large_and_its_engines_see_single_floats(engine, tmp_path):
    plain = write_tiny_model(tmp_path / "plain.onnx")
    model = parse(read_file(plain), "plain")
    pack(model)
    half = tmp_path / "half.onnx"
    write_artifact(model, SPEC, half, STORED)
    assert half.stat().st_size < 0.55 * plain.stat().st_size
    artifact = read_artifact(half)
    assert artifact.precision == FP32
    assert artifact.content == read_model(half).SerializeToString()
    assert not any(
        tensor.data_type == TensorProto.FLOAT16 for tensor in read_model(half).graph.initializer
    )
    image = np.random.default_rng(2).integers(0, 256, (1, *SPEC.input_size, 3), np.uint8)
    options = BackendOptions(device="cpu", precision="fp32")
    one, other = (
        load_backend(path, engine, options).infer({"image": image}) for path in (plain, half)
    )
    for name, value in one.items():
        assert np.allclose(value, other[name], rtol=2e-3, atol=2e-2)
