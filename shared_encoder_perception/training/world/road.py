"""The synthetic road and the camera that looks at it: exact geometry, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import LaneId, Size

NEAR_M: Final = 1.5
FAR_M: Final = 160.0
DEPTHS_M: Final = np.geomspace(NEAR_M, FAR_M, 400)
MIN_LANE_PX: Final = 6.0
"""Where a lane is narrower than this its centre line ends: nobody could label it."""
MIN_EXTENT_PX: Final = 24.0
"""At an image height of 320."""
MAX_JUMP: Final = 0.03
"""Columns per row, in image widths, beyond which a centre line ends."""
HORIZON_TANGENT: Final = 1e-4
SPLIT_BEHIND_M: Final = 3.0
"""A split that is a quarter lane away here already is passed: it no longer leaves our lane."""
SPLIT_SEEN_M: Final = 90.0
"""By this distance a split must have left by half a lane to count as visible."""


@dataclass(frozen=True)
class Wave:
    """A smooth random function of the distance along the road: a sum of sines."""

    amplitude: NDArray[np.float64]
    period_m: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def random(cls, rng: np.random.Generator, size: float, periods_m: tuple[float, float]) -> Wave:
        """Three sines whose amplitudes sum to about ``size``."""
        weight = rng.dirichlet(np.ones(3)) * size
        return cls(weight, rng.uniform(*periods_m, 3), rng.uniform(0, 2 * np.pi, 3))

    def __call__(self, distance_m: NDArray | float) -> NDArray[np.float64]:
        """Evaluate at one or many distances."""
        angle = 2 * np.pi * np.asarray(distance_m)[..., None] / self.period_m + self.phase
        return (self.amplitude * np.sin(angle)).sum(axis=-1)


@dataclass(frozen=True)
class Split:
    """A lane that leaves the ego lane.

    Attributes:
        side: -1 to the left, +1 to the right.
        start_m: Distance along the road at which it begins to leave.
        curve: Sideways acceleration, 1/m: offset is ``curve / 2 * (s - start)^2``.
        slope: Greatest angle between the two roads, rad.
    """

    side: int
    start_m: float
    curve: float
    slope: float

    def offset_m(self, distance_m: NDArray) -> NDArray[np.float64]:
        """Signed lateral distance from the ego centre line; parabola, then straight."""
        past = np.maximum(distance_m - self.start_m, 0.0)
        bend = np.minimum(past, self.slope / self.curve)
        return self.side * (0.5 * self.curve * bend**2 + self.slope * (past - bend))


@dataclass(frozen=True)
class Road:
    """Lanes along a curved, hilly centre line; lateral offsets count from the ego lane's centre.

    Attributes:
        left: Lanes to the left of ego.
        right: Lanes to the right of ego.
        width_m: Of every lane.
        shoulder_m: Paved beyond the outermost lane, ``(left, right)``.
        curvature: 1/m over distance.
        hills: Change of slope, 1/m over distance.
        wander: Lateral offset of the vehicle in its lane, m over distance.
        split: A branching lane, or none.
    """

    left: int
    right: int
    width_m: float
    shoulder_m: tuple[float, float]
    curvature: Wave
    hills: Wave
    wander: Wave
    split: Split | None

    def edges_m(self) -> tuple[float, float]:
        """Lateral offset of the outer lane boundaries."""
        return -(self.left + 0.5) * self.width_m, (self.right + 0.5) * self.width_m

    def profile(self, distance_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ego centre line ahead at ``DEPTHS_M``: lateral position and height, vehicle frame, m."""
        step = np.diff(DEPTHS_M, prepend=0.0)
        at = distance_m + DEPTHS_M
        heading = np.cumsum(self.curvature(at) * step)
        climb = np.cumsum(self.hills(at) * step)
        lateral = np.cumsum(heading * step) - float(self.wander(distance_m))
        return lateral, np.cumsum(climb * step)

    def split_ahead(self, distance_m: float) -> bool:
        """Whether the split leaves the ego lane ahead, near enough to be seen leaving."""
        if self.split is None:
            return False
        here = self.split.offset_m(np.array(distance_m + SPLIT_BEHIND_M))
        if abs(here) > self.width_m / 4:
            return False
        seen = self.split.offset_m(np.array(distance_m + SPLIT_SEEN_M))
        return bool(abs(seen) > self.width_m / 2)

    def lane_offset_m(self, lane: LaneId, distance_m: NDArray) -> NDArray[np.float64] | None:
        """Lateral offset of a lane's centre, or ``None`` where there is no such lane."""
        nothing = np.zeros_like(distance_m)
        if lane is LaneId.EGO:
            return nothing
        if lane is LaneId.LEFT_EGO:
            return nothing - self.width_m if self.left else None
        if lane is LaneId.RIGHT_EGO:
            return nothing + self.width_m if self.right else None
        side = -1 if lane is LaneId.LEFT_SPLIT_EGO else 1
        if self.split is None or self.split.side != side:
            return None
        return self.split.offset_m(distance_m)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera over the road.

    Attributes:
        size: ``(height, width)`` of the image.
        focal_px: Focal length.
        centre_px: Principal column, and the row of the horizon there.
        height_m: Above the road.
        yaw_rad: To the right of the road's direction at the vehicle.
        roll_rad: Clockwise.
    """

    size: Size
    focal_px: float
    centre_px: tuple[float, float]
    height_m: float
    yaw_rad: float
    roll_rad: float

    def project(self, x: NDArray, y: NDArray, z: NDArray) -> NDArray[np.float64]:
        """Vehicle frame (x right, y up from the road, z ahead; m) to pixels (..., 2)."""
        u = self.focal_px * (x / z - self.yaw_rad)
        v = self.focal_px * (self.height_m - y) / z
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        return np.stack((u * cos - v * sin, u * sin + v * cos), axis=-1) + self.centre_px

    def rays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For every pixel the tangent to the right and below the horizon, (H, W) each."""
        row, column = np.indices(self.size, np.float32)
        u, v = column - self.centre_px[0], row - self.centre_px[1]
        cos, sin = np.float32(np.cos(self.roll_rad)), np.float32(np.sin(self.roll_rad))
        right = (u * cos + v * sin) / self.focal_px + self.yaw_rad
        return right.astype(np.float32), ((v * cos - u * sin) / self.focal_px).astype(np.float32)


@dataclass(frozen=True)
class Ground:
    """What every pixel below the visible horizon hits.

    Attributes:
        hit: (H, W) bool, the pixel shows ground.
        z: (H, W) float32 distance ahead, m.
        x: (H, W) float32 lateral position in the vehicle frame, m.
        offset: (H, W) float32 lateral offset from the ego centre line, m.
    """

    hit: NDArray[np.bool_]
    z: NDArray[np.float32]
    x: NDArray[np.float32]
    offset: NDArray[np.float32]


def see_ground(camera: Camera, lateral: NDArray, height: NDArray) -> Ground:
    """Intersect all pixel rays with the road surface whose profile is given at ``DEPTHS_M``."""
    right, down = camera.rays()
    tangent = (camera.height_m - height) / DEPTHS_M
    lowest = np.minimum.accumulate(tangent)
    seen = tangent <= lowest + 1e-9  # the rest hides behind a crest
    hit = down >= max(float(lowest[-1]), HORIZON_TANGENT)
    depth = np.interp(down, tangent[seen][::-1], DEPTHS_M[seen][::-1]).astype(np.float32)
    near = down > tangent[0]
    depth[near] = (camera.height_m / np.maximum(down, 1e-4))[near]
    x = right * depth
    centre = np.interp(depth, DEPTHS_M, lateral).astype(np.float32)
    return Ground(hit, depth, x, x - centre)


def lane_line(
    camera: Camera, road: Road, lane: LaneId, distance_m: float
) -> NDArray[np.float32] | None:
    """Project a lane's centre line: (N, 2) pixels near to far, or ``None`` when not to be seen."""
    offset = road.lane_offset_m(lane, distance_m + DEPTHS_M)
    lateral, height = road.profile(distance_m)
    if offset is None:
        return None
    if lane.is_split and not road.split_ahead(distance_m):
        return None
    tangent = (camera.height_m - height) / DEPTHS_M
    visible = tangent <= np.minimum.accumulate(tangent) + 1e-9
    visible &= camera.focal_px * road.width_m / DEPTHS_M > MIN_LANE_PX
    visible &= tangent > HORIZON_TANGENT  # a climb above the horizon is not painted
    points = camera.project(lateral + offset, height, DEPTHS_M)[visible]
    rows = np.arange(np.floor(points[:, 1].max()), np.ceil(points[:, 1].min()) - 1, -1.0)
    order = np.argsort(points[:, 1])
    columns = np.interp(rows, points[order, 1], points[order, 0])
    inside = (columns >= 0) & (columns <= camera.size[1] - 1)
    inside &= (rows >= 0) & (rows <= camera.size[0] - 1)
    jump = np.abs(np.diff(columns, prepend=columns[0])) > MAX_JUMP * camera.size[1]
    if jump.any():  # the far end of a bend, seen flat: no label could follow it row by row
        inside[int(jump.argmax()) :] = False
    if not inside.any() or np.ptp(rows[inside]) < MIN_EXTENT_PX * camera.size[0] / 320:
        return None
    return np.stack((columns, rows), axis=1)[inside].astype(np.float32)
