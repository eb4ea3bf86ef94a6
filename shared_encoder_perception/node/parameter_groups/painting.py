# SPDX-License-Identifier: Apache-2.0
"""Parameters ``painting.*``: a lidar's points get the classes of the pixels that show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared_encoder_perception.tasks.parameter import Parameter, live

ENABLED: Final = "painting.enabled"
POSE, FIXED = "painting.pose", "painting.fixed_frame"
PARAMETERS: Final = (
    Parameter(
        ENABLED,
        False,
        "Publish the clouds of `points` on `points/painted`, each point with the class of the "
        "pixel that shows it. Needs a model that answers classes, as the default does, and a "
        "CameraInfo.",
    ),
    Parameter(
        POSE,
        "",
        "File of the lidar's pose in the camera's optical frame (.yaml, .json): translation "
        "[x, y, z] and rotation [x, y, z, w]; empty = from TF.",
    ),
    Parameter(
        FIXED,
        "",
        "Frame in TF that stands still while the vehicle moves, such as odom: points are carried "
        "by it from the cloud's time to the image's; empty = they are taken as they are.",
    ),
    live(
        "painting.max_skew_s",
        0.1,
        (0.0, 10.0),
        "A cloud is painted by the image nearest in time, at most this far from it.",
    ),
    live(
        "painting.max_wait_s",
        0.3,
        (0.0, 10.0),
        "Longest wait of a cloud for an image that was taken later than it; then it has to do "
        "with the nearest so far.",
    ),
    Parameter(
        "painting.hidden_too",
        False,
        "Paint points that something nearer hides from the camera, too.",
        read_only=False,
    ),
)


@dataclass(frozen=True)
class PaintingOptions:
    """Values of the parameters, by the same names; see there for what they mean."""

    enabled: bool = False
    pose: str = ""
    fixed_frame: str = ""
    max_skew_s: float = 0.1
    max_wait_s: float = 0.3
    hidden_too: bool = False

    def __post_init__(self) -> None:
        """Refuse two parameters that contradict each other."""
        if self.pose and self.fixed_frame:
            raise ValueError(
                f"{POSE} is {self.pose} and {FIXED} is {self.fixed_frame}: a frame that stands "
                "still needs TF for the lidar, too; leave one of them out"
            )


def painting_options(value: Callable[[str], Any]) -> PaintingOptions:
    """Build the options from parameter values by name.

    Raises:
        ValueError: Two parameters contradict each other.
    """
    fields = PaintingOptions.__dataclass_fields__
    return PaintingOptions(**{name: value(f"painting.{name}") for name in fields})
