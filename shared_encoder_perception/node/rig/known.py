# SPDX-License-Identifier: Apache-2.0
"""What topics have said of one camera's calibration so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from shared_encoder_perception.ground.camera_info import info_key
from shared_encoder_perception.rig.rig_entries import CameraEntry
from shared_encoder_perception.structures import Size

MOVED_M: Final = 1e-3
TURNED: Final = 2e-4
"""A camera whose transform changes by less has not moved: metres, and parts of a quaternion (a
fiftieth of a degree)."""

Numbers = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of one camera.

    Attributes:
        version: Counts what was new.
        info: Its ``sensor_msgs/CameraInfo``; ``None`` before the first.
        transform: Its pose by TF, ``geometry_msgs/Transform``; ``None`` before the first.
        size: ``(height, width)`` of its images, where they are not as one would think.
        since_ns: Stamp of the CameraInfo that was the last news; 0 = unknown, or other news.
    """

    version: int = 0
    info: Any = None
    transform: Any = None
    size: Size | None = None
    since_ns: int = 0

    @property
    def key(self) -> tuple[Any, ...]:
        """What is alike in two that say the same."""
        info = None if self.info is None else info_key(self.info)
        return info, None if self.transform is None else numbers_of(self.transform), self.size

    def with_info(self, info: Any, stamp_ns: int) -> Known:
        """Return it with a CameraInfo; itself if that says nothing new."""
        if self.info is not None and info_key(info) == info_key(self.info):
            return self
        return replace(self, version=self.version + 1, info=info, since_ns=stamp_ns)

    def with_transform(self, transform: Any) -> Known:
        """Return it with a pose; itself if that is the same but for a tremble."""
        if self.transform is not None:
            before, now = numbers_of(self.transform), numbers_of(transform)
            if before == now or not _has_moved(before, now):
                return self
        return replace(self, version=self.version + 1, transform=transform, since_ns=0)

    def with_size(self, size: Size) -> Known:
        """Return it with another size of the images."""
        return replace(self, version=self.version + 1, size=size, since_ns=0)

    def lacks(self, entry: CameraEntry) -> str:
        """Say what a camera waits for; nothing where it does not."""
        what = []
        if entry.info_topic and self.info is None:
            what.append(f"CameraInfo on {entry.info_topic}")
        if entry.tf_frame and self.transform is None:
            what.append(f"the transform of {entry.tf_frame}")
        return f"camera {entry.name} waits for {' and '.join(what)}" if what else ""


def numbers_of(transform: Any) -> Numbers:
    """Return the numbers of a ``geometry_msgs/Transform``."""
    shift, turn = transform.translation, transform.rotation
    return shift.x, shift.y, shift.z, turn.x, turn.y, turn.z, turn.w


def _has_moved(before: Numbers, now: Numbers) -> bool:
    """Whether two poses are different; a quaternion and its negative are not."""
    old, new = np.array(before), np.array(now)
    turned = min(np.abs(old[3:] - new[3:]).max(), np.abs(old[3:] + new[3:]).max())
    return not (np.abs(old[:3] - new[:3]).max() < MOVED_M and turned < TURNED)  # NaN has moved
