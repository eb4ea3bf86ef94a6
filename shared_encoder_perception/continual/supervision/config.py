# SPDX-License-Identifier: Apache-2.0
"""What is asked of pictures that nobody has labelled, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from shared_encoder_perception.training.weighting import WEIGHTINGS

if TYPE_CHECKING:
    from shared_encoder_perception.continual.config import ContinualConfig


@dataclass(frozen=True)
class SupervisionConfig:
    """Losses on a task's ``unlabelled`` pictures; with all weights at 0 none is opened.

    Attributes:
        temporal: Weight of what an answer differs from that to an earlier frame, moved to this one
            by optical flow, where flow is the same forwards and backwards.
        cross: Weight of what the answer to a picture that is mirrored, cut out larger and of
            another look differs from an averaged teacher's to the plain one.
        pseudo: Weight of the labels of which that teacher is sure.
        depth: As ``temporal``, for depth: it may become less by one number for each pair of frames,
            by which the camera came nearer.
        batch: Pictures of a step, or pairs of them.
        step_frames: How many frames later a pair's second picture was taken.
        frames: Most pictures, or pairs, that are used of each path, spread evenly over it.
        decay: Of the teacher's weights, 0 to 1: 0 for the student itself, 1 for the network that
            the task begins with.
        confidence: Probability from which on a mask's pixel is believed, and from 1 minus which on
            downwards: above 0.5 to 1.
        floor: Entropy, as a share of its maximum, below which a class is always believed.
        scale: Largest factor by which pictures are enlarged for ``cross``, 1 to 4.
    """

    temporal: float = 0.0
    cross: float = 0.0
    pseudo: float = 0.0
    depth: float = 0.0
    batch: int = 2
    step_frames: int = 1
    frames: int = 200
    decay: float = 0.99
    confidence: float = 0.9
    floor: float = 0.001
    scale: float = 1.25

    @property
    def weights(self) -> dict[str, float]:
        """The weights above 0, by their keys."""
        return {kind: getattr(self, kind) for kind in KINDS if getattr(self, kind)}

    @property
    def paired(self) -> bool:
        """Whether pairs of frames are asked for."""
        return bool(self.temporal or self.depth)

    @property
    def taught(self) -> bool:
        """Whether there is a teacher."""
        return bool(self.cross or self.pseudo)


KINDS: Final = tuple(one.name for one in fields(SupervisionConfig) if one.default == 0)
"""Keys of the weights."""
RANGES: Final[Sequence[tuple[str, float, float, str]]] = (
    *((kind, 0.0, float("inf"), "0 or more") for kind in KINDS),
    *((name, 1, float("inf"), "1 or more") for name in ("batch", "step_frames", "frames")),
    ("decay", 0.0, 1.0, "0 to 1"),
    ("confidence", 0.5 + 1e-6, 1.0, "above 0.5 to 1"),
    ("floor", 0.0, 1.0, "0 to 1"),
    ("scale", 1.0, 4.0, "1 to 4"),
)
"""Key, least and largest value, and both in words."""


def supervision_faults(config: ContinualConfig) -> Iterator[str]:
    """Say what cannot be of the supervision without labels."""
    settings = config.supervision
    for name, least, most, words in RANGES:
        if not least <= (value := getattr(settings, name)) <= most:
            yield f"supervision.{name} is {value}, expected {words}"
    if not settings.weights:
        return
    first = next(iter(settings.weights))
    if not any(task.unlabelled for task in config.tasks):
        yield (
            f"supervision.{first} is {settings.weights[first]}, and no task has unlabelled "
            "pictures: give one of them unlabelled: [videos, folders of frames, bags]"
        )
    weighting = config.train.loss.weighting
    if WEIGHTINGS[weighting].own_backward:
        yield (
            f"{weighting} balances the labels' losses only and has no place for supervision."
            f"{first}: use train.loss.weighting fixed or uncertainty"
        )
