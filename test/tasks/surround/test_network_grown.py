# SPDX-License-Identifier: Apache-2.0
"""Rigs' networks from before their heads got a pyramid of their own: they answer as they did."""

import numpy as np
import onnx
import pytest
from rig_network import rig_config, rig_inputs, rig_network, rig_spec

torch = pytest.importorskip("torch", reason="the network is of torch: make test")
pytest.importorskip("timm", reason="the network is of torch: make test")

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.model.checkpoint import grown, load_network, save_network
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.tasks.surround.head import GROWN, LOGITS
from shared_encoder_perception.tasks.surround.spec import OUTPUT_SURROUND


class Nothing(torch.nn.Module):
    """What stood where the pyramid is."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, levels):
        finest = levels[0][:, :1] * 0
        return finest.expand(-1, self.channels, -1, -1)


def head_of(network):
    return network.decoder.heads["surround"]


@pytest.fixture(scope="module")
def before():
    """A network without it."""
    network = rig_network()
    head = head_of(network)
    head.own = Nothing(head.add.out_channels)
    head.add = torch.nn.Identity()
    return network


def said(network, seed=0):
    inputs = {name: torch.from_numpy(array) for name, array in rig_inputs(3, seed).items()}
    image = inputs.pop("image")
    with torch.no_grad():
        return network(image, inputs=inputs)[LOGITS]


def test_only_the_pyramid_is_what_it_lacks(before):
    now = PerceptionNetwork(rig_config())
    later = now.state_dict().keys() - before.state_dict().keys()
    assert later == grown(now) and later
    assert all(name.startswith(GROWN) for name in later)


def test_a_pyramid_that_has_learned_changes_what_is_said(before):
    network = rig_network()
    assert torch.equal(said(network), said(before)), "it begins as nothing"
    with torch.no_grad():
        head_of(network).add.weight.normal_(0.0, 1.0)
    assert (said(network) - said(before)).abs().max() > 1e-2


def test_a_pyramid_that_is_nothing_can_learn():
    """Its last convolution has a gradient, though all behind it have none yet."""
    network = rig_network()
    inputs = {name: torch.from_numpy(array) for name, array in rig_inputs(2).items()}
    image = inputs.pop("image")
    network(image, inputs=inputs)[LOGITS].square().mean().backward()
    assert head_of(network).add.weight.grad.abs().max() > 0


def test_a_checkpoint_of_before_answers_as_it_did(before, tmp_path):
    save_network(before, tmp_path / "network.pt")
    assert torch.equal(said(load_network(tmp_path / "network.pt")), said(before))


def test_an_artifact_of_before_runs_in_torch_as_it_did(before, tmp_path):
    path = tmp_path / "rig.onnx"
    export_onnx(before, rig_spec(), path)
    graph = onnx.load_from_string(read_artifact(path).content).graph
    assert not any(name.startswith(f"network.{GROWN[0]}") for name in weights(graph))
    inputs = rig_inputs(3)
    found = load_backend(path, "torch").infer(inputs)[OUTPUT_SURROUND]
    expected = load_backend(path, "onnxruntime").infer(inputs)[OUTPUT_SURROUND]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    logits = said(before).numpy()
    np.testing.assert_allclose(found[:, 3:], logits[:, 3:], atol=1e-3)


def weights(graph):
    return [item.name for item in graph.initializer]
