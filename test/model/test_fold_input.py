# SPDX-License-Identifier: Apache-2.0
"""What is folded into the first weights comes out again, and changes no answer."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="export needs torch")

from onnx import numpy_helper

from shared_encoder_perception.artifact.file import NETWORK_KEY, write_artifact
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.backends.options import BackendOptions
from shared_encoder_perception.model import onnx_export
from shared_encoder_perception.model.fold_input import (
    MEAN,
    first_weights,
    fold_input,
)
from shared_encoder_perception.model.network import (
    NetworkConfig,
    PerceptionNetwork,
    plain_spec,
)
from shared_encoder_perception.model.unfold import unfold

SIZE = (64, 96)
CONFIGS = {
    "light": NetworkConfig("test_efficientnet", architecture="light_fpn", statistics="own"),
    "shared": NetworkConfig("test_resnet"),
}


def copy_of(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def network_key(config):
    return {NETWORK_KEY: json.dumps(asdict(config))}


@pytest.fixture(scope="module", params=list(CONFIGS))
def exported(request, tmp_path_factory):
    """The network, its artifact, and the same before anything was folded."""
    torch.manual_seed(1)
    config, folder = CONFIGS[request.param], tmp_path_factory.mktemp("fold")
    network = PerceptionNetwork(config).eval()
    spec = plain_spec(config, "m", SIZE)

    def keep_both(model):
        write_artifact(copy_of(model), spec, folder / "plain.onnx", network_key(config))
        return fold_input(model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_export, "fold_input", keep_both)
        onnx_export.export_onnx(network, spec, folder / "folded.onnx")
    return request.param, network, folder


def test_the_graph_has_two_passes_over_the_picture_less(exported):
    name, _, folder = exported
    folded, plain = (onnx.load(folder / f"{kind}.onnx") for kind in ("folded", "plain"))
    kinds = [[node.op_type for node in model.graph.node] for model in (folded, plain)]
    assert len(kinds[1]) - len(kinds[0]) == 2
    assert "Div" not in kinds[0] and "Div" in kinds[1]
    assert first_weights(plain.graph) is None
    assert first_weights(folded.graph).endswith("weight")
    assert not fold_input(folded)  # once is enough
    assert name in CONFIGS and MEAN in [item.name for item in folded.graph.initializer]


def test_answers_are_the_same(exported):
    _, _, folder = exported
    image = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), np.uint8)
    answers = [
        load_backend(folder / f"{kind}.onnx", "onnxruntime", BackendOptions()).infer(
            {"image": image}
        )
        for kind in ("folded", "plain")
    ]
    for name, one in answers[0].items():
        np.testing.assert_allclose(
            one.astype(float),
            answers[1][name].astype(float),
            atol=1 if one.dtype == np.uint8 else 2e-4,
        )


def test_the_network_comes_back_as_it_was(exported):
    _, network, folder = exported
    again, _ = unfold(onnx.load(folder / "folded.onnx"), "folded.onnx")
    plain, _ = unfold(onnx.load(folder / "plain.onnx"), "plain.onnx")
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(dict(again.named_parameters())[name], parameter)
    image = torch.randint(0, 256, (1, *SIZE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        for name, value in network(image).items():
            torch.testing.assert_close(again(image)[name], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("harm", ["axis", "two takers", "not constant"])
def test_other_beginnings_are_left_alone(exported, harm):
    _, _, folder = exported
    model = onnx.load(folder / "plain.onnx")
    nodes = {node.op_type: node for node in reversed(model.graph.node)}
    if harm == "axis":
        item = next(i for i in model.graph.initializer if i.name == nodes["Slice"].input[3])
        item.CopyFrom(numpy_helper.from_array(np.array([2], np.int64), item.name))
    elif harm == "two takers":
        extra = onnx.helper.make_node("Identity", [nodes["Div"].output[0]], ["elsewhere"])
        model.graph.node.append(extra)
    else:
        nodes["Sub"].input[1] = "unknown"
    before = model.SerializeToString()
    assert not fold_input(model)
    assert model.SerializeToString() == before
