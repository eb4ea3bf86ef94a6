# SPDX-License-Identifier: Apache-2.0
"""What the benchmark counts in a graph, against sums done by hand and torch's own counter."""

import numpy as np
import onnx
import pytest
from onnx import helper
from small_graphs import FLOAT, convolution, model_of, weights

from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.benchmark.graph_cost import GraphCostError, count


def test_a_convolution_counts_each_output_times_its_window():
    cost = count(convolution())
    assert (cost.parameters, cost.macs) == (6 * 27 + 6, 6 * 4 * 5 * 27)


def test_a_depthwise_convolution_counts_one_channel_each():
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=4, kernel_shape=[3, 3])
    cost = count(model_of([node], [("x", FLOAT, [1, 4, 5, 5])], [weights("w", 4, 1, 3, 3)]))
    assert (cost.parameters, cost.macs) == (36, 4 * 3 * 3 * 9)


def test_a_transposed_convolution_counts_each_input_times_its_window():
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    cost = count(model_of([node], [("x", FLOAT, [1, 3, 4, 5])], [weights("w", 3, 7, 2, 2)]))
    assert cost.macs == 3 * 4 * 5 * 7 * 2 * 2


@pytest.mark.parametrize("turned", [0, 1])
def test_a_gemm_counts_alike_however_its_first_factor_lies(turned):
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transA=turned)
    shape = [5, 2] if turned else [2, 5]
    assert count(model_of([node], [("x", FLOAT, shape)], [weights("w", 5, 3)])).macs == 2 * 5 * 3


def test_a_matrix_product_counts_every_matrix_of_its_stack():
    node = helper.make_node("MatMul", ["x", "z"], ["y"])
    inputs = [("x", FLOAT, [4, 2, 5]), ("z", FLOAT, [4, 5, 3])]
    cost = count(model_of([node], inputs, []))
    assert (cost.parameters, cost.macs) == (0, 4 * 2 * 5 * 3)


def test_weights_in_constant_nodes_are_parameters_and_shapes_are_not():
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weights("w", 5, 3)),
        helper.make_node("Constant", [], ["s"], value=weights("s", 2, kind=np.int64)),
        helper.make_node("Reshape", ["x", "s"], ["r"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    assert count(model_of(nodes, [("x", FLOAT, ["N", 5])], [])).parameters == 15


def test_quantised_convolutions_count_like_those_they_were_made_of():
    scales = [weights("s", 1), weights("z", 1, kind=np.int8)]
    quantised = weights("q", 6, 3, 3, 3, kind=np.int8)
    image = ("x", FLOAT, ["N", 3, 8, 10])
    loose = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2]),
    ]
    names = ["i", "s", "z", "q", "s", "z", "s", "z"]
    fused = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["i"]),
        helper.make_node("QLinearConv", names, ["o"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("DequantizeLinear", ["o", "s", "z"], ["y"]),
    ]
    for nodes in (loose, fused):
        cost = count(model_of(nodes, [image], [*scales, quantised]))
        assert (cost.parameters, cost.macs) == (6 * 27, 6 * 4 * 5 * 27)


def test_free_sizes_of_an_image_are_filled_in():
    free = convolution(height="H", width="W")
    assert count(free, (8, 10)).macs == count(convolution()).macs
    assert count(free).macs == 6 * 27


def test_what_multiplies_and_is_not_counted_is_named():
    node = helper.make_node("Einsum", ["x", "x"], ["y"], equation="ij,kj->ik")
    assert count(model_of([node], [("x", FLOAT, [2, 2])], [])).uncounted == ("Einsum",)


def test_an_unknown_shape_is_an_error_and_not_a_zero():
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Cast", ["found"], ["places"], to=FLOAT),
        helper.make_node("MatMul", ["places", "w"], ["y"]),
    ]
    with pytest.raises(GraphCostError, match="MatMul"):
        count(model_of(nodes, [("x", FLOAT, [3, 3])], [weights("w", 4, 2)]))


def test_the_shipped_model_counts_as_torch_counts_it():
    """Torch runs the network that it unfolds from the artifact, and counts while it does."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    from torch.utils.flop_counter import FlopCounterMode

    backend = load_backend(DEFAULT_MODEL, "torch")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        backend.infer(blank(backend.spec.input_tensors()))
    cost = count(onnx.load(DEFAULT_MODEL))
    assert cost.macs == pytest.approx(counter.get_total_flops() / 2, rel=0.01)
