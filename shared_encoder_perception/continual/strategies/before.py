# SPDX-License-Identifier: Apache-2.0
"""The network as the tasks before left it: what teachers are made of."""

from __future__ import annotations

import torch

from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.precision import quicken_depthwise


def as_before(network: PerceptionNetwork) -> PerceptionNetwork:
    """Return a frozen copy in inference mode: batch norm by the statistics that it has learned.

    It is built anew, since a copy of everything would take along the hooks of whoever trained the
    network. No random number is used up.

    Args:
        network: Stays as it is.
    """
    with torch.random.fork_rng(devices=[]):
        copy = PerceptionNetwork(network.config)
    copy.load_state_dict(network.state_dict())
    parameter = next(network.parameters())
    copy = copy.to(device=parameter.device, memory_format=torch.channels_last)
    quicken_depthwise(copy)
    return copy.eval().requires_grad_(False)
