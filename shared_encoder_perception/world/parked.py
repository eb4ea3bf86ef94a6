# SPDX-License-Identifier: Apache-2.0
"""A camera that stands still: others drive on, the road stays where it is."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from shared_encoder_perception.world.pave import LOOP_M
from shared_encoder_perception.world.synthetic import Drive


def parked(drive: Drive, driven_m: float) -> Drive:
    """Return the world around us where we stand where a drive began, after a while.

    People stand, too. Whoever drives in our lane does not come back: that is through us.

    Args:
        drive: To be rendered at its beginning.
        driven_m: How far we had come meanwhile, had we driven: others' speeds are shares of it.
    """
    half = drive.world.road.width_m / 2
    vehicles = []
    for one in drive.world.vehicles:
        speed = 0.0 if one.kind == "person" else one.speed
        at_m = one.at_m + speed * driven_m
        if 0 <= at_m < LOOP_M or abs(one.offset_m) > half:
            vehicles.append(replace(one, at_m=at_m % LOOP_M))
    later = copy(drive)
    later.world = replace(drive.world, vehicles=tuple(vehicles))
    later.stood_m = driven_m
    return later
