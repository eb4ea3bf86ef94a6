# SPDX-License-Identifier: Apache-2.0
"""A camera that stands still: what drives moves, all else stays but for the noise."""

from dataclasses import replace

import numpy as np

from shared_encoder_perception.world.parked import parked
from shared_encoder_perception.world.rendered import CLASSES, EMPTY
from shared_encoder_perception.world.synthetic import Drive
from shared_encoder_perception.world.vehicles import Vehicle

SIZE = (160, 400)


def drive_with(*vehicles):
    drive = Drive(7, SIZE, split_probability=0.0)
    drive.world = replace(drive.world, vehicles=vehicles)
    return drive


def vehicle(kind="sedan", offset_m=4.0, at_m=20.0, speed=0.5):
    return Vehicle(kind, offset_m, at_m, speed, (4.5, 1.8, 1.5), (9, 9, 200), speed < 0, False)


def places(drive, driven_m):
    return [one.at_m for one in parked(drive, driven_m).world.vehicles]


def test_each_drives_its_share_and_people_stand():
    drive = drive_with(
        vehicle(), vehicle(speed=-0.5), vehicle(speed=0.0), vehicle("person", speed=1.0)
    )
    assert places(drive, 10.0) == [25.0, 15.0, 20.0, 20.0]
    assert places(drive, 0.0) == [20.0] * 4
    assert [one.at_m for one in drive.world.vehicles] == [20.0] * 4, "the drive itself stays"


def test_traffic_comes_back_but_not_through_us():
    beside, ours = vehicle(at_m=390.0), vehicle(offset_m=0.2, at_m=390.0)
    towards = vehicle(speed=-1.0, offset_m=-4.0, at_m=5.0)
    found = parked(drive_with(beside, ours, towards), 40.0).world.vehicles
    assert [one.offset_m for one in found] == [4.0, -4.0]
    assert [one.at_m for one in found] == [10.0, 365.0]


def test_the_road_stays_and_the_noise_does_not():
    drive = drive_with(vehicle())
    asked = (CLASSES, EMPTY)
    first, later = (parked(drive, at).render(0.0, asked) for at in (0.0, 20.0))
    assert (first.classes != later.classes).any() and (first.empty != later.empty).any()
    assert not np.array_equal(first.image, later.image)
    empty = [parked(drive_with(), at).render(0.0, (CLASSES,)) for at in (0.0, 20.0)]
    assert np.array_equal(empty[0].classes, empty[1].classes)
    assert not np.array_equal(empty[0].image, empty[1].image)
    moving = drive.render(0.0, asked)
    assert np.array_equal(first.image, moving.image), "nothing has happened yet"
