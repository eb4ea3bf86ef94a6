# SPDX-License-Identifier: Apache-2.0
"""A small network that answers rigs, and lopsided rigs of any number of cameras to ask it with."""

from copy import deepcopy
from functools import cache

import numpy as np
from flat_ground import camera
from one_task import exported_once
from smallest import ENCODER

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.table import Sight

SIZE = (64, 160)


def rig_of(count):
    """Return a rig of cameras all around, no two alike."""
    return Rig(
        tuple(
            camera(
                f"camera_{index}",
                3.0 + 360 * index / count,
                (1.0 - 0.3 * index, 0.2 * index - 0.4, 1.4 + 0.1 * index),
                focal_px=300.0 + 15 * index,
                fisheye=index == 1,
            )
            for index in range(count)
        )
    )


def tables(rig, size=SIZE, live=None, grid=None):
    """Return the two inputs that are a rig's calibration, each with the axis of rigs."""
    table = Sight.of(rig, grid or BevGrid(), size).table(live=live)
    return {"view_place": table.place[None], "view_weight": table.weight[None]}


def pictures(count, seed=0, size=SIZE):
    """Return blots of colour, (count, H, W, 3) uint8: noise alone would look alike everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 10, 3), np.uint8)
    return coarse.repeat(size[0] // 4, axis=1).repeat(size[1] // 10, axis=2)


def rig_inputs(count, seed=0):
    """Return all inputs of one rig."""
    return {"image": pictures(count, seed), **tables(rig_of(count))}


def rig_config(*others, **keys):
    """Return what the network is built from, with other tasks beside ``surround``."""
    from shared_encoder_perception.model.config import NetworkConfig

    return NetworkConfig(ENCODER, channels=16, head_channels=4, tasks=[*others, "surround"], **keys)


def rig_network(*others, **keys):
    """Return the network: random weights, the same in every process, that tell pictures apart.

    Its batch norms have seen pictures once, so that what comes through all layers is not nothing.
    """
    return deepcopy(_made(others, tuple(keys.items())))


@cache
def _made(others, keys):
    """Return it, made once."""
    import torch
    from torch import nn

    from shared_encoder_perception.model.network import PerceptionNetwork

    torch.manual_seed(0)
    network = PerceptionNetwork(rig_config(*others, **dict(keys)))
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    given = {**rig_inputs(4, seed=7), **tables(rig_of(4), grid=network.config.grid)}
    inputs = {name: torch.from_numpy(array) for name, array in given.items()}
    image = inputs.pop("image")
    with torch.no_grad():
        network.train()(image, inputs=inputs)
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


def rig_spec(*others, **keys):
    """Return what its artifact promises."""
    from shared_encoder_perception.model.network import plain_spec

    return plain_spec(rig_config(*others, **keys), "rig", SIZE)


def export_once(folder, *others, sampler="grid_sample"):
    """Return the artifact of the network, one for all processes of this run."""
    return exported_once(
        folder / f"{'_'.join(('rig', *others, sampler))}.onnx",
        lambda: (rig_network(*others), rig_spec(*others)),
        sampler,
    )
