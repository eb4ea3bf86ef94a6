# SPDX-License-Identifier: Apache-2.0
"""Checkpoints from while architectures knew the tasks: read, and the same network as before."""

from dataclasses import asdict

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.checkpoint import (
    FORMERLY,
    CheckpointError,
    load_network,
    with_names_of_today,
)
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork

FORMER = {
    "shared_fpn": {
        "decoder.heads.lanes.aggregation.": "decoder.aggregation.",
        "decoder.heads.lanes.": "decoder.lanes.",
        "decoder.heads.drivable_surface.": "decoder.mask.",
    },
    "baseline": {
        "decoder.necks.lanes.": "decoder.lane_neck.",
        "decoder.heads.lanes.aggregation.": "decoder.aggregation.",
        "decoder.heads.lanes.": "decoder.lanes.",
        "decoder.necks.drivable_surface.": "decoder.mask_neck.",
        "decoder.heads.drivable_surface.": "decoder.mask.",
    },
}
"""Beginnings of names today -> what they were."""


def formerly(architecture, name):
    for now, before in FORMER[architecture].items():
        if name.startswith(now):
            return before + name.removeprefix(now)
    return name


@pytest.mark.parametrize("architecture", FORMER)
def test_a_checkpoint_of_former_names_is_the_same_network(architecture, tmp_path):
    torch.manual_seed(0)
    config = NetworkConfig(architecture=architecture, channels=16, aggregation=True)
    network = PerceptionNetwork(config).eval()
    written = asdict(config)
    del written["tasks"]
    weights = {formerly(architecture, name): v for name, v in network.state_dict().items()}
    assert weights.keys() != network.state_dict().keys()
    content = {"format": FORMERLY, "config": written, "weights": weights, "spec": ""}
    torch.save(content, tmp_path / "network.pt")
    loaded = load_network(tmp_path / "network.pt")
    assert loaded.config == config
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_names_of_today_stay(architecture):
    names = dict.fromkeys(
        PerceptionNetwork(NetworkConfig(architecture=architecture, channels=16)).state_dict()
    )
    assert list(with_names_of_today(names)) == list(names)


def test_a_later_format_is_refused(tmp_path):
    torch.save({"format": FORMERLY.replace("v2", "v9"), "weights": {}}, tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match="is not a network checkpoint of this package"):
        load_network(tmp_path / "network.pt")
