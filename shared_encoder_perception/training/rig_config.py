# SPDX-License-Identifier: Apache-2.0
"""How rigs of cameras are trained on: part of ``TrainConfig``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RigConfig:
    """How rigs are trained on; crops, mirrors and looks are those of ``AugmentConfig``.

    Attributes:
        cameras: How many a rig has: all rigs of a batch one of these. Of rigs with more, some are
            left out at random.
        yaw: Probability of another heading of the grid than the vehicle's.
        yaw_deg: Largest turn, to either side.
        noise: Probability of a calibration that is a little wrong, as real ones are.
        noise_deg: By how much the cameras' directions are, standard deviation about each axis.
        noise_m: By how much their places are, standard deviation along each axis.
        dropout: Probability that a rig has lost the picture of one of its cameras.
    """

    cameras: list[int] = field(default_factory=lambda: [4])
    yaw: float = 0.5
    yaw_deg: float = 180.0
    noise: float = 0.5
    noise_deg: float = 0.3
    noise_m: float = 0.02
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no probability, no angle, and no number of cameras."""
        if not self.cameras or min(self.cameras) < 1:
            raise ValueError(
                f"rigs.cameras is {list(self.cameras)}, expected at least one number above 0"
            )
        for name in ("yaw", "noise", "dropout"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ValueError(f"rigs.{name} is {value}, expected 0 to 1")
        for name, most in (("yaw_deg", 180.0), ("noise_deg", 5.0), ("noise_m", 0.5)):
            if not 0 <= (value := getattr(self, name)) <= most:
                raise ValueError(f"rigs.{name} is {value}, expected 0 to {most:g}")


def rig_faults(rigs: RigConfig, replays: Sequence[int]) -> Iterator[str]:
    """Say what cannot be; ``replays`` are those of the stages that train on rigs."""
    if len(set(rigs.cameras)) > 1 and max(replays, default=1) > 1:
        yield (
            f"replay is {max(replays)}, and rigs of {list(rigs.cameras)} cameras do not go into "
            "one ring: give rigs.cameras one number"
        )
