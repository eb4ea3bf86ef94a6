# SPDX-License-Identifier: Apache-2.0
"""A straight road with its boundaries and centre lines in closed form, for tests of lane data."""

from __future__ import annotations

import numpy as np

from shared_encoder_perception.labels.adapters import tusimple
from shared_encoder_perception.tasks.lanes.labelling.boundaries import Boundary

SIZE = (720, 1280)
GEOMETRY = tusimple.GEOMETRY
ROWS = np.arange(240.0, 720.0, 10.0)


def column(lanes_from_middle, rows=ROWS):
    """Where a straight boundary runs that is so many lane widths off the vehicle."""
    return 640 + lanes_from_middle * GEOMETRY.width_slope * (rows - GEOMETRY.horizon_row_px)


def straight(lanes_from_middle, far=260.0, near=719.0, is_edge=False):
    """A boundary so many lane widths off the vehicle, as far as it is inside the picture."""
    rows = ROWS[(far <= ROWS) & (near >= ROWS)]
    x = column(lanes_from_middle, rows)
    inside = (x >= 0) & (x < SIZE[1])
    return Boundary.from_points(np.stack((x, rows), axis=1)[inside], is_edge)


def error_px(points, lanes_from_middle):
    """Largest horizontal distance of a line from where it should run."""
    return np.abs(points[:, 0] - column(lanes_from_middle, points[:, 1])).max()


THREE = [straight(-1.5), straight(-0.5), straight(0.5), straight(1.5)]
"""The boundaries of three lanes, ego in the middle."""
