# SPDX-License-Identifier: Apache-2.0
"""An exported artifact back into a network that can be trained on: fine-tune what was shipped.

``model.unfold`` gives the network that answers as the artifact does, with batch norms that change
nothing. Here the norms get back statistics of their own, measured on a few pictures, and scales and
shifts that undo them: the answers stay, and training finds normalised features again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shared_encoder_perception.artifact.file import ArtifactError, read_model
from shared_encoder_perception.model.checkpoint import CheckpointError
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.model.unfold import removed_after, unfold
from shared_encoder_perception.spec import INPUT_IMAGE
from shared_encoder_perception.training.shown import Shown


def load_artifact(path: Path, config: NetworkConfig, shown: Shown) -> PerceptionNetwork:
    """Build the network of an artifact, in inference mode.

    Args:
        path: The ``.onnx`` file that ``export`` wrote.
        config: What an artifact that does not say it was built from: those before 0.3.0.
        shown: A few dozen pictures like those to be trained on.

    Raises:
        CheckpointError: No ONNX file, or one whose weights do not fit its network.
    """
    try:
        model = read_model(path)
    except ArtifactError as error:
        raise CheckpointError(f"cannot read the artifact {path}: {error}") from None
    network, norms = unfold(model, str(path), config)
    with torch.no_grad():
        _measure_statistics(network, norms, shown)
    return network


def _measure_statistics(network: PerceptionNetwork, norms: list[Any], shown: Shown) -> None:
    """Give every norm its input's mean and variance, and the scale and shift that undo them."""
    moments: dict[int, list[tuple[Tensor, Tensor]]] = {id(norm): [] for norm in norms}

    def before_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        feature = inputs[0]
        moments[id(module)].append((feature.mean((0, 2, 3)), feature.square().mean((0, 2, 3))))

    hooks = [norm.register_forward_pre_hook(before_norm) for norm in norms]
    with removed_after(hooks):
        for batch in shown(network):
            others = dict(batch)
            network(others.pop(INPUT_IMAGE), inputs=others)
    for norm in norms:
        seen = zip(*moments[id(norm)], strict=True)
        mean, square = (torch.stack(values).mean(dim=0) for values in seen)
        variance = (square - mean.square()).clamp(min=1e-4)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.bias.add_(mean)
        norm.weight.copy_((variance + norm.eps).sqrt())
