"""An exported artifact becomes a network again: the same answers, and fit for training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.model.checkpoint import CheckpointError, save_network, take_over
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.export import compare, export_onnx
from shared_encoder_perception.training.from_artifact import load_artifact
from shared_encoder_perception.training.train import first_network

SIZE = (64, 160)
SPEC = ModelSpec("test", "0", input_size=SIZE)


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def trained_a_little():
    """A network whose batch norms are not what they were at birth."""
    torch.manual_seed(0)
    network = PerceptionNetwork(NetworkConfig()).train()
    with torch.no_grad():
        for index in range(3):
            network(torch.from_numpy(pictures(4, index)))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
    return network.eval()


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    path = tmp_path_factory.mktemp("artifact") / "model.onnx"
    export_onnx(trained_a_little(), SPEC, path)
    return path


@pytest.fixture(scope="module")
def network(artifact):
    return load_artifact(artifact, NetworkConfig(), torch.from_numpy(pictures(8)))


def test_it_answers_as_the_artifact(artifact, network):
    assert compare(network, load_backend(artifact), pictures(4, seed=9)).small


def test_its_norms_hold_the_statistics_of_the_pictures(network):
    images = torch.from_numpy(pictures(8))
    with torch.no_grad():
        still = network(images)
        moving = network.train()(images)
    network.eval()
    for name, value in still.items():
        assert torch.allclose(value, moving[name], atol=0.02 * value.abs().max().item())


def test_another_network_is_refused(artifact):
    with pytest.raises(CheckpointError, match="set `network` in the config"):
        load_artifact(artifact, NetworkConfig(channels=32), torch.from_numpy(pictures(1)))
    with pytest.raises(CheckpointError, match="not exported from this network"):
        load_artifact(artifact, NetworkConfig(attention=True), torch.from_numpy(pictures(1)))


@pytest.mark.parametrize("content", [None, b"no onnx"])
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "model.onnx"
    if content:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot read the artifact .*model\.onnx"):
        load_artifact(path, NetworkConfig(), torch.from_numpy(pictures(1)))


def test_another_network_takes_over_what_fits():
    start = trained_a_little()
    network = PerceptionNetwork(NetworkConfig(architecture="baseline", attention=True))
    taken = take_over(network, start)
    encoder = [name for name in start.state_dict() if name.startswith("encoder.")]
    assert len(encoder) <= taken < len(network.state_dict())
    for name in encoder:
        assert torch.equal(network.state_dict()[name], start.state_dict()[name])
    assert take_over(PerceptionNetwork(NetworkConfig()), start) == len(start.state_dict())


def test_networks_without_anything_in_common_are_refused():
    start = trained_a_little()
    other = PerceptionNetwork(NetworkConfig(encoder="resnet18", architecture="baseline"))
    with pytest.raises(CheckpointError, match="start from the same encoder"):
        take_over(other, start)


@pytest.mark.parametrize("suffix", ["onnx", "pt"])
def test_training_starts_where_init_says(artifact, tmp_path, suffix):
    path = artifact
    if suffix == "pt":
        path = tmp_path / "network.pt"
        save_network(trained_a_little(), path)
    config = load_config(None, [f"init={path}", "stages=[{size: [64, 160]}]"])
    network = first_network(config).eval()
    assert compare(network, load_backend(artifact), pictures(2, seed=9)).small
