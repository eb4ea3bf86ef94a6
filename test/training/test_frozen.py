# SPDX-License-Identifier: Apache-2.0
"""Frozen layers are those up to a stride, and training does not touch them."""

from __future__ import annotations

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from labelled_set import write_set

from shared_encoder_perception.layers.encoder import STRIDES, Encoder
from shared_encoder_perception.model.checkpoint import load_network, save_network
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.frozen import freeze
from shared_encoder_perception.training.train import train

STAGE = "{size: [64, 160], steps: 1, learning_rate: 1e-2, batch_size: 2}"
LONGER = STAGE.replace("steps: 1", "steps: 6")
"""Averages of weights are taken from the second step on."""
ENCODERS = ("test_efficientnet", "test_resnet", "mobilenetv4_conv_small")


def frozen_names(name: str, stride: int) -> set[str]:
    encoder = Encoder(name)
    freeze(encoder, stride)
    return {key for key, one in encoder.named_parameters() if not one.requires_grad}


@pytest.mark.parametrize("name", ENCODERS)
def test_each_stride_freezes_more_and_the_last_one_all(name):
    sets = [frozen_names(name, stride) for stride in (0, *STRIDES)]
    assert sets[0] == set()
    assert all(one < other for one, other in pairwise(sets))
    assert sets[-1] == {key for key, _ in Encoder(name).named_parameters()}


@pytest.mark.parametrize("name", ENCODERS)
def test_features_up_to_the_stride_depend_on_nothing_that_is_trained(name):
    torch.manual_seed(0)
    encoder = Encoder(name).train()
    layers = freeze(encoder, 8)
    assert encoder.training and not any(layer.training for layer in layers)
    image = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    for feature, stride in zip(encoder(image, (64, 96)), STRIDES, strict=True):
        assert feature.requires_grad == (stride > 8)


def test_a_second_stage_freezes_the_same_layers():
    encoder = Encoder("test_resnet")
    first, second, all_of_it = (freeze(encoder, stride) for stride in (8, 8, 32))
    assert first == second and set(first) < set(all_of_it)


def test_training_leaves_them_as_they_were(tmp_path):
    data = write_set(tmp_path / "data", 4)
    start = PerceptionNetwork(NetworkConfig("test_resnet", channels=16, head_channels=8))
    save_network(start, tmp_path / "start.pt")
    options = [
        *("network.encoder=test_resnet", "network.channels=16", "network.head_channels=8"),
        *(f"out={tmp_path / 'run'}", f"init={tmp_path / 'start.pt'}", "freeze_encoder=8"),
        f"data={{train: [{{path: {data}}}], val: [{{path: {data}}}]}}",
        f"stages=[{LONGER}, {STAGE}]",
        *("machine.workers=0", "machine.precision=32-true"),
    ]
    train(load_config(None, options))
    trained = load_network(tmp_path / "run/network.pt")
    frozen = frozen_names("test_resnet", 8)
    before, after = (dict(one.encoder.named_parameters()) for one in (start, trained))
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert frozen and frozen == same
    statistics = [key for key, _ in start.encoder.named_buffers() if "running_mean" in key]
    owners = {key.rpartition(".")[0] for key in frozen}
    old, new = (dict(one.encoder.named_buffers()) for one in (start, trained))
    for key in statistics:
        held = key.rpartition(".")[0] in owners
        assert torch.equal(old[key], new[key]) == held


@pytest.mark.parametrize("architecture", ["light_fpn", "baseline"])
def test_a_task_moves_in_and_the_others_hear_nothing_of_it(architecture, tmp_path):
    keys = {"channels": 16, "head_channels": 8, "architecture": architecture}
    torch.manual_seed(1)
    start = PerceptionNetwork(NetworkConfig("test_resnet", tasks=["lanes"], **keys)).eval()
    save_network(start, tmp_path / "start.pt")
    moves_in = {"tasks": ["lanes", "semantic"], **keys}
    options = [
        *("network.encoder=test_resnet", f"init={tmp_path / 'start.pt'}"),
        *(f"network.{key}={value}".replace("'", "") for key, value in moves_in.items()),
        f"out={tmp_path / 'run'}",
        "data={train: [{path: synthetic}], val: [{path: synthetic, count: 2}]}",
        *(f"stages=[{LONGER}, {STAGE}]", "train_only=[semantic]"),
        *("machine.workers=0", "machine.precision=32-true"),
    ]
    train(load_config(None, options))
    trained = load_network(tmp_path / "run/network.pt").eval()
    image = torch.randint(0, 256, (2, 64, 160, 3), dtype=torch.uint8)
    with torch.no_grad():
        before, after = start(image), trained(image)
    assert before and all(torch.equal(value, after[key]) for key, value in before.items())
    first, second = (
        dict(load_network(tmp_path / "run" / name).named_parameters())
        for name in ("stage0.pt", "network.pt")
    )
    changed = {key for key in first if not torch.equal(first[key], second[key])}
    assert changed and all("semantic" in key for key in changed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["train_only=[semantic]"], r"train_only: \['semantic'\] are not among network.tasks"),
        (["train_only=[lanes]", "loss.weighting=gradnorm"], "gradnorm compares gradients"),
        (["freeze_encoder=5"], r"freeze_encoder is 5, expected one of \(0, 4, 8, 16, 32\)"),
        (["freeze_encoder=32", "loss.weighting=pcgrad"], "pcgrad compares gradients"),
    ],
)
def test_what_cannot_be_frozen_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        load_config(None, options)
