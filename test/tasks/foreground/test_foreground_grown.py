# SPDX-License-Identifier: Apache-2.0
"""Pairs' networks from before their heads got sharpeners: read, and they answer as they did."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.model.checkpoint import (
    FORMAT,
    CheckpointError,
    grown,
    load_network,
    save_network,
)
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork, promised
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.foreground.head import GROWN, LOGITS
from shared_encoder_perception.training import shown
from shared_encoder_perception.training.from_artifact import load_artifact

SIZE = (64, 160)
CONFIG = NetworkConfig(ENCODER, channels=16, head_channels=4, tasks=["foreground"])


class Before(torch.nn.Identity):
    """What stood where the sharpeners are."""


@pytest.fixture(scope="module")
def before():
    """A network without them."""
    torch.manual_seed(0)
    network = PerceptionNetwork(CONFIG).eval()
    network.decoder.heads["foreground"].sharpen = Before()
    return network


def pictures(count=2):
    noise = np.random.default_rng(1).integers(0, 256, (2, count, *SIZE, 3), np.uint8)
    return torch.from_numpy(noise)


def said(network):
    now, then = pictures()
    with torch.no_grad():
        return network(now, inputs={"background": then})[LOGITS]


def test_only_the_sharpeners_are_what_it_lacks(before):
    names = PerceptionNetwork(CONFIG).state_dict().keys()
    later = names - before.state_dict().keys()
    assert later == grown(PerceptionNetwork(CONFIG))
    assert all(name.startswith(GROWN) for name in later)
    assert not grown(PerceptionNetwork(NetworkConfig(ENCODER, channels=16, tasks=["lanes"])))


def test_a_checkpoint_of_before_answers_as_it_did(before, tmp_path):
    save_network(before, tmp_path / "network.pt")
    assert torch.equal(said(load_network(tmp_path / "network.pt")), said(before))


def test_any_other_weight_that_lacks_is_an_error(before, tmp_path):
    weights = before.state_dict()
    del weights["decoder.heads.foreground.logit.bias"]
    save_network(before, tmp_path / "network.pt")
    content = torch.load(tmp_path / "network.pt", weights_only=True)
    assert content["format"] == FORMAT
    torch.save({**content, "weights": dict(weights)}, tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match=r"logit\.bias"):
        load_network(tmp_path / "network.pt")


@pytest.fixture(scope="module")
def artifact(before, tmp_path_factory):
    path = tmp_path_factory.mktemp("before") / "pair.onnx"
    export_onnx(before, ModelSpec("pair", "0.6.0", SIZE, promised(CONFIG, SIZE)), path)
    return path


def test_an_artifact_of_before_runs_in_torch_as_it_did(before, artifact):
    assert not any("sharpen" in name for name in weights_of(artifact))
    backend = load_backend(artifact, "torch")
    now, then = (one.numpy() for one in pictures(1))
    found = backend.infer({"image": now, "background": then})["foreground"]
    with torch.no_grad():
        logits = before(torch.from_numpy(now), inputs={"background": torch.from_numpy(then)})[
            LOGITS
        ]
    assert np.abs(found - 255 * torch.sigmoid(logits).numpy()).max() <= 0.51 + 1e-2


def test_training_may_start_from_an_artifact_of_before(before, artifact):
    network = load_artifact(artifact, CONFIG, shown.pictures(pictures(8)[0])).eval()
    assert torch.allclose(said(network), said(before), atol=1e-3)


def weights_of(path):
    found = onnx.load_from_string(read_artifact(path).content)
    return [item.name for item in found.graph.initializer]
