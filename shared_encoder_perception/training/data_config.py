# SPDX-License-Identifier: Apache-2.0
"""What is trained on and validated on: part of ``TrainConfig``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared_encoder_perception.world import choice
from shared_encoder_perception.world.synthetic import SPLIT_PROBABILITY

SYNTHETIC = "synthetic"
"""Value of ``SetConfig.path`` that stands for rendered worlds."""

OF_COMPOSITES = ("held_out_background", "held_out_foreground")
"""Folds of composites alone."""
FOLDS = ("", "train", "held_out", *OF_COMPOSITES)
"""Values of ``SetConfig.fold``."""


@dataclass(frozen=True)
class SetConfig:
    """One data set of the mixture.

    Attributes:
        path: A native set (its folder, or its frames.jsonl), an index of composites (its folder,
            or its compose.json), or ``synthetic``. For a network that answers rigs: a set of rigs
            (its folder, or its rigs.jsonl), or ``synthetic``.
        weight: Its share of the training images, relative to the other sets.
        sources: Use only frames of these sources; empty for all.
        count: Use only so many frames, spread evenly; worlds and composites: how many different
            ones. 0 for all (worlds: no end).
        pseudo: Use labels that come from a teacher network.
        fold: ``train`` leaves out every tenth frame by the hash of its name, ``held_out`` takes
            only those, empty all: what weights, thresholds and calibration are chosen by must not
            be what was trained on. Rendered worlds have seeds of their own for that. Of composites,
            ``held_out`` has backgrounds and cut-outs that ``train`` has not; in
            ``held_out_background`` and ``held_out_foreground`` only those are others.
        split_probability: Chance that a rendered world has a lane that branches off within sight.
        traffic_probability: Chance that somebody is seen near by in it; null for as the dice fall.
        places: Kinds of place that it may be, of ``world.dice.PLACES``; empty for as the dice fall.
        weathers: Likewise, of ``world.dice.WEATHERS``.
        surfaces: Likewise, of ``world.bare_surfaces.SURFACES``: what the dice never give; one of
            them in each world.
    """

    path: str = SYNTHETIC
    weight: float = 1.0
    sources: list[str] = field(default_factory=list)
    count: int = 0
    pseudo: bool = True
    fold: str = ""
    split_probability: float = SPLIT_PROBABILITY
    traffic_probability: float | None = None
    places: list[str] = field(default_factory=list)
    weathers: list[str] = field(default_factory=list)
    surfaces: list[str] = field(default_factory=list)

    @property
    def choice(self) -> choice.Choice:
        """What its worlds are to be like."""
        return choice.Choice(tuple(self.places), tuple(self.weathers), tuple(self.surfaces))


@dataclass(frozen=True)
class DataConfig:
    """What is trained on, and what is validated on.

    Attributes:
        train: The mixture.
        val: Scored at every validation; labels by a teacher that are no truth are not scored
            unless ``overfit``.
        split_share: Share of the images drawn from frames that show what is rare (a split lane),
            where a set has any: class-balanced sampling.
        overfit: Train and validate on this many frames of the training sets, without augmentation:
            proves that the pipeline can learn. 0 for a real run.
    """

    train: list[SetConfig] = field(default_factory=lambda: [SetConfig()])
    val: list[SetConfig] = field(default_factory=lambda: [SetConfig(count=64)])
    split_share: float = 0.0
    overfit: int = 0


def set_faults(config: SetConfig) -> Iterator[str]:
    """Say what cannot be of one set."""
    if config.fold not in FOLDS:
        yield f"fold is {config.fold!r}, expected one of {FOLDS}"
    for name in ("split_probability", "traffic_probability"):
        chance = getattr(config, name)
        if not 0 <= (chance or 0) <= 1:
            yield f"{name} is {chance}, expected 0 to 1"
    yield from choice.faults(config)
    asked = [what for what in choice.KNOWN if getattr(config, what)]
    if asked and config.path != SYNTHETIC:
        yield f"{asked[0]} of {config.path}: that is for rendered worlds, path: {SYNTHETIC}"


def data_faults(config: DataConfig) -> Iterator[str]:
    """Say what cannot be of the sets."""
    for one in (*config.train, *config.val):
        yield from set_faults(one)
    for one in config.train:
        if not one.weight > 0:
            yield f"weight of {one.path} is {one.weight}, not > 0"
    for one in config.val:
        if one.path == SYNTHETIC and one.count == 0:
            yield "data.val: worlds have no end, give a count"
