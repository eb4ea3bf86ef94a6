# SPDX-License-Identifier: Apache-2.0
"""Where a vehicle was, and how it lay, over the time of a drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.rigid import Rigid

FASTEST_M_S: Final = 70.0
"""No road vehicle is faster: a path that is, jumps."""
SLACK_M: Final = 0.5
"""Less than this is noise of whatever measured the path, not a jump."""
LONGEST_GAP_S: Final = 1.0
"""A vehicle that has moved on after a longer time went where nobody knows."""
NODE_M: Final = 0.2
"""Distance from one place to the next that counts as driven: a vehicle that stands, and whose
odometry trembles, does not drive."""
LEAST_M: Final = 5.0
"""A path that is shorter has nothing to tell."""


class NothingToLearnError(ValueError):
    """Nothing is wrong with what was given, and nothing in it to learn; the message says why."""


class PathError(ValueError):
    """A path of the vehicle that cannot be used; the message says why."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses of the vehicle (``base_link``) in a frame that stands still.

    Attributes:
        stamps_ns: (N,) int64, rising.
        rotations: (N, 3, 3) from the vehicle's frame to the fixed one.
        shifts: (N, 3) m, the vehicle's place in the fixed frame.
        nodes_ns: (M,) int64, times at which it had moved on by ``NODE_M``.
        nodes_m: (M,) how far it had come then, m; rising.
    """

    stamps_ns: NDArray[np.int64]
    rotations: NDArray[np.float64]
    shifts: NDArray[np.float64]
    nodes_ns: NDArray[np.int64]
    nodes_m: NDArray[np.float64]

    @classmethod
    def of(cls, poses: Sequence[tuple[int, Rigid]], where: str) -> Trajectory:
        """Put poses in order, and see that they are a drive.

        Args:
            poses: Time in ns, and pose in the fixed frame; of one time the last one counts.
            where: What they were read from, for messages.

        Raises:
            PathError: There are not two, or the path jumps.
            NothingToLearnError: The vehicle never moves.
        """
        by_time = dict(sorted(poses, key=lambda one: one[0]))
        if len(by_time) < 2:
            raise PathError(f"{where} has {len(by_time)} poses of the vehicle, expected a path")
        stamps = np.array(list(by_time), np.int64)
        shifts = np.array([pose.shift for pose in by_time.values()])
        _refuse_jumps(stamps, shifts, where)
        nodes, driven = _driven(shifts)
        if driven[-1] < LEAST_M:
            raise NothingToLearnError(
                f"{where}: the vehicle moves {driven[-1]:.1f} m, from {LEAST_M:g} m on there is "
                "something to learn"
            )
        rotations = np.array([pose.rotation for pose in by_time.values()])
        return cls(stamps, rotations, shifts, stamps[nodes], driven)

    @property
    def length_m(self) -> float:
        """How far it went."""
        return float(self.nodes_m[-1])

    def covers(self, at_ns: int) -> bool:
        """Whether the path is known at a time."""
        return bool(self.stamps_ns[0] <= at_ns <= self.stamps_ns[-1])

    def driven_m(self, at_ns: int) -> float:
        """Return how far it had come at a time, m."""
        first = self.stamps_ns[0]
        return float(np.interp(at_ns - first, self.nodes_ns - first, self.nodes_m))

    def pose(self, at_ns: int) -> Rigid:
        """Return its pose at a time that the path covers, between two that are known."""
        after = int(np.searchsorted(self.stamps_ns, at_ns))
        if self.stamps_ns[min(after, len(self.stamps_ns) - 1)] == at_ns:
            return Rigid(self.rotations[after], self.shifts[after])
        before = after - 1
        span = int(self.stamps_ns[after] - self.stamps_ns[before])
        share = int(at_ns - self.stamps_ns[before]) / span
        turn = self.rotations[before].T @ self.rotations[after]
        part, _ = cv2.Rodrigues(share * cv2.Rodrigues(turn)[0])
        shift = self.shifts[before] + share * (self.shifts[after] - self.shifts[before])
        return Rigid(self.rotations[before] @ part, shift)

    def stations(self, every_m: float) -> tuple[NDArray[np.float64], list[Rigid]]:
        """Return (K,) distances driven, evenly spaced, and the pose at each."""
        at_m = np.arange(0.0, self.length_m, every_m)
        first = self.stamps_ns[0]
        times = np.interp(at_m, self.nodes_m, (self.nodes_ns - first).astype(np.float64))
        return at_m, [self.pose(int(first) + round(time)) for time in times]


def _refuse_jumps(stamps: NDArray[np.int64], shifts: NDArray[np.float64], where: str) -> None:
    """Refuse a path on which nobody can have driven."""
    seconds = np.diff(stamps) / 1e9
    moved = np.linalg.norm(np.diff(shifts, axis=0), axis=1)
    jumps = moved > FASTEST_M_S * seconds + SLACK_M
    jumps |= (seconds > LONGEST_GAP_S) & (moved > 2.0)
    if jumps.any():
        first = int(np.argmax(jumps))
        raise PathError(
            f"{where}: the path jumps by {moved[first]:.1f} m within {seconds[first]:.2f} s at "
            f"{stamps[first] / 1e9:.3f} s: cut the bag there, or give a better path with --path"
        )


def _driven(shifts: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return which poses are a step on from the one before, and how far each had come, m."""
    nodes, driven = [0], [0.0]
    for index in range(1, len(shifts)):
        step = float(np.linalg.norm(shifts[index] - shifts[nodes[-1]]))
        if step >= NODE_M:
            nodes.append(index)
            driven.append(driven[-1] + step)
    return np.array(nodes, np.intp), np.array(driven)
