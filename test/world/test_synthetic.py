# SPDX-License-Identifier: Apache-2.0
"""The synthetic world: deterministic, exactly labelled, moving."""

import cv2
import numpy as np
import pytest
from labelled_set import lanes_of, mask_of

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.masks.values import YES
from shared_encoder_perception.world.synthetic import Drive, render_sample

SEEDS = range(100, 140)


@pytest.fixture(scope="module")
def samples():
    cv2.setNumThreads(1)
    return [render_sample(seed, (160, 400)) for seed in SEEDS]


def test_same_seed_same_sample():
    a, b, other = render_sample(3), render_sample(3), render_sample(4)
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(mask_of(a), mask_of(b))
    assert np.array_equal(lanes_of(a)[LaneId.EGO], lanes_of(b)[LaneId.EGO])
    assert not np.array_equal(a.image, other.image)


def test_every_lane_is_known_and_inside(samples):
    for sample in samples:
        # Whether a lane splits off can be a matter of opinion; then it is unknown.
        assert {lane for lane in LaneId if not lane.is_split} <= set(lanes_of(sample))
        for points in lanes_of(sample).values():
            if points is not None:
                assert points.min() >= 0
                assert (points <= (399, 159)).all()


def test_worlds_differ_and_show_every_lane(samples):
    shown = {lane: sum(lanes_of(s).get(lane) is not None for s in samples) for lane in LaneId}
    assert shown[LaneId.EGO] >= 0.9 * len(samples)
    assert min(shown.values()) > 0
    assert shown[LaneId.LEFT_EGO] < len(samples)


def test_left_is_left_and_right_is_right(samples):
    for sample in samples:
        ego = lanes_of(sample)[LaneId.EGO]
        for lane, side in ((LaneId.LEFT_EGO, -1), (LaneId.RIGHT_EGO, 1)):
            other = lanes_of(sample)[lane]
            if ego is None or other is None:
                continue
            rows = np.intersect1d(ego[:, 1], other[:, 1])
            at = [np.interp(rows, p[::-1, 1], p[::-1, 0]) for p in (ego, other)]
            assert (side * (at[1] - at[0]) > 0).all()


def test_lane_centres_run_on_the_drivable_surface(samples):
    """Vehicles and the bonnet cover some of it; nothing else may."""
    shares = []
    for sample in samples:
        points = lanes_of(sample)[LaneId.EGO]
        if points is not None:
            x, y = points[:-6].round().astype(int).T  # the far end is a few pixels wide
            shares.append((mask_of(sample)[y, x] == YES).mean())
    assert np.median(shares) > 0.95
    assert np.mean(np.array(shares) > 0.5) > 0.9


def test_split_leaves_from_the_ego_line(samples):
    splits = 0
    for sample in samples:
        ego = lanes_of(sample)[LaneId.EGO]
        for lane, side in ((LaneId.LEFT_SPLIT_EGO, -1), (LaneId.RIGHT_SPLIT_EGO, 1)):
            split = lanes_of(sample).get(lane)
            if split is None or ego is None:
                continue
            splits += 1
            assert np.abs(split[0] - ego[0]).max() < 1.0
            rows = np.intersect1d(ego[:, 1], split[:, 1])
            at = [np.interp(rows, p[::-1, 1], p[::-1, 0]) for p in (ego, split)]
            assert (side * (at[1] - at[0]) > -0.01).all()
    assert splits > 0


def test_a_drive_moves():
    drive = Drive(7, (160, 400))
    still, again, later = (drive.render(distance) for distance in (0.0, 0.0, 1.0))
    assert np.array_equal(still.image, again.image)
    assert not np.array_equal(still.image, later.image)
    ego = [world.centre_lines["ego"] for world in (still, later)]
    rows = np.intersect1d(ego[0][:, 1], ego[1][:, 1])
    at = [np.interp(rows, p[::-1, 1], p[::-1, 0]) for p in ego]
    assert np.abs(at[0] - at[1]).max() < 20  # one metre on is almost the same road
