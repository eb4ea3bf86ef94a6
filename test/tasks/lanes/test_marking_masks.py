# SPDX-License-Identifier: Apache-2.0
"""Lines traced in a marking mask: as they were drawn, solid or dashed, and nothing else."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labelling.marking_lanes import lanes_between
from shared_encoder_perception.tasks.lanes.labelling.marking_masks import trace_boundaries
from shared_encoder_perception.world.camera import Camera

SIZE = (360, 640)
CAMERA = Camera(SIZE, 480.0, (320.0, 130.0), 1.5, 0.02, 0.0, 0.0, 0.0)
LANE_M, PAINT_M = 3.6, 0.2
AHEAD_M = np.geomspace(2.0, 60.0, 1500)
OUTER, INNER = 1.5 * LANE_M, 0.5 * LANE_M


def project(offset_m, bend, ahead_m=AHEAD_M):
    """A line beside the road's middle, (N, 2) pixels near to far; ``bend`` is 1 / radius."""
    x = offset_m + 0.5 * bend * ahead_m**2
    return CAMERA.project(x, np.zeros_like(x), ahead_m)


def paint(mask, offset_m, bend, dash_m=None, value=255):
    """Draw a line of paint, 3 m of every ``dash_m`` when dashed."""
    starts = np.arange(0.5, 60.0, dash_m or 60.0)
    for start in starts:
        end = start + (3.0 if dash_m else 60.0)
        ahead = AHEAD_M[(start <= AHEAD_M) & (end >= AHEAD_M)]
        if len(ahead) < 2:
            continue
        sides = [project(offset_m + side * PAINT_M / 2, bend, ahead) for side in (-1, 1)]
        outline = np.concatenate((sides[0], sides[1][::-1]))
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], value, cv2.LINE_8, 4)


def road(bend, dash_m=None, value=255):
    """A road of three lanes, its inner lines dashed when asked for."""
    mask = np.zeros(SIZE, np.uint8)
    for offset in (-OUTER, OUTER):
        paint(mask, offset, bend, value=value)
    for offset in (-INNER, INNER):
        paint(mask, offset, bend, dash_m, value)
    return mask


def at_rows(line, rows):
    """Columns of a line near to far; NaN beyond its ends."""
    return np.interp(rows, line[::-1, 1], line[::-1, 0], left=np.nan, right=np.nan)


@pytest.mark.parametrize("bend", [0.0, 1 / 400, -1 / 250])
@pytest.mark.parametrize("dash_m", [None, 6.0, 12.0])
def test_lines_are_traced_as_they_were_drawn(bend, dash_m):
    lines = trace_boundaries(road(bend, dash_m))
    truths = [project(offset, bend) for offset in (-OUTER, -INNER, INNER, OUTER)]
    assert len(lines) == len(truths)
    for line in lines:
        assert (np.diff(line[:, 1]) < 0).all()
        errors = [np.abs(at_rows(truth, line[:, 1]) - line[:, 0]) for truth in truths]
        assert min(np.nanmax(error) for error in errors) < 2


@pytest.mark.parametrize("bend", [0.0, 1 / 400])
@pytest.mark.parametrize("dash_m", [None, 6.0])
def test_lanes_lie_between_the_lines(bend, dash_m):
    found = lanes_between(road(bend, dash_m), 0.1)
    assert set(found.lanes) == {LaneId.EGO, LaneId.LEFT_EGO, LaneId.RIGHT_EGO}
    assert found.confidence.keys() == found.lanes.keys()
    for lane, side in ((LaneId.EGO, 0), (LaneId.LEFT_EGO, -1), (LaneId.RIGHT_EGO, 1)):
        points = found.lanes[lane]
        error = np.abs(at_rows(project(side * LANE_M, bend), points[:, 1]) - points[:, 0])
        assert np.nanmedian(error) < 2
        assert 0.3 < found.confidence[lane] <= 1
    assert len(found.boundaries) == 4


def test_a_lane_is_as_sure_as_its_lines():
    sure, unsure = (lanes_between(road(0.0, value=value), 0.01).confidence for value in (255, 153))
    assert sure[LaneId.EGO] > 0.95
    # What is continued below the near end of the outer lines counts as not seen.
    assert sure[LaneId.LEFT_EGO] < 0.8
    for lane in sure:
        assert unsure[lane] == pytest.approx(0.6 * sure[lane], abs=0.02)
    left_out = lanes_between(road(0.0, value=153), 0.5)
    assert set(left_out.lanes) == {LaneId.EGO}
    assert "left_ego: teacher unsure" in left_out.notes


def test_what_is_no_line_is_not_traced():
    nothing = np.zeros(SIZE, np.uint8)
    assert trace_boundaries(nothing) == ()
    faint = np.where(road(0.0) > 0, np.uint8(127), np.uint8(0))
    assert trace_boundaries(faint) == ()
    areas = np.zeros(SIZE, np.uint8)
    areas[300:312, 100:500] = 255  # a stop line
    areas[200:290, 280:340] = 255  # a bus lane's red surface
    areas[150:160, 400:404] = 255  # a speck
    assert trace_boundaries(areas) == ()
    assert trace_boundaries(np.full(SIZE, 255, np.uint8)) == ()
    assert lanes_between(areas, 0.1).lanes == {}


def test_a_stop_line_does_not_hide_the_lines_that_it_crosses():
    mask = road(0.0)
    mask[280:286, 60:580] = 255
    assert len(trace_boundaries(mask)) == 4


def test_a_double_line_is_one_boundary():
    mask = np.zeros(SIZE, np.uint8)
    for offset in (-INNER - 0.15, -INNER + 0.15, INNER):
        paint(mask, offset, 0.0)
    lines = trace_boundaries(mask)
    assert len(lines) == 2
    left = min(lines, key=lambda line: line[0, 0])
    assert np.abs(at_rows(project(-INNER, 0.0), left[:, 1]) - left[:, 0]).max() < 3
    assert lanes_between(mask, 0.1).confidence[LaneId.EGO] > 0.9


def test_ragged_lines_of_a_network_are_followed():
    rng = np.random.default_rng(5)
    noisy = cv2.GaussianBlur(road(1 / 400, 9.0), (5, 5), 1.5).astype(np.float32)
    noisy = noisy * rng.uniform(0.7, 1.3, SIZE) + rng.uniform(0, 40, SIZE)
    lines = trace_boundaries(noisy.clip(0, 255).astype(np.uint8))
    assert len(lines) == 4
    truths = [project(offset, 1 / 400) for offset in (-OUTER, -INNER, INNER, OUTER)]
    for line in lines:
        errors = [np.abs(at_rows(truth, line[:, 1]) - line[:, 0]) for truth in truths]
        assert min(np.nanmedian(error) for error in errors) < 2


def test_without_the_near_dashes_of_a_boundary_nothing_is_guessed():
    mask = np.zeros(SIZE, np.uint8)
    for offset in (-OUTER, INNER):
        paint(mask, offset, 0.0)
    far = np.zeros(SIZE, np.uint8)
    paint(far, -INNER, 0.0)
    far[215:] = 0
    found = lanes_between(mask | far, 0.1)
    assert LaneId.EGO not in found.lanes or found.confidence[LaneId.EGO] < 0.6
