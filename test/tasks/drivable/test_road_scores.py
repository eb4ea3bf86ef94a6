# SPDX-License-Identifier: Apache-2.0
"""KITTI road's numbers: by identity, by hand, threshold by threshold, and seen from above."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.kitti import ROAD, read_matrices, road_homography
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.metric import FullMetric, Metric
from shared_encoder_perception.tasks.drivable.report import (
    NO_HOMOGRAPHY,
    ROAD_HEADER,
    road_rows,
    terminal,
)
from shared_encoder_perception.tasks.drivable.road_plane import (
    BESIDE_M,
    CELL_M,
    GRID,
    check_homography,
    from_above,
)
from shared_encoder_perception.tasks.drivable.road_scores import threshold_scores

SIZE = (375, 1242)
WHOLE = Crop(0, 0, SIZE[1], SIZE[0])
HEIGHT_M, FOCAL_PX = 1.65, 720.0
VALUES = np.arange(256)


def histogram(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 50, (2, 256)) * (rng.random((2, 256)) < 0.3)
    counts[1, 200] += 1
    counts[0, 20] += 1
    return counts


def view(yaw_deg=0.0, pitch_deg=1.0, roll_deg=0.0):
    """A camera over a flat road."""
    camera = CameraModel(
        SIZE,
        np.array([[FOCAL_PX, 0, 610.0], [0, FOCAL_PX, 173.0], [0, 0, 1]]),
        np.zeros(0),
        fisheye=False,
        rectification=np.eye(3),
        binning=(1, 1),
        origin_px=(0.0, 0.0),
    )
    angles = np.radians((roll_deg, pitch_deg, yaw_deg))
    return CameraView(camera, Extrinsics.from_angles((0.0, 0.0, HEIGHT_M), *map(float, angles)))


def homography(camera):
    """From pixels to metres on the road, by what the camera makes of three directions."""
    turn = camera.extrinsics.rotation @ np.linalg.inv(camera.camera.matrix)
    return np.diag((-HEIGHT_M, -HEIGHT_M, 1.0)) @ turn


def stripe(camera, left_m, right_m):
    """Drivable where a pixel shows the road between two distances to the left."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    rays = camera.rays(np.stack((columns.ravel(), rows.ravel()), axis=1).astype(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        y = rays[:, 1] * HEIGHT_M / -rays[:, 2]
        inside = (rays[:, 2] < 0) & (y < left_m) & (y > -right_m)
    return np.where(inside.reshape(SIZE), 255, 0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(20))
def test_each_number_is_the_best_threshold_counted_by_hand(seed):
    counts = histogram(seed)
    tried = []
    for threshold in VALUES:
        fp, tp = (int(row[threshold:].sum()) for row in counts)
        fn, tn = counts[1].sum() - tp, counts[0].sum() - fp
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / (tp + fn)
        f = 2 * precision * recall / (precision + recall) if tp else 0.0
        tried.append((f, precision, recall, fp / (fp + tn), fn / (tp + fn)))
    best = max(tried, key=lambda one: one[0])
    found = threshold_scores(counts)
    assert tuple(found[k] for k in ("max_f", "precision", "recall", "fpr", "fnr")) == pytest.approx(
        best
    )
    assert tried[round(255 * found["threshold"])] == best
    ap = np.mean(
        [max(one[1] for one in tried if one[2] >= least - 1e-12) for least in np.linspace(0, 1, 11)]
    )
    assert found["ap"] == pytest.approx(ap)


def test_a_perfect_answer_and_a_worthless_one():
    perfect = np.zeros((2, 256), np.int64)
    perfect[0, 3], perfect[1, 200] = 70, 30
    found = threshold_scores(perfect)
    assert (found["max_f"], found["ap"], found["fpr"], found["fnr"]) == (1.0, 1.0, 0.0, 0.0)
    assert found["threshold"] == 4 / 255  # the lowest of equally good ones
    same = np.tile(np.array([[70], [30]]), (1, 256))
    found = threshold_scores(same)  # knows nothing: all is drivable
    assert found["ap"] == pytest.approx(0.3)
    assert found["max_f"] == pytest.approx(2 * 0.3 / 1.3) and found["fpr"] == 1.0


def test_without_drivable_pixels_there_is_no_score():
    counts = np.zeros((2, 256), np.int64)
    counts[0, 7] = 5
    assert all(map(math.isnan, threshold_scores(counts).values()))
    assert math.isnan(threshold_scores(counts[::-1])["fpr"])


def test_scores_depend_on_the_order_of_probabilities_alone():
    counts = np.zeros((2, 256), np.int64)
    counts[:, :100] = histogram(5)[:, :100] + 1
    stretched = np.zeros_like(counts)
    stretched[:, 2 * np.arange(100) + 30] = counts[:, :100]
    one, other = threshold_scores(counts), threshold_scores(stretched)
    for name in ("max_f", "ap", "precision", "recall", "fpr", "fnr"):
        assert one[name] == other[name]


@pytest.mark.parametrize("angles", [{}, {"yaw_deg": 4.0, "pitch_deg": 3.0, "roll_deg": 2.0}])
def test_a_stripe_of_road_is_a_stripe_from_above(angles):
    """As wide in metres at 40 m as at 10, and on the side that it is on."""
    camera = view(**angles)
    seen = from_above(stripe(camera, 4.0, 1.5), homography(camera), 127)
    assert seen.shape == GRID == (800, 400)
    for rows, tolerance_m in ((slice(700, 800), 0.06), (slice(0, 700), 0.15)):
        road = seen[rows] == 255
        left_m = BESIDE_M - CELL_M * road.argmax(axis=1)
        right_m = CELL_M * (GRID[1] - road[:, ::-1].argmax(axis=1)) - BESIDE_M
        assert road.any(axis=1).all()
        assert np.abs(left_m - 4.0).max() <= tolerance_m
        assert np.abs(right_m - 1.5).max() <= tolerance_m


def score(probability, label, crop=WHOLE):
    metric = FullMetric()
    metric.update(DrivableMask(probability), label, SIZE, crop)
    return metric.compute()["road"]


def test_far_road_counts_from_above_as_it_is_large():
    """Missing what is beyond 20 m is a few rows of the picture, and most of the road."""
    camera = view()
    truth = stripe(camera, 2.0, 2.0)
    row = int(camera.pixels(np.array([[20.0, 0.0, -HEIGHT_M]]))[0, 1])
    said = truth.copy()
    said[: row + 1] = 0
    found = score(said, Label(truth, homography=homography(camera)))
    assert found["image"]["images"] == found["birds_eye"]["images"] == 1
    assert found["image"]["fnr"] < 0.25
    assert found["birds_eye"]["fnr"] == pytest.approx((46 - 20) / 40, abs=0.03)
    assert found["birds_eye"]["precision"] == 1.0


def test_the_label_itself_is_perfect_in_both_views():
    camera = view()
    truth = stripe(camera, 3.0, 5.0)
    found = score(truth, Label(truth, homography=homography(camera)))
    for one in found.values():
        assert one["max_f"] == one["ap"] == one["recall"] == 1.0


def test_mirrored_is_scored_alike():
    camera = view()
    rng = np.random.default_rng(3)
    truth, said = stripe(camera, 3.0, 5.0), rng.integers(0, 256, SIZE, np.uint8)
    flip = np.array([[-1.0, 0, SIZE[1] - 1], [0, 1, 0], [0, 0, 1]])
    turned = np.diag((1.0, -1.0, 1.0)) @ homography(camera) @ flip
    one = score(said, Label(truth, homography=homography(camera)))
    other = score(
        np.ascontiguousarray(said[:, ::-1]),
        Label(np.ascontiguousarray(truth[:, ::-1]), homography=turned),
    )
    assert other["image"] == one["image"]
    for name, value in one["birds_eye"].items():
        assert other["birds_eye"][name] == pytest.approx(value, abs=1e-3)


def test_without_a_homography_there_is_no_view_from_above():
    truth = stripe(view(), 3.0, 5.0)
    found = score(truth, Label(truth))
    assert found["birds_eye"]["images"] == 0 and math.isnan(found["birds_eye"]["max_f"])
    assert found["image"]["max_f"] == 1.0


def test_what_is_ignored_or_outside_of_the_crop_counts_in_neither_view():
    camera = view()
    truth = stripe(camera, 4.0, 4.0)
    right = Crop(600, 0, 400, SIZE[0])
    wrong = np.where(truth == 255, 0, 255).astype(np.uint8)
    said = wrong.copy()
    said[right.window] = truth[right.window]
    label = Label(truth, homography=homography(camera))
    assert all(one["max_f"] == 1.0 for one in score(said, label, right).values())
    ignored = np.full_like(truth, 127)
    ignored[right.window] = truth[right.window]
    label = Label(ignored, homography=homography(camera))
    assert all(one["max_f"] == 1.0 for one in score(said, label).values())
    assert any(one["max_f"] < 1.0 for one in score(wrong, label).values())


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3) * np.nan, "expected 3x3 numbers"),
        (np.eye(2), "expected 3x3 numbers"),
        (
            np.array([[1.0, 0, 1000], [0, 1, 1000], [0, 0, 1]]),
            "shows nothing of the road from 6 to 46 m",
        ),
    ],
)
def test_a_homography_that_shows_no_road_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        check_homography(matrix, SIZE)


def kitti(camera):
    """The calibration that KITTI's road benchmark would write for a camera without roll."""
    pitch, c = np.radians(1.0), np.cos(np.radians(1.0))
    s = np.sin(pitch)
    turn = np.array([[1.0, 0, 0], [0, c, s], [0, -s, c]])
    road = np.hstack((turn, [[0.0], [-HEIGHT_M], [0.0]]))
    second = np.hstack((camera.camera.matrix, np.zeros((3, 1))))
    rows = {"P0": second, "P2": second, "R0_rect": np.eye(3), "Tr_cam_to_road": road}
    return "".join(
        f"{name}: {' '.join(f'{value:.12e}' for value in matrix.ravel())}\n"
        for name, matrix in rows.items()
    )


def test_kittis_calibration_says_where_the_road_lies(tmp_path):
    camera, path = view(), tmp_path / "um_000000.txt"
    path.write_text(kitti(camera))
    found, expected = road_homography(read_matrices(path, ROAD)), homography(camera)
    np.testing.assert_allclose(found / found[2, 2], expected / expected[2, 2], atol=1e-9)


def test_a_damaged_calibration_is_named(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(ValueError, match=r"there is no .*a\.txt"):
        read_matrices(path, ROAD)
    path.write_text("P2: 1 2 3\n")
    with pytest.raises(ValueError, match=r"a\.txt: P2 has 3 numbers, expected 12"):
        read_matrices(path, ROAD)
    path.write_text("P2: one\n")
    with pytest.raises(ValueError, match=r"a\.txt: P2 has words"):
        read_matrices(path, ROAD)
    path.write_text("P1: 1\n")
    with pytest.raises(ValueError, match=r"a\.txt lacks P2, R0_rect, Tr_cam_to_road"):
        read_matrices(path, ROAD)
    flat = {"P2": np.zeros((3, 4)), "R0_rect": np.eye(3), "Tr_cam_to_road": np.eye(3, 4)}
    with pytest.raises(ValueError, match="put no road into the picture"):
        road_homography(flat)


@pytest.mark.parametrize("known", [True, False])
def test_people_are_told_which_view_numbers_are_of(known):
    camera = view()
    truth = stripe(camera, 3.0, 5.0)
    label = Label(truth, homography=homography(camera) if known else None)
    basic, full = Metric(), FullMetric()
    for metric in (basic, full):
        metric.update(DrivableMask(truth), label, SIZE, WHOLE)
    sections = {**basic.compute(), **full.compute()}
    lines = terminal({"road": sections}, {})
    assert lines[-2].split()[:4] == ["road", "the", "image", "1.000"]
    said = " ".join(lines[-1].split())
    expected = "1.000 1.000 1.000 1.000 0.000 0.000" if known else NO_HOMOGRAPHY
    assert said == f"road the bird's-eye view {expected}"
    others = {"constant": {"road": sections}, "empty": {"road": sections}}
    rows = road_rows({"sources": {"road": sections}, "baselines": others})
    assert [row[1] for row in rows] == ["the image", "the bird's-eye view"][: 1 + known]
    assert all(len(row) == len(ROAD_HEADER) for row in rows)
    assert terminal({"road": basic.compute()}, {})[-1].startswith("road")  # in training
