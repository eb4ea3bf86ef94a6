# SPDX-License-Identifier: Apache-2.0
"""Every mistake that others made with several cameras, made on purpose: a named test fails.

``docs/bird_eye_geometry.md`` has the same list. The pictures are those of the true rig.
"""

import re
from functools import cache
from pathlib import Path

import landmarks
import mistakes
import numpy as np
import pytest
import test_core
import test_landmarks
import test_sight
import test_table
from mistakes import angles, centres, input_pixels, labels, lens, placed, pose, whole_cells

from shared_encoder_perception.ground.extrinsics import BODY_FROM_OPTICAL
from shared_encoder_perception.rig.table import Sight

PAGE = Path(__file__).parents[2] / "docs/bird_eye_geometry.md"


def of_sight(test, *more):
    """Return a test of what the four cameras see, under its name."""

    def run():
        test(Sight.of(landmarks.calibrated(), test_table.GRID, test_table.INPUT), *more)

    run.__name__ = test.__name__
    return run


def of(test, *arguments):
    """Return a test with what it is parametrised by, under its name."""

    def run():
        test(*arguments)

    run.__name__ = test.__name__
    return run


MARKS = test_landmarks.test_marks_on_the_ground_and_tops_of_cubes_are_where_they_are
PROJECTED = test_table.test_the_table_leads_to_where_opencv_projects
PITCHED = test_landmarks.test_a_camera_that_looks_down_by_five_degrees_more_gives_the_same_map
GONE = of_sight(
    test_sight.test_a_camera_that_is_gone_takes_its_own_voxels_with_it_and_no_others, "left"
)
ASKED = of(test_landmarks.test_what_no_camera_sees_any_more_is_not_asked_for, "left")
AREA = of(test_core.test_a_box_covers_its_area_wherever_it_lies_in_its_cells, 0.4, 0.31)
LEADS = test_landmarks.test_each_cell_and_its_offset_lead_to_the_middle_of_its_vehicle
SEAM = of_sight(test_table.test_no_tap_crosses_a_seam, 1)
LEFT_HANDED = np.array([1.0, -1.0, 1.0])

MISTAKES = {
    # the grid
    "x and y transposed": (centres(lambda c: c.swapaxes(0, 1)), MARKS),
    "x flipped": (centres(lambda c: c[:, ::-1]), MARKS),
    "y flipped": (centres(lambda c: c[::-1]), MARKS),
    "turned by 180 degrees": (centres(lambda c: c[::-1, ::-1]), MARKS),
    "voxels raveled with x slowest": (mistakes.columns_first, MARKS),
    "all heights looked up on the ground": (mistakes.flat, MARKS),
    "grid hangs on a pitched camera": (mistakes.hung_on_the_first_camera, PITCHED),
    # poses
    "left and right camera swapped": (mistakes.swapped, MARKS),
    "yaw negated": (angles(lambda p, roll, pitch, yaw: (p, roll, pitch, -yaw)), MARKS),
    "pitch negated": (angles(lambda p, roll, pitch, yaw: (p, roll, -pitch, yaw)), MARKS),
    "roll negated": (angles(lambda p, roll, pitch, yaw: (p, -roll, pitch, yaw)), MARKS),
    "y to the right": (angles(lambda p, *rpy: (p * LEFT_HANDED, *rpy)), MARKS),
    "left-handed world": (
        angles(lambda p, roll, pitch, yaw: (p * LEFT_HANDED, roll, pitch, -yaw)),
        MARKS,
    ),
    "degrees for radians": (angles(lambda p, *rpy: (p, *np.rad2deg(rpy))), MARKS),
    "angles applied in the other order": (mistakes.other_order, MARKS),
    "pose inverted": (pose(lambda r, p: (r.T, -r.T @ p)), MARKS),
    "axes of a body for optical ones": (pose(lambda r, p: (r @ BODY_FROM_OPTICAL.T, p)), MARKS),
    # pixels
    "half pixel forgotten in the resize": (
        input_pixels(mistakes.without_half_pixel),
        of(PROJECTED, "none", "usual"),
    ),
    "principal point scaled without the half pixel": (
        mistakes.cells_without_half_pixel,
        of(PROJECTED, "none", "usual"),
    ),
    "principal point counted from the corner": (
        lens(matrix=lambda m: m.matrix + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]),
        of(PROJECTED, "none", "usual"),
    ),
    "half pixel forgotten in the binning": (
        lens(origin_px=lambda m: tuple(np.floor(m.origin_px))),
        of(PROJECTED, "none", "binned"),
    ),
    "corners aligned": (placed(mistakes.corners_aligned), of(PROJECTED, "none", "usual")),
    "crop forgotten": (input_pixels(mistakes.without_crop), of(PROJECTED, "none", "cropped")),
    "bars of the letterbox forgotten": (
        input_pixels(mistakes.without_bars),
        of(PROJECTED, "none", "letterbox"),
    ),
    "region of interest forgotten": (
        lens(origin_px=lambda m: (0.5, 0.5)),
        of(PROJECTED, "none", "region"),
    ),
    "distortion forgotten": (
        lens(distortion=lambda m: m.distortion[:0]),
        of(PROJECTED, "plumb_bob", "usual"),
    ),
    "fisheye taken for a pinhole": (
        lens(fisheye=lambda m: False),
        of(PROJECTED, "equidistant", "usual"),
    ),
    "what is behind seen ahead": (mistakes.behind_as_ahead, of(PROJECTED, "none", "usual")),
    "taps across seams": (placed(mistakes.across_seams), SEAM),
    "length of the ray for depth": (
        mistakes.along_rays,
        test_landmarks.test_depth_is_along_the_optical_axis,
    ),
    # what is known, and what is asked for
    "validity guessed from features": (
        mistakes.guessed_from_features,
        of_sight(test_table.test_a_view_of_nothing_is_a_view),
    ),
    "dead cameras see": (mistakes.dead_cameras_see, GONE),
    "dead cameras are looked up": (mistakes.dead_cameras_are_looked_up, GONE),
    "labels of things no used camera sees": (labels(mistakes.regardless_of_cameras), ASKED),
    "corners truncated to cells": (whole_cells(np.trunc), AREA),
    "corners rounded to cells": (whole_cells(np.rint), AREA),
    "offset from the centre to the cell": (labels(mistakes.offset_from_the_middle), LEADS),
    "offset in cells": (labels(mistakes.offset_in_cells), LEADS),
    "labels flipped": (
        labels(mistakes.flipped),
        test_landmarks.test_labels_lie_where_the_pictures_show_the_things,
    ),
}
"""The mistake, and the test that must fail of it."""


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """Take all pictures before anything is wrong."""
    return test_landmarks.shown(), test_landmarks.pitched_features()


@cache
def passes(test):
    """Run a test while nothing is wrong: once, however many mistakes it is there for."""
    test()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_fails_the_test_that_is_there_for_it(mistake, monkeypatch):
    make, test = MISTAKES[mistake]
    passes(test)
    make(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        test()


def test_the_page_names_the_same_mistakes_and_tests():
    rows = re.findall(r"^\| ([^|]+) \| `(test_\w+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {name: test.__name__ for name, (_, test) in MISTAKES.items()}
