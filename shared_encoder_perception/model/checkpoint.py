"""Checkpoints of the network: its configuration and weights, nothing that could run code."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

import torch

from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec

FORMAT: Final = "shared_encoder_perception.network.v2"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says what to do."""


def save_network(network: PerceptionNetwork, path: Path, spec: ModelSpec | None = None) -> None:
    """Write a checkpoint; it appears under its name only when complete.

    Args:
        network: Its configuration and weights.
        path: File to write.
        spec: What makes it a model that the backend torch runs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    content = {
        "format": FORMAT,
        "config": asdict(network.config),
        "weights": network.state_dict(),
        "spec": spec.to_json() if spec else "",
    }
    torch.save(content, part)
    os.replace(part, path)


def take_over(network: PerceptionNetwork, start: PerceptionNetwork) -> int:
    """Copy the weights of another network as far as their names and shapes fit (in place).

    Returns:
        How many tensors fit.

    Raises:
        CheckpointError: The encoders differ, so that what fits would fit by chance.
    """
    if start.config.encoder != network.config.encoder:
        raise CheckpointError(
            f"the weights to start from have the encoder {start.config.encoder}, this network has "
            f"{network.config.encoder}: start from the same encoder"
        )
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in start.state_dict().items()
        if name in own and own[name].shape == value.shape
    }
    network.load_state_dict(fitting, strict=False)
    return len(fitting)


def load_network(path: Path) -> PerceptionNetwork:
    """Build the network of a checkpoint, in inference mode.

    Raises:
        CheckpointError: Missing, unreadable or foreign file.
    """
    return read_network(path, str(path))[0]


def read_network(file: Path | BinaryIO, source: str) -> tuple[PerceptionNetwork, str]:
    """Build the network of a checkpoint, in inference mode.

    Args:
        file: Its path or content.
        source: What to call it in messages.

    Returns:
        The network, and its spec as JSON; empty when nobody gave it one.

    Raises:
        CheckpointError: Missing, unreadable or foreign file.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many unrelated types for a bad file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"cannot read the checkpoint {source}: {reason}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{source} is not a network checkpoint of this package (format {FORMAT!r}): "
            "give the network.pt that `train` writes"
        )
    network = PerceptionNetwork(NetworkConfig(**{**content["config"], "pretrained": False}))
    network.load_state_dict(content["weights"])
    return network.eval(), str(content.get("spec", ""))
