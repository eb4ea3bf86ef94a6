# SPDX-License-Identifier: Apache-2.0
"""What became of a rig's images and moments: each image is in exactly one number of its camera."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Final

USED: Final = "used"
OUTCOMES: Final = (
    *(USED, "replaced", "late", "apart", "rejected", "uncalibrated", "few", "lost", "disabled"),
    "left",
)
"""Fields of ``CameraCounts`` that an image ends in."""


@dataclass(frozen=True)
class CameraCounts:
    """``received`` equals the sum of all others at any instant.

    Attributes:
        received: Images that came from the camera.
        used: Went into a map.
        replaced: Dropped, because a newer one came before its turn.
        late: Dropped, because it was stamped before the camera's last one, or as one that was
            taken.
        apart: Dropped, because it was taken too long before the moment's.
        rejected: Dropped, because it could not be used: encoding, size, damaged data, no stamp.
        uncalibrated: Dropped, because there was no calibration for it.
        few: Dropped, because too few other cameras had one that could be used.
        lost: Dropped, because the engine failed, or had not returned when the node stopped.
        disabled: Dropped, because the node was told to drop them.
        left: Dropped, because it waited, or came, when the node stopped.
        waiting: Waits for its turn, 0 or 1.
        in_work: Is being perceived, 0 or 1.
    """

    received: int = 0
    used: int = 0
    replaced: int = 0
    late: int = 0
    apart: int = 0
    rejected: int = 0
    uncalibrated: int = 0
    few: int = 0
    lost: int = 0
    disabled: int = 0
    left: int = 0
    waiting: int = 0
    in_work: int = 0

    @property
    def accounted(self) -> int:
        """The sum that ``received`` equals."""
        return sum(self.ended().values()) + self.waiting + self.in_work

    def ended(self) -> dict[str, int]:
        """Return the numbers of images that nothing more will become of, by ``OUTCOMES``."""
        return {outcome: getattr(self, outcome) for outcome in OUTCOMES}


@dataclass(frozen=True)
class MomentCounts:
    """What became of the moments.

    Attributes:
        perceived: Gave a map.
        lost: The engine failed on it, or had not returned when the node stopped.
        few: Had too few images that could be used.
        partial: Of those perceived, in which a camera is missing.
        unpublished: Of those perceived, whose publishing failed.
    """

    perceived: int = 0
    lost: int = 0
    few: int = 0
    partial: int = 0
    unpublished: int = 0


@dataclass(frozen=True)
class Attendance:
    """How a camera keeps to the others.

    Attributes:
        moments: How many there were.
        missing: In how many of them it had no image.
        apart: Of those, how many times it had one of another time.
        skew_s: How much later than the anchor's its last image was taken; NaN before the first.
        anchor: Which camera gave the time.
    """

    moments: int = 0
    missing: int = 0
    apart: int = 0
    skew_s: float = nan
    anchor: str = ""
