# SPDX-License-Identifier: Apache-2.0
"""Who drives, waits, parks and walks around the vehicle, and where at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.world.atlas import Colour
from shared_encoder_perception.world.classes import PERSON, VEHICLE
from shared_encoder_perception.world.pave import LOOP_M
from shared_encoder_perception.world.rigs.bodies import (
    Stand,
    person_faces,
    rider_faces,
    vehicle_faces,
)
from shared_encoder_perception.world.rigs.course import Course
from shared_encoder_perception.world.rigs.solids import Solid

TWO_WHEELS: Final = "two_wheels"
PERSON_KIND: Final = "person"
VEHICLE_KIND: Final = "vehicle"
KINDS: Final = (VEHICLE_KIND, TWO_WHEELS, PERSON_KIND)
"""What boxes of a label are called."""


@dataclass(frozen=True, eq=False)
class Actor:
    """Somebody on or beside the road.

    Attributes:
        body: A key of ``vehicles.BODIES``, or ``TWO_WHEELS``, or ``PERSON_KIND``.
        offset_m: Of its middle, to the right of the road's reference line, when the drive begins.
        at_m: Distance along the road then; it comes back after ``LOOP_M``.
        speed: Along the road, as a share of ours; below 0 when oncoming.
        yaw_rad: Heading against the road's direction, to the left.
        size_m: ``(length, width, height)``.
        colour: Of the body or the clothes.
        lights: Whether its lamps are on.
    """

    body: str
    offset_m: float
    at_m: float
    speed: float
    yaw_rad: float
    size_m: tuple[float, float, float]
    colour: Colour
    lights: bool

    @property
    def kind(self) -> str:
        """What a label calls it."""
        return self.body if self.body in (TWO_WHEELS, PERSON_KIND) else VEHICLE_KIND

    def along_m(self, distance_m: float) -> float:
        """Return how far ahead it is (behind: below 0) when we have come some way."""
        ahead = self.at_m + (self.speed - 1.0) * distance_m
        return float((ahead + LOOP_M / 2) % LOOP_M - LOOP_M / 2)

    def stand(self, course: Course, distance_m: float) -> Stand:
        """Return where it stands in the vehicle's frame: rigid, along the road's direction."""
        along = self.along_m(distance_m)
        x, y = course.places(np.array((self.offset_m, along)))
        yaw = float(course.heading(along)) + self.yaw_rad
        return Stand(float(x), float(y), yaw, self.size_m)

    def solid(self, stand: Stand, box: int) -> Solid:
        """Return what is seen of it."""
        if self.body == PERSON_KIND:
            faces, glows = person_faces(stand, self.colour)
        elif self.body == TWO_WHEELS:
            faces, glows = rider_faces(stand, self.colour, self.lights)
        else:
            faces, glows = vehicle_faces(stand, self.body, self.colour, self.lights)
        kind = VEHICLE if self.kind == VEHICLE_KIND else PERSON
        return Solid(kind, faces, box, glows)


def box_of(stand: Stand, kind: str, visible: float | None = None) -> Box:
    """Return the box around somebody."""
    length, width, height = stand.size_m
    yaw = float((stand.yaw_rad + np.pi) % (2 * np.pi) - np.pi)
    return Box(kind, stand.x_m, stand.y_m, height / 2, length, width, height, yaw, visible)


def apart(first: NDArray[np.float64], others: Sequence[NDArray[np.float64]]) -> bool:
    """Whether a footprint, (4, 2), meets none of others (separating axes)."""
    for other in others:
        for polygon in (first, other):
            edges = np.roll(polygon, -1, axis=0)[:2] - polygon[:2]
            normals = np.stack((-edges[:, 1], edges[:, 0]), axis=1)
            a, b = first @ normals.T, other @ normals.T
            if ((a.max(axis=0) < b.min(axis=0)) | (b.max(axis=0) < a.min(axis=0))).any():
                break
        else:
            return False
    return True
