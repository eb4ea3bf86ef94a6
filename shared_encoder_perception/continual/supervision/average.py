# SPDX-License-Identifier: Apache-2.0
"""A teacher whose weights are an average of the student's (Tarvainen and Valpola, NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from shared_encoder_perception.continual.strategies.before import as_before
from shared_encoder_perception.model.network import PerceptionNetwork


class AveragedTeacher:
    """A frozen copy that follows the student slowly.

    Attributes:
        network: In inference mode.
    """

    def __init__(self, network: PerceptionNetwork, decay: float) -> None:
        """Begin as ``network``; ``decay`` is how much of the teacher each step leaves."""
        self.network, self._decay = as_before(network), decay

    def follow(self, student: PerceptionNetwork) -> None:
        """Go towards the student: its weights, and its norms' statistics; counters are copied."""
        own = self.network.state_dict()
        with torch.no_grad():
            for name, value in student.state_dict().items():
                if value.is_floating_point():
                    own[name].lerp_(value.to(own[name]), 1 - self._decay)
                else:
                    own[name].copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Return the weights, on the CPU."""
        return {name: value.cpu().clone() for name, value in self.network.state_dict().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take weights back."""
        self.network.load_state_dict(dict(state))
