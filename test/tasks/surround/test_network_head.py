# SPDX-License-Identifier: Apache-2.0
"""The network that answers rigs: many at once in training, beside tasks of single images."""

import numpy as np
import pytest
from rig_network import SIZE, rig_config, rig_inputs, rig_network, rig_of, rig_spec, tables

torch = pytest.importorskip("torch", reason="the network is of torch: make test")
pytest.importorskip("timm", reason="the network is of torch: make test")

from shared_encoder_perception.layers.bev import BevDecoder
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.checkpoint import load_network, save_network
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork, promised
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.table import Sight
from shared_encoder_perception.tasks.surround.head import LOGITS

SMALL = BevGrid(-6.0, -6.0, 21, 24, 0.5, (0.0, 1.0))
"""Another number of cells in each direction, one of them odd."""


def run(network, *rigs):
    """Ask about rigs of the same number of cameras at once."""
    inputs = {
        name: torch.from_numpy(np.concatenate([one[name] for one in rigs])) for name in rigs[0]
    }
    image = inputs.pop("image")
    with torch.no_grad():
        return network(image, inputs=inputs)


def some_rig(cameras, seed=0, grid=None):
    return {**rig_inputs(cameras, seed), **tables(rig_of(cameras), grid=grid)}


@pytest.mark.parametrize("cameras", [1, 3])
def test_rigs_of_a_batch_are_answered_as_if_each_were_alone(cameras):
    network, rigs = rig_network("drivable_surface"), [some_rig(cameras, seed) for seed in (0, 1, 2)]
    together = run(network, *rigs)
    assert together[LOGITS].shape == (3, 5, 100, 100)
    for index, rig in enumerate(rigs):
        alone = run(network, rig)
        assert (together[LOGITS][index] - alone[LOGITS][0]).abs().max() < 1e-4
    assert (together[LOGITS][0] - together[LOGITS][1]).abs().max() > 0.1
    (mask,) = (value for name, value in together.items() if name != LOGITS)
    assert len(mask) == 3 * cameras, "answers to images keep their own axis"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_can_be_asked(architecture):
    network = rig_network("drivable_surface", architecture=architecture, grid=SMALL)
    said = run(network, some_rig(2, grid=SMALL))[LOGITS]
    assert said.shape == (1, 5, 24, 21)
    assert said.std(dim=(0, 2, 3)).min() > 1e-3


def test_the_artifact_promises_the_grid_of_the_config():
    block = promised(rig_config(grid=SMALL, views=3), SIZE)["surround"]
    assert block.grid == SMALL
    assert block.inputs(SIZE)["view_place"].shape == (3, 2 * 24 * 21, 2)
    network = rig_network(grid=SMALL)
    wrapper = DeployWrapper(network, rig_spec(grid=SMALL).tasks)
    assert wrapper.inputs == ["image", "view_place", "view_weight"]
    with pytest.raises(ValueError, match="the spec promises surround on another grid"):
        DeployWrapper(network, rig_spec().tasks)


def test_a_cell_teaches_the_cameras_that_see_it():
    """The gradient of what is lifted into one cell reaches the cameras that see it and no other."""
    network, rig = rig_network(), some_rig(4)
    inputs = {name: torch.from_numpy(array) for name, array in rig.items()}
    maps, lifted = [], []
    for module, kept in (
        (network.decoder.neck, maps),
        (network.decoder.heads["surround"].lift, lifted),
    ):
        module.register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(out))
    network(inputs.pop("image"), inputs=inputs)
    maps[0].retain_grad()
    row, column = 50, 90
    lifted[0][0, :, row, column].sum().backward()
    views = Sight.of(rig_of(4), BevGrid(), SIZE).margin.reshape(4, -1, 100, 100)[:, :, row, column]
    reached = maps[0].grad.abs().amax(dim=(1, 2, 3)) > 0
    assert reached.tolist() == (views >= 0).any(axis=1).tolist()
    assert 0 < reached.sum() < 4
    assert next(network.encoder.parameters()).grad.abs().max() > 0


def test_with_nothing_seen_the_pictures_say_nothing():
    network, one, other = rig_network(), some_rig(2), some_rig(2, seed=4)
    for rig in (one, other):
        rig["view_weight"][:] = 0
    assert torch.equal(run(network, one)[LOGITS], run(network, other)[LOGITS])


def test_without_tables_the_missing_one_is_named():
    network = rig_network()
    with pytest.raises(ValueError, match="view_place, view_weight beside the images"):
        network(torch.zeros((2, *SIZE, 3), dtype=torch.uint8))


def test_images_that_are_no_whole_rigs_are_refused():
    network, rig = rig_network(), some_rig(3)
    twice = {name: np.concatenate((rig[name], rig[name])) for name in ("view_place", "view_weight")}
    with pytest.raises(ValueError, match="3 images for 2 rigs"):
        run(network, {**rig, **twice})


def test_a_network_forgets_the_rig_as_any_task():
    network = rig_network("drivable_surface")
    network.keep(["drivable_surface"])
    said = network(torch.zeros((2, *SIZE, 3), dtype=torch.uint8))
    assert LOGITS not in said


def test_checkpoints_remember_the_grid(tmp_path):
    network = rig_network(grid=SMALL)
    save_network(network, tmp_path / "network.pt")
    again = load_network(tmp_path / "network.pt").eval()
    assert again.config.grid == SMALL
    rig = some_rig(2, grid=SMALL)
    assert torch.equal(run(network, rig)[LOGITS], run(again, rig)[LOGITS])


def test_the_head_has_about_a_million_weights():
    """Shipped beside an encoder of 1.4 million: 12 MB in all."""
    network = PerceptionNetwork(NetworkConfig(tasks=["surround"]))
    count = sum(one.numel() for one in network.decoder.heads["surround"].parameters())
    assert 0.7e6 < count < 1.1e6
    assert sum(one.numel() for one in network.parameters()) * 4 < 11e6


@pytest.mark.parametrize("shape", [(100, 100), (7, 9), (2, 2), (1, 5)])
def test_the_decoder_takes_any_number_of_cells(shape):
    made = BevDecoder(8).eval()
    with torch.no_grad():
        assert made(torch.randn((2, 8, *shape)), torch.ones((2, 1, *shape))).shape[2:] == shape
