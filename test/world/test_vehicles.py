# SPDX-License-Identifier: Apache-2.0
"""Vehicles are closed: behind one nothing shows but below it and beside it."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.world.rendered import CLASSES
from shared_encoder_perception.world.synthetic import Drive
from shared_encoder_perception.world.vehicles import BODIES, Vehicle

SIZE = (320, 800)
HEIGHT_M = {"truck": 3.4, "bus": 3.0, "van": 2.1}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("oncoming", [False, True])
def test_nobody_looks_through_below_a_bumper(kind, oncoming):
    drive = Drive(7, SIZE, split_probability=0.0)
    size_m = (4.5, 1.8, HEIGHT_M.get(kind, 1.6))
    speed = -1.0 if oncoming else 1.0
    one = Vehicle(kind, 0.0, 9.0, speed, size_m, (9, 9, 200), oncoming, False)
    drive.world = replace(drive.world, vehicles=(one,))
    seen = drive.render(0.0, (CLASSES,)).classes
    drive.world = replace(drive.world, vehicles=())
    there = seen != drive.render(0.0, (CLASSES,)).classes
    columns = np.flatnonzero(there.any(axis=0))
    middle = columns[len(columns) // 3 : 2 * len(columns) // 3]
    assert len(middle) > 20
    for column in there[:, middle].T:
        rows = np.flatnonzero(column)
        assert (np.diff(rows) == 1).all(), f"a slit at row {rows[np.argmax(np.diff(rows) > 1)]}"
