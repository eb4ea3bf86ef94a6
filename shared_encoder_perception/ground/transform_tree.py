# SPDX-License-Identifier: Apache-2.0
"""TF without ROS: how frames lie to each other, at any time of a recording."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.images.stamps import stamp_ns


class TransformError(ValueError):
    """Two frames that are not known to each other at a time; the message says why."""


@dataclass(frozen=True, order=True)
class _Pose:
    """Pose of a frame in its parent's, as recorded: metres, and a quaternion (x, y, z, w)."""

    stamp_ns: int
    shift: NDArray[np.float64] = field(compare=False)
    turn: NDArray[np.float64] = field(compare=False)


@dataclass
class _Link:
    """How a frame hangs on its parent: for ever, or by a pose for each of some times."""

    parent: str
    is_static: bool
    poses: list[_Pose] = field(default_factory=list)


class TransformTree:
    """The transforms of ``/tf`` and ``/tf_static``; looked up as tf2 does."""

    def __init__(self) -> None:
        """Start without a frame."""
        self._links: dict[str, _Link] = {}

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self._links)

    def add(self, transform: Any, *, is_static: bool) -> None:
        """Learn a ``geometry_msgs/TransformStamped`` of rclpy or rosbags.

        Raises:
            ValueError: It is none: a quaternion of zero, a number that is not finite.
        """
        Rigid.from_transform(transform.transform)
        child, parent = _name(transform.child_frame_id), _name(transform.header.frame_id)
        turn, shift = transform.transform.rotation, transform.transform.translation
        quaternion = np.array((turn.x, turn.y, turn.z, turn.w), np.float64)
        pose = _Pose(
            stamp_ns(transform.header),
            np.array((shift.x, shift.y, shift.z), np.float64),
            quaternion / np.linalg.norm(quaternion),
        )
        link = self._links.get(child)
        if link is None or is_static or (link.parent, link.is_static) != (parent, False):
            link = self._links[child] = _Link(parent, is_static)
        insort(link.poses, pose)

    def find(self, target: str, source: str, at_ns: int) -> Rigid:
        """Return what takes points of one frame to another, both at one time.

        Raises:
            TransformError: It is not known.
        """
        target, source = _name(target), _name(source)
        above = self._above(source)
        for shared in self._above(target):
            if shared in above:
                down = self._up(target, shared, at_ns).inverse()
                return down.after(self._up(source, shared, at_ns))
        missing = [name for name in (source, target) if name not in self._frames()]
        why = "TF does not connect them"
        if missing:
            known = ", ".join(sorted(self._frames())) or "none"
            why = f"TF has no frame {' and none '.join(map(repr, missing))}; it has {known}"
        raise TransformError(f"no transform from {source!r} to {target!r}: {why}")

    def find_over(
        self, target: str, target_ns: int, source: str, source_ns: int, fixed: str
    ) -> Rigid:
        """Return the same from one time to another, by a frame that stands still meanwhile.

        Raises:
            TransformError: It is not known.
        """
        there = self.find(fixed, source, source_ns)
        return self.find(target, fixed, target_ns).after(there)

    def _frames(self) -> set[str]:
        """Return the names of all frames."""
        return {*self._links, *(link.parent for link in self._links.values())}

    def _above(self, name: str) -> list[str]:
        """Return a frame and all above it."""
        names = [name]
        while (link := self._links.get(names[-1])) is not None and link.parent not in names:
            names.append(link.parent)
        return names

    def _up(self, name: str, end: str, at_ns: int) -> Rigid:
        """Return what takes points of a frame to one above it."""
        total = Rigid(np.eye(3), np.zeros(3))
        while name != end:
            link = self._links[name]
            total = _pose_at(link, name, at_ns).after(total)
            name = link.parent
        return total


def _pose_at(link: _Link, child: str, at_ns: int) -> Rigid:
    """Return the pose of a frame in its parent's, between two recorded ones.

    Raises:
        TransformError: The time is before the first or after the last.
    """
    poses = link.poses
    if link.is_static:
        return Rigid.from_quaternion(poses[-1].shift, poses[-1].turn)
    index = bisect_left(poses, at_ns, key=lambda pose: pose.stamp_ns)
    if index < len(poses) and poses[index].stamp_ns == at_ns:
        return Rigid.from_quaternion(poses[index].shift, poses[index].turn)
    if index in (0, len(poses)):
        first, last = (poses[end].stamp_ns / 1e9 for end in (0, -1))
        raise TransformError(
            f"TF from {child!r} to {link.parent!r} is known from {first:.3f} to {last:.3f} s, "
            f"asked for at {at_ns / 1e9:.3f} s"
        )
    before, after = poses[index - 1], poses[index]
    share = (at_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    shift = before.shift + share * (after.shift - before.shift)
    return Rigid.from_quaternion(shift, _slerp(before.turn, after.turn, share))


def _slerp(first: NDArray, last: NDArray, share: float) -> NDArray[np.float64]:
    """Return the quaternion a share of the shorter way between two of length 1 (Shoemake 1985)."""
    cosine = float(first @ last)
    if cosine < 0:
        last, cosine = -last, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-6:
        return np.asarray(first + share * (last - first))
    sines = np.sin((1 - share) * angle), np.sin(share * angle)
    return np.asarray((sines[0] * first + sines[1] * last) / np.sin(angle))


def _name(frame: str) -> str:
    """Return a frame's name without the slash of ROS 1."""
    return str(frame).lstrip("/")
