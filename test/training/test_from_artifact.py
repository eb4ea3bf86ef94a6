# SPDX-License-Identifier: Apache-2.0
"""An exported artifact becomes a network again: the same answers, and fit for training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import onnx
from shipped import FORMER, shipped_worlds
from smallest import ENCODER

from shared_encoder_perception.artifact.file import NETWORK_KEY
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.model.checkpoint import CheckpointError, save_network, take_over
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.model.unfold import unfold
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks import DEFAULT
from shared_encoder_perception.training import shown
from shared_encoder_perception.training.agreement import compare
from shared_encoder_perception.training.calibrated_artifact import replace_spec
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.from_artifact import load_artifact
from shared_encoder_perception.training.train import first_network
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (64, 160)
CONFIG = NetworkConfig(ENCODER)
SMALL = f"network.encoder={ENCODER}"
SPEC = ModelSpec("test", "0", input_size=SIZE)


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def some(count):
    return shown.pictures(torch.from_numpy(pictures(count)))


def trained_a_little():
    """A network whose batch norms are not what they were at birth."""
    torch.manual_seed(0)
    network = PerceptionNetwork(CONFIG).train()
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
    return load_artifact(artifact, CONFIG, some(8))


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


def test_an_artifact_says_itself_what_it_was_built_from(tmp_path):
    """The encoder's scale leaves no trace in the weights: guessed wrong, all answers change."""
    torch.manual_seed(0)
    path, size = tmp_path / "scaled.onnx", (64, 160)
    scaled = PerceptionNetwork(NetworkConfig(ENCODER, encoder_scale=0.5, channels=32)).eval()
    export_onnx(scaled, ModelSpec("scaled", "0", input_size=size), path)
    replace_spec(path, ModelSpec("renamed", "1", input_size=size))
    network = load_artifact(path, CONFIG, some(4))
    assert network.config == scaled.config
    assert compare(network, load_backend(path), pictures(2, seed=9)).small


def test_a_former_model_is_taken_back_by_its_former_names():
    """Weights are called as they were while architectures knew the tasks."""
    model = onnx.load(FORMER)
    assert "network.decoder.lanes.hidden.0.weight" in {one.name for one in model.graph.initializer}
    start, _ = unfold(model, "0.5.0")
    backend = load_backend(FORMER)
    assert set(start.config.tasks) == set(backend.spec.tasks)
    images = np.stack([render_sample(seed, backend.spec.input_size).image for seed in range(2)])
    assert compare(start, backend, images).small


def test_what_cannot_be_taken_back_is_refused_and_not_guessed(tmp_path):
    """Attention has gains that the exporter folds away: without them other answers come."""
    network = PerceptionNetwork(
        NetworkConfig(ENCODER, channels=16, head_channels=4, attention=True)
    )
    export_onnx(network, ModelSpec("m", "0", input_size=(64, 160)), tmp_path / "m.onnx")
    with pytest.raises(CheckpointError, match=r"attention.*cannot be taken back"):
        unfold(onnx.load(tmp_path / "m.onnx"), "m.onnx")


def test_the_shipped_model_can_be_trained_on():
    images = shipped_worlds(4)
    network = load_artifact(
        DEFAULT_MODEL, NetworkConfig(), shown.pictures(torch.from_numpy(images))
    )
    assert compare(network, load_backend(DEFAULT_MODEL), images[:2]).small


@pytest.fixture(scope="module")
def silent(artifact, tmp_path_factory):
    """An artifact from before artifacts said what they were built from."""
    model = onnx.load(artifact)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != NETWORK_KEY}
    onnx.helper.set_model_props(model, kept)
    path = tmp_path_factory.mktemp("silent") / "model.onnx"
    onnx.save(model, path)
    return path


def test_an_artifact_that_does_not_say_it_is_taken_for_what_the_config_says(silent):
    network = load_artifact(silent, CONFIG, some(4))
    assert compare(network, load_backend(silent), pictures(2, seed=9)).small


def test_another_network_is_refused(silent):
    with pytest.raises(CheckpointError, match="set `init_network` in the config"):
        load_artifact(silent, NetworkConfig(ENCODER, channels=32), some(1))
    with pytest.raises(CheckpointError, match="not exported from this network"):
        load_artifact(silent, NetworkConfig(ENCODER, attention=True), some(1))


def test_a_network_of_another_version_is_named(artifact, tmp_path):
    model = onnx.load(artifact)
    onnx.helper.set_model_props(model, {NETWORK_KEY: '{"encoder": "resnet18", "wings": 2}'})
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(CheckpointError, match=r"this version does not know.*wings"):
        load_artifact(tmp_path / "model.onnx", CONFIG, some(1))


@pytest.mark.parametrize("content", [None, b"no onnx"])
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "model.onnx"
    if content:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot read the artifact .*model\.onnx"):
        load_artifact(path, CONFIG, some(1))


def test_another_network_takes_over_what_fits():
    start = trained_a_little()
    network = PerceptionNetwork(NetworkConfig(ENCODER, architecture="baseline", attention=True))
    taken = take_over(network, start)
    encoder = [name for name in start.state_dict() if name.startswith("encoder.")]
    assert len(encoder) <= taken < len(network.state_dict())
    for name in encoder:
        assert torch.equal(network.state_dict()[name], start.state_dict()[name])
    assert take_over(PerceptionNetwork(CONFIG), start) == len(start.state_dict())


def test_networks_without_anything_in_common_are_refused():
    start = trained_a_little()
    other = PerceptionNetwork(NetworkConfig(encoder="resnet18", architecture="baseline"))
    with pytest.raises(CheckpointError, match="start from the same encoder"):
        take_over(other, start)


def test_a_network_of_fewer_tasks_starts_from_one_of_all():
    start, (name, *_) = trained_a_little(), DEFAULT
    network = PerceptionNetwork(NetworkConfig(ENCODER, tasks=[name]))
    assert take_over(network, start) == len(network.state_dict())


def test_what_differs_from_the_start_is_said(tmp_path, capsys):
    path = tmp_path / "network.pt"
    save_network(PerceptionNetwork(NetworkConfig(ENCODER, encoder_scale=0.5)), path)
    first_network(load_config(None, [SMALL, f"init={path}"]))
    assert "encoder_scale is 0.5 there and 1.0 here" in capsys.readouterr().out
    first_network(load_config(None, [SMALL, f"init={path}", "network.encoder_scale=0.5"]))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("suffix", ["onnx", "pt"])
def test_training_starts_where_init_says(artifact, tmp_path, suffix):
    path = artifact
    if suffix == "pt":
        path = tmp_path / "network.pt"
        save_network(trained_a_little(), path)
    config = load_config(None, [SMALL, f"init={path}", "stages=[{size: [64, 160]}]"])
    network = first_network(config).eval()
    assert compare(network, load_backend(artifact), pictures(2, seed=9)).small
