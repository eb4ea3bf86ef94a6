# SPDX-License-Identifier: Apache-2.0
"""Things around the vehicle: boxes that stand on the ground, turned about the vertical."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """One thing, in the vehicle's frame.

    Attributes:
        kind: Its class, e.g. ``"vehicle"`` or ``"person"``.
        x_m: Of its centre, ahead.
        y_m: Of its centre, to the left.
        z_m: Of its centre, above the ground.
        length_m: Along its own heading.
        width_m: Across it.
        height_m: Vertical.
        yaw_rad: Heading, from x ahead towards y left.
        visible: Share of it that the rig's cameras see, of the one that sees most, 0 to 1;
            ``None`` where nobody says.
    """

    kind: str
    x_m: float
    y_m: float
    z_m: float
    length_m: float
    width_m: float
    height_m: float
    yaw_rad: float
    visible: float | None = None

    def __post_init__(self) -> None:
        """Refuse a box of no size, and numbers that are not finite."""
        place = (self.x_m, self.y_m, self.z_m, self.yaw_rad)
        sides = (self.length_m, self.width_m, self.height_m)
        if not (np.isfinite((*place, *sides)).all() and min(sides) > 0):
            raise ValueError(
                f"a {self.kind} at x, y, z, yaw {place} of length, width, height {sides}, expected "
                "finite numbers and sides above 0 (metres, radians)"
            )
        if self.visible is not None and not 0 <= self.visible <= 1:
            raise ValueError(f"a {self.kind} is visible to {self.visible}, expected 0 to 1")

    def footprint(self) -> NDArray[np.float64]:
        """Return its corners on the ground, (4, 2) m: front left, rear left, rear right, ..."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        along, across = self.length_m / 2, self.width_m / 2
        corners = np.array([(along, across), (-along, across), (-along, -across), (along, -across)])
        return corners @ np.array([[cos, sin], [-sin, cos]]) + (self.x_m, self.y_m)

    def corners(self) -> NDArray[np.float64]:
        """Return (8, 3) m: the footprint at its lower end, then at its upper one."""
        low, high = self.z_m - self.height_m / 2, self.z_m + self.height_m / 2
        foot = self.footprint()
        return np.concatenate([np.c_[foot, np.full(4, z)] for z in (low, high)])

    def turned(self, yaw_rad: float) -> Box:
        """Return it as seen by a vehicle frame that is turned by ``yaw_rad`` to the left."""
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        x, y = cos * self.x_m + sin * self.y_m, -sin * self.x_m + cos * self.y_m
        return replace(self, x_m=float(x), y_m=float(y), yaw_rad=self.yaw_rad - yaw_rad)

    def mirrored(self) -> Box:
        """Return it in the world whose left is right: y and yaw negated."""
        return replace(self, y_m=-self.y_m, yaw_rad=-self.yaw_rad)
