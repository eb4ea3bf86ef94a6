# SPDX-License-Identifier: Apache-2.0
"""What stands in a world, as flat faces in the vehicle's frame, whoever looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour

NO_BOX: Final = -1


class Face(NamedTuple):
    """A flat polygon.

    Attributes:
        corners: (N, 3) m; of one that is turned to the camera: right, 0 and up of its anchor.
        colour: In full light.
        shade: Share of the light that it gets.
        solid: Whether it hides what is behind; else it only colours the face on which it is.
        painted_on: Whether it lies on the last one before it that does not.
        towards: About the direction (3,) from which it is seen; ``None``: from every one.
        anchor: Of one that is turned to the camera, (3,) m.
        radii: Of one that is turned to the camera: factors of its width, when one looks across
            and along its heading.
        yaw_rad: That heading.
        least_px: Least width, of what would get lost in the distance.
    """

    corners: NDArray[np.float64]
    colour: Colour
    shade: float = 1.0
    solid: bool = True
    painted_on: bool = False
    towards: NDArray[np.float64] | None = None
    anchor: NDArray[np.float64] | None = None
    radii: tuple[float, float] = (1.0, 1.0)
    yaw_rad: float = 0.0
    least_px: float = 0.0


class Glow(NamedTuple):
    """A lamp: its place (3,), the direction (3,) from which it is seen or zero, radius, light."""

    place: NDArray[np.float64]
    towards: NDArray[np.float64]
    radius_m: float
    colour: Colour
    strength: float


class Sprite(NamedTuple):
    """A picture (h, w, 4) BGRA that is turned to the camera: its foot (3,), width and height, m."""

    picture: NDArray[np.uint8]
    foot: NDArray[np.float64]
    width_m: float
    height_m: float


@dataclass(frozen=True, eq=False)
class Solid:
    """One thing.

    Attributes:
        kind: Its class.
        faces: Its sides; what is painted on one follows it.
        box: Index of its box among a label's objects, or ``NO_BOX``.
        glows: Its lamps.
        sprite: A picture instead of faces.
    """

    kind: int
    faces: Sequence[Face] = ()
    box: int = NO_BOX
    glows: Sequence[Glow] = ()
    sprite: Sprite | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """All faces of all solids in arrays: cameras take them at once.

    Attributes:
        solids: The things.
        points: (N, 3) corners.
        side: (N,) how far to the right of the anchor, of faces that are turned to the camera.
        starts: (F,) first corner of each face.
        owner: (F,) which solid it belongs to.
        centre: (F, 3) middle, or anchor.
        normal: (F, 3) direction from which it is seen; zero: from every one.
        colour: (F, 3).
        shade: (F,).
        solid: (F,) bool.
        base: (F,) the face on which it is painted, or itself.
        turned: (F,) bool, whether it is turned to the camera.
        radii: (F, 2).
        yaw: (F,).
        least_px: (F,).
    """

    solids: Sequence[Solid]
    points: NDArray[np.float64] = field(init=False)
    side: NDArray[np.float64] = field(init=False)
    starts: NDArray[np.intp] = field(init=False)
    owner: NDArray[np.intp] = field(init=False)
    centre: NDArray[np.float64] = field(init=False)
    normal: NDArray[np.float64] = field(init=False)
    colour: NDArray[np.float64] = field(init=False)
    shade: NDArray[np.float64] = field(init=False)
    solid: NDArray[np.bool_] = field(init=False)
    base: NDArray[np.intp] = field(init=False)
    turned: NDArray[np.bool_] = field(init=False)
    radii: NDArray[np.float64] = field(init=False)
    yaw: NDArray[np.float64] = field(init=False)
    least_px: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the arrays."""
        faces = [face for solid in self.solids for face in solid.faces]
        counts = np.array([len(face.corners) for face in faces], np.intp)
        points = np.concatenate([np.zeros((0, 3)), *(face.corners for face in faces)])
        starts = np.cumsum(counts) - counts
        turned = np.array([face.anchor is not None for face in faces], bool)
        anchors = np.array(
            [np.zeros(3) if face.anchor is None else face.anchor for face in faces], np.float64
        ).reshape(-1, 3)
        of_turned = np.repeat(turned, counts)
        side = np.where(of_turned, points[:, 0], 0.0)
        points = points + np.repeat(anchors, counts, axis=0)
        points[:, 0] -= side
        centre, normal = np.zeros((len(faces), 3)), np.zeros((len(faces), 3))
        if faces:
            centre = np.add.reduceat(points, starts, axis=0) / counts[:, None]
            after = np.arange(1, len(points) + 1)
            after[starts + counts - 1] = starts
            # Newell's sum, which corners that lie in one line do not disturb.
            normal = np.add.reduceat(np.cross(points, points[after]), starts, axis=0)
            towards = np.array(
                [np.zeros(3) if face.towards is None else face.towards for face in faces]
            )
            normal *= np.sign((normal * towards).sum(axis=1, keepdims=True))
        values = {
            "points": points,
            "side": side,
            "starts": starts,
            "owner": np.repeat(
                np.arange(len(self.solids)), [len(solid.faces) for solid in self.solids]
            ),
            "centre": centre,
            "normal": normal,
            "colour": np.array([face.colour for face in faces], np.float64).reshape(-1, 3),
            "shade": np.array([face.shade for face in faces], np.float64),
            "solid": np.array([face.solid for face in faces], bool),
            "base": np.maximum.accumulate(
                np.where([face.painted_on for face in faces], 0, np.arange(len(faces)))
            ),
            "turned": turned,
            "radii": np.array([face.radii for face in faces], np.float64).reshape(-1, 2),
            "yaw": np.array([face.yaw_rad for face in faces], np.float64),
            "least_px": np.array([face.least_px for face in faces], np.float64),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def seen_from(self, position: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which faces do not show their back to a place, (F,)."""
        towards = ((position - self.centre) * self.normal).sum(axis=1)
        return np.asarray((towards > 0) | ~self.normal.any(axis=1))

    def turned_to(
        self, position: NDArray[np.float64], focal_px: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return all corners with what is turned to a camera, (N, 3), and faces' distances (F,)."""
        away = self.centre[:, :2] - position[:2]
        distance = np.hypot(*away.T)
        counts = np.diff(np.r_[self.starts, len(self.points)])
        with np.errstate(divide="ignore", invalid="ignore"):
            ray = np.where(distance[:, None] > 0, away / distance[:, None], 0)
        bearing = np.arctan2(ray[:, 1], ray[:, 0]) - self.yaw
        # The silhouette of an ellipse, seen from its side and from its end.
        width = np.hypot(self.radii[:, 0] * np.sin(bearing), self.radii[:, 1] * np.cos(bearing))
        width = np.maximum(width, self.least_px * distance / focal_px)
        right = np.stack((ray[:, 1], -ray[:, 0]), axis=1) * width[:, None]
        moved = self.points.copy()
        moved[:, :2] += self.side[:, None] * np.repeat(right, counts, axis=0)
        return moved, distance
