# SPDX-License-Identifier: Apache-2.0
"""Lateral error in lane widths and metres: identities of a flat straight road, then limits."""

import math

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.metrics.lateral import (
    GroundMetric,
    LateralMetric,
    lane_width_px,
)

HORIZON, WIDE = 240.0, 2.0
"""A lane is WIDE times (row - HORIZON) pixels wide."""
Y = np.arange(700.0, 290.0, -10.0)


def road(offset=0.0, rows=Y):
    """A line ``offset`` lane widths beside the middle of the image."""
    return np.stack((640 + offset * WIDE * (rows - HORIZON), rows), axis=1)


LABELS = {LaneId.EGO: road(), LaneId.LEFT_EGO: road(-1), LaneId.RIGHT_EGO: road(1)}


def line(points, lane=LaneId.EGO):
    return LaneLine(lane, LaneStatus.DETECTED, 0.9, points, np.zeros(len(points)))


def perceive(**lines):
    lanes = {LaneId[name.upper()]: points for name, points in lines.items()}
    return Lanes(tuple(line(lanes[i], i) if i in lanes else LaneLine(i) for i in LaneId))


def scored(labels=None, **lines):
    metric = LateralMetric()
    metric.update(perceive(**lines), LABELS if labels is None else labels)
    return metric.compute()


def test_the_label_itself_has_no_error():
    scores = scored(ego=road(), left_ego=road(-1))
    for name in ("ego", "left_ego"):
        assert scores[f"{name}/error_widths"] == pytest.approx(0, abs=1e-6)
        assert scores[f"{name}/over_reach_far_px"] == scores[f"{name}/under_reach_near_px"] == 0
        assert scores[f"{name}/rows"] == len(Y)
        assert scores[f"{name}/lines"] == 1


@pytest.mark.parametrize("offset", [0.1, -0.25, 1.0])
@pytest.mark.parametrize(("name", "at"), [("ego", 0), ("left_ego", -1), ("right_ego", 1)])
def test_a_line_beside_the_lane_has_its_offset_as_error_at_every_row(name, at, offset):
    scores = scored(**{name: road(at + offset)})
    assert scores[f"{name}/error_widths"] == pytest.approx(abs(offset), abs=1e-5)
    assert scores[f"{name}/bias_widths"] == pytest.approx(offset, abs=1e-5)


def test_errors_to_both_sides_cancel_in_the_bias_only():
    metric = LateralMetric()
    for offset in (0.2, -0.2):
        metric.update(perceive(ego=road(offset)), LABELS)
    scores = metric.compute()
    assert scores["ego/error_widths"] == pytest.approx(0.2, abs=1e-5)
    assert scores["ego/bias_widths"] == pytest.approx(0, abs=1e-5)


def test_mirrored_images_have_mirrored_bias():
    def mirror(points):
        return np.array((1279, 0)) + points * (-1, 1)

    swapped = {
        LaneId.EGO: mirror(road()),
        LaneId.LEFT_EGO: mirror(road(1.2)),
        LaneId.RIGHT_EGO: mirror(road(-1)),
    }
    straight = scored({**LABELS, LaneId.RIGHT_EGO: road(1.2)}, ego=road(0.3))
    mirrored = scored(swapped, ego=mirror(road(0.3)))
    assert mirrored["ego/error_widths"] == pytest.approx(straight["ego/error_widths"], rel=1e-5)
    assert mirrored["ego/bias_widths"] == pytest.approx(-straight["ego/bias_widths"], rel=1e-5)


def test_the_width_comes_from_the_neighbours_as_far_as_labelled():
    true = WIDE * (Y - HORIZON)
    one_sided = {**LABELS, LaneId.LEFT_EGO: None}
    wider = {**LABELS, LaneId.LEFT_EGO: road(-1.5)}
    for lane, labels, times in [
        (LaneId.EGO, LABELS, 1),
        (LaneId.EGO, one_sided, 1),
        (LaneId.EGO, wider, 1.25),
        (LaneId.LEFT_EGO, wider, 1.5),
        (LaneId.RIGHT_EGO, wider, 1),
        (LaneId.LEFT_SPLIT_EGO, wider, 1.25),
    ]:
        np.testing.assert_allclose(lane_width_px(labels, lane, Y), times * true)
    assert np.isnan(lane_width_px({LaneId.EGO: road()}, LaneId.EGO, Y)).all()
    assert np.isnan(lane_width_px(one_sided, LaneId.LEFT_EGO, Y)).all()


def test_nearer_than_the_neighbour_the_width_goes_on_and_farther_it_is_unknown():
    middle = (Y < 600) & (Y > 400)
    labels = {LaneId.EGO: road(), LaneId.RIGHT_EGO: road(1, Y[middle])}
    width = lane_width_px(labels, LaneId.EGO, Y)
    np.testing.assert_allclose(width[Y > 400], WIDE * (Y[Y > 400] - HORIZON))
    assert np.isnan(width[Y < 400]).all()
    assert scored(labels, ego=road(0.1))["ego/rows"] == (Y > 400).sum()


def test_where_the_neighbour_is_labelled_the_width_is_what_is_labelled_on_hills_too():
    wave = np.stack((640 + 200 + 30 * np.sin(Y / 60), Y), axis=1)
    width = lane_width_px({LaneId.EGO: road(), LaneId.RIGHT_EGO: wave}, LaneId.EGO, Y)
    np.testing.assert_allclose(width, wave[:, 0] - 640)


def test_neighbours_that_share_no_row_or_are_on_the_wrong_side_tell_no_width():
    apart = {LaneId.EGO: road(0, Y[:10]), LaneId.RIGHT_EGO: road(1, Y[20:])}
    crossed = {LaneId.EGO: road(), LaneId.RIGHT_EGO: road(-1)}
    for labels in (apart, crossed):
        assert np.isnan(lane_width_px(labels, LaneId.EGO, Y)).all()


def test_over_and_under_reach_are_pixel_rows_at_each_end():
    label = {LaneId.EGO: road(0, Y[5:-5])}
    long = scored(label, ego=road(0, Y[2:-1]))
    assert long["ego/over_reach_near_px"] == 30
    assert long["ego/over_reach_far_px"] == 40
    assert long["ego/under_reach_near_px"] == long["ego/under_reach_far_px"] == 0
    short = scored(label, ego=road(0, Y[6:-7]))
    assert short["ego/under_reach_near_px"] == 10
    assert short["ego/under_reach_far_px"] == 20
    assert short["ego/over_reach_near_px"] == short["ego/over_reach_far_px"] == 0


def test_over_and_under_reach_of_two_images_do_not_cancel():
    metric = LateralMetric()
    for part in (Y[:-5], Y):
        metric.update(perceive(ego=road(0, part)), {LaneId.EGO: road(0, Y[:-2])})
    scores = metric.compute()
    assert scores["ego/over_reach_far_px"] == 20 / 2
    assert scores["ego/under_reach_far_px"] == 30 / 2


def test_missed_absent_and_unknown_lanes_are_not_measured():
    scores = scored(
        {LaneId.EGO: road(), LaneId.LEFT_EGO: None}, left_ego=road(-1), right_ego=road(1)
    )
    assert scores["ego/lines"] == scores["left_ego/lines"] == scores["right_ego/lines"] == 0
    assert math.isnan(scores["ego/error_widths"])
    assert math.isnan(scores["left_ego/over_reach_far_px"])


def random_image(rng):
    labels = {i: points for i, points in LABELS.items() if rng.uniform() < 0.8}
    return perceive(ego=road(rng.normal(0, 0.1), Y[rng.integers(0, 9) :])), labels


def test_merged_parts_equal_the_whole_and_reset_forgets():
    rng, whole, parts = np.random.default_rng(0), LateralMetric(), []
    for _ in range(3):
        parts.append(LateralMetric())
        for _ in range(5):
            image = random_image(rng)
            whole.update(*image)
            parts[-1].update(*image)
    parts[1].merge(parts[2])
    parts[0].merge(parts[1])
    assert parts[0].compute() == pytest.approx(whole.compute(), nan_ok=True)
    whole.reset()
    assert whole.compute()["ego/lines"] == 0


X = np.arange(4.0, 70.0, 2.0)


def ground(y=0.0, x=X):
    return np.stack((x, np.full_like(x, y)), axis=1)


def on_ground(said, label, **options):
    metric = GroundMetric(**options)
    metric.update(LaneId.EGO, said, label)
    return metric.compute()


def test_an_offset_on_the_road_is_the_error_of_every_range():
    scores = on_ground(ground(0.3), ground())
    for part, stations in (("0-20m", 16), ("20-40m", 20), ("40-80m", 28)):
        assert scores[f"ego/{part}/error_m"] == pytest.approx(0.3)
        assert scores[f"ego/{part}/bias_m"] == pytest.approx(0.3)
        assert scores[f"ego/{part}/missed"] == 0
        assert scores[f"ego/{part}/stations"] == stations


def test_the_error_is_put_into_the_range_where_it_is():
    said = ground()
    said[X > 42, 1] = -1.0
    scores = on_ground(said, ground())
    assert scores["ego/0-20m/error_m"] == scores["ego/20-40m/error_m"] == 0
    # 28 stations from 40 m on: three are right, and one lies half-way
    assert scores["ego/40-80m/error_m"] == pytest.approx(24.5 / 28)
    assert scores["ego/40-80m/bias_m"] == -scores["ego/40-80m/error_m"]


def test_the_error_is_across_the_lane():
    """A lane at 45 degrees, and one a metre beside it: sqrt(2) m apart across the vehicle."""
    label = np.stack((X, X), axis=1)
    scores = on_ground(label + (0, math.sqrt(2)), label)
    assert scores["ego/20-40m/error_m"] == pytest.approx(1.0)


def test_the_density_of_points_does_not_matter():
    sparse, dense = ground(0, X[::8]), ground(0, np.linspace(X[0], X[::8][-1], 999))
    said = np.stack((X, 0.01 * X), axis=1)
    assert on_ground(said, sparse) == pytest.approx(on_ground(said, dense), nan_ok=True)


def test_what_is_not_reached_is_missed_not_wrong():
    scores = on_ground(ground(0, X[X <= 30]), ground())
    assert scores["ego/20-40m/error_m"] == 0
    assert scores["ego/20-40m/missed"] == pytest.approx(9 / 20)
    assert scores["ego/40-80m/missed"] == 1
    assert math.isnan(scores["ego/40-80m/error_m"])
    nothing = on_ground(np.zeros((0, 3)), ground())
    assert nothing["ego/0-20m/missed"] == 1
    assert math.isnan(on_ground(ground(), np.zeros((0, 2)))["ego/0-20m/missed"])


def test_points_off_the_road_and_points_that_go_back_are_left_out():
    said = np.column_stack((ground(0.2), np.zeros(len(X))))
    said[3] = np.nan
    said[7, :2] = (5.0, 99.0)
    assert on_ground(said, ground())["ego/0-20m/error_m"] == pytest.approx(0.2)


def test_ground_bins_are_checked_and_merged():
    one, other = GroundMetric((0, 10, 100)), GroundMetric((0, 10, 100))
    one.update(LaneId.EGO, ground(0.1), ground())
    other.update(LaneId.EGO, ground(-0.3), ground())
    whole = GroundMetric((0, 10, 100))
    for y in (0.1, -0.3):
        whole.update(LaneId.EGO, ground(y), ground())
    one.merge(other)
    assert one.compute() == pytest.approx(whole.compute(), nan_ok=True)
    assert one.compute()["ego/10-100m/error_m"] == pytest.approx(0.2)
    assert one.compute()["ego/10-100m/bias_m"] == pytest.approx(-0.1)
    one.reset()
    assert one.compute()["ego/0-10m/stations"] == 0
    with pytest.raises(ValueError, match="cannot add bins"):
        one.merge(GroundMetric())
    with pytest.raises(ValueError, match="range_edges_m is"):
        GroundMetric((0, 20, 20))
    with pytest.raises(ValueError, match=r"points have shape \(3, 4\)"):
        one.update(LaneId.EGO, np.zeros((3, 4)), ground())
