# SPDX-License-Identifier: Apache-2.0
"""What is done against forgetting: strategies by name, from one literal table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # a table of names costs no torch
    from shared_encoder_perception.continual.config import ContinualConfig
    from shared_encoder_perception.continual.strategies.contract import Strategy


@dataclass(frozen=True)
class Row:
    """One strategy.

    Attributes:
        made_by: Module of this package and class, ``Class(config)``; empty for what the sequence
            itself does.
        draws: Whether a share of each batch is drawn from earlier tasks.
        alone: Whether no other strategy may stand beside it.
        excludes: Which may not.
        adds_losses: Whether it adds losses to those of the labels.
    """

    made_by: tuple[str, str] | None = None
    draws: bool = False
    alone: bool = False
    excludes: tuple[str, ...] = ()
    adds_losses: bool = False


STRATEGIES: Final = MappingProxyType[str, Row](
    {
        "joint": Row(draws=True, alone=True),
        "naive": Row(alone=True),
        "replay": Row(draws=True),
        "latent_replay": Row(
            ("latent_replay", "LatentReplay"),
            draws=True,
            excludes=("replay", "lwf", "pod"),  # the latter's teachers look at pictures
        ),
        "lwf": Row(("lwf", "Lwf"), adds_losses=True),
        "pod": Row(("pod", "Pod"), adds_losses=True),
        "ewc": Row(("ewc", "Ewc"), adds_losses=True),
    }
)
"""Name -> how it is made, and what it goes with."""


def make_strategies(config: ContinualConfig) -> dict[str, Strategy]:
    """Return the strategies that add to plain training, by name, in the config's order.

    Raises:
        ValueError: A value of theirs that cannot work.
    """
    return {name: _made(config, *row) for name, row in _rows(config.strategy)}


def _rows(names: Iterable[str]) -> list[tuple[str, tuple[str, str]]]:
    """Return modules and classes of those names that have one."""
    found = ((name, STRATEGIES[name].made_by) for name in names)
    return [(name, made_by) for name, made_by in found if made_by]


def _made(config: ContinualConfig, module: str, name: str) -> Strategy:
    """Make one."""
    made: Strategy = getattr(import_module(f"{__name__}.{module}"), name)(config)
    return made
