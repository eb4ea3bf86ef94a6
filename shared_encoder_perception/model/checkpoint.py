# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the network: its configuration and weights, nothing that could run code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import torch

from shared_encoder_perception import tasks
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.whole_file import replacing
from shared_encoder_perception.model.config import config_from_file
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec, SpecError

FORMAT: Final = "shared_encoder_perception.network.v3"
FORMERLY: Final = "shared_encoder_perception.network.v2"
"""Also read: weights had other names, and all networks the same two tasks."""

T = TypeVar("T")


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
    content = {
        "format": FORMAT,
        "config": asdict(network.config),
        "weights": network.state_dict(),
        "spec": spec.to_json() if spec else "",
    }
    with replacing(path) as part:
        torch.save(content, part)


def with_names_of_today(weights: Mapping[str, T]) -> dict[str, T]:
    """Return weights by the names they have in this version, of those of any earlier one."""
    renamed = {
        before: now
        for room in tasks.parts("head").values()
        for before, now in getattr(room, "FORMERLY", {}).items()
    }
    found = {}
    for name, value in weights.items():
        before = next((start for start in renamed if name.startswith(start)), "")
        found[renamed.get(before, "") + name.removeprefix(before)] = value
    return found


def grown(network: PerceptionNetwork) -> set[str]:
    """Return the names of weights that a network of an earlier version lacks.

    They are of parts that came to its tasks' heads since (``GROWN`` there), and change nothing as
    they begin: without them it answers as it did.
    """
    rooms = tasks.parts("head", network.config.tasks).values()
    later = tuple(start for room in rooms for start in getattr(room, "GROWN", ()))
    return {name for name in network.state_dict() if name.startswith(later)}


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


def load_numbers(file: Path | BinaryIO, source: str) -> Any:
    """Load what torch has saved, but nothing that could run a program.

    Args:
        file: Its path or content.
        source: What to call it in messages.

    Raises:
        CheckpointError: Missing, unreadable, or it holds more than tensors and plain values.
    """
    try:
        opened = plain(file) if isinstance(file, Path) else file
        return torch.load(opened, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many unrelated types for a bad file
        if isinstance(error, pickle.UnpicklingError):
            reason = (
                "it is damaged, or holds more than tensors and plain values, which could run a "
                "program; take it from where it was made"
            )
        else:
            lines = str(getattr(error, "strerror", None) or error).splitlines()
            reason = printable(lines[0]) if lines else type(error).__name__
        raise CheckpointError(f"cannot read the checkpoint {source}: {reason}") from None


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
        CheckpointError: Missing, unreadable or foreign file, or a task that is not known.
        SpecError: A spec that this version cannot read.
    """
    content = load_numbers(file, source)
    if not isinstance(content, dict) or content.get("format") not in (FORMAT, FORMERLY):
        raise CheckpointError(
            f"{source} is not a network checkpoint of this package (format {FORMAT!r}): "
            "give the network.pt that `train` writes"
        )
    text, weights = str(content.get("spec", "")), content.get("weights")
    try:
        if text:  # it says more of a task that is not known than the network could
            ModelSpec.from_json(text)
        network = PerceptionNetwork(config_from_file(content.get("config"), "the configuration"))
        if not isinstance(weights, Mapping) or not all(
            isinstance(name, str) and isinstance(value, torch.Tensor)
            for name, value in weights.items()
        ):
            raise ValueError("its weights are no tensors by name")
        found, begun = with_names_of_today(weights), network.state_dict()
        network.load_state_dict({name: begun[name] for name in grown(network)} | found)
    except SpecError as error:
        raise SpecError(f"{source}: {error}") from None
    except tasks.UnknownTaskError as error:
        raise CheckpointError(f"{source}: {error}; use the version that made it") from None
    except (ValueError, RuntimeError) as error:  # torch names each tensor that does not fit
        words = printable(" ".join(str(error).split()))
        raise CheckpointError(f"{source} cannot be used: {words[:300]}") from None
    return network.eval(), text
