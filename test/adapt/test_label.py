# SPDX-License-Identifier: Apache-2.0
"""A bag becomes two sets: what a path says, whoever tells it, and what cannot be labelled."""

import numpy as np
import pytest
from driven_bags import SEED, SIZE, copy_of, moving_tf, path_of

from shared_encoder_perception.adapt.drive import Where, read_drive
from shared_encoder_perception.adapt.label import HELD_OUT, TRAIN, Options, choose, label_drive
from shared_encoder_perception.adapt.rendered_drive import (
    INFO_TOPIC,
    ODOMETRY_TOPIC,
    STATIC_TOPIC,
    TOPIC,
    rendered_drive,
)
from shared_encoder_perception.adapt.trajectory import NothingToLearnError, PathError
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.bags import BagError
from shared_encoder_perception.labels import native
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

SHORT = Options(far_m=20.0)


@pytest.fixture(scope="module")
def predictor(one_task_model):
    """Return a model that answers nothing of what hides the ground."""
    return Predictor(load_backend(one_task_model("drivable_surface")))


@pytest.fixture(scope="module")
def labelled(driven, predictor, tmp_path_factory):
    """Return the folder of both sets, and what was told of them."""
    out = tmp_path_factory.mktemp("labelled")
    return out, label_drive(driven, out, predictor, SHORT)


def planes(folder):
    """Return the plane of each picture of a set, and where it was taken."""
    return [
        (frame.labels["drivable_surface"]().mask, float(frame.attributes["driven_m"]))
        for frame in native.read(folder)
    ]


def test_what_was_driven_over_is_road_in_the_picture_and_of_the_rest_nothing_is_said(labelled):
    drive = rendered_drive(SEED, "gravel", SIZE)
    for plane, at_m in planes(labelled[0] / TRAIN)[::5]:
        driven = plane == YES
        road = drive.render(round(at_m / 2) * 2.0).drivable > 0
        assert (driven & road).sum() >= 0.99 * driven.sum()
        assert set(np.unique(plane)) == {NOT_KNOWN, YES}


def test_held_out_pictures_say_no_in_the_sky_alone(labelled):
    for plane, _ in planes(labelled[0] / HELD_OUT):
        assert set(np.unique(plane)) == {NO, NOT_KNOWN, YES}
        assert np.nonzero(plane == NO)[0].max() < np.nonzero(plane == YES)[0].min()


def test_no_ground_is_both_trained_on_and_judged_by(labelled):
    last = max(at_m for _, at_m in planes(labelled[0] / TRAIN))
    first = min(at_m for _, at_m in planes(labelled[0] / HELD_OUT))
    assert last + SHORT.far_m <= first
    assert first >= 0.75 * labelled[1].driven_m


def test_no_more_images_are_taken_than_asked_for_and_they_are_spread(driven):
    drive = read_drive(driven, Where())
    few = choose(drive, Options(far_m=20.0, images=16))
    many = choose(drive, SHORT)
    assert sum(map(len, few.values())) <= 17
    for part in (TRAIN, HELD_OUT):
        assert {few[part][0], few[part][-1]} == {many[part][0], many[part][-1]}


def test_odometry_a_file_and_tf_say_the_same(driven, tmp_path):
    (tmp_path / "path.txt").write_text(path_of(driven))
    told = [
        read_drive(driven, Where()),
        read_drive(driven, Where(path=tmp_path / "path.txt")),
        read_drive(copy_of(driven, tmp_path / "tf", [ODOMETRY_TOPIC], moving_tf(driven)), Where()),
    ]
    assert [one.path_of.split()[0] for one in told] == ["the", "the", "TF"]
    for other in told[1:]:
        assert np.allclose(other.trajectory.shifts, told[0].trajectory.shifts, atol=1e-9)
        assert np.allclose(other.trajectory.rotations, told[0].trajectory.rotations, atol=1e-9)
        assert np.array_equal(other.trajectory.stamps_ns, told[0].trajectory.stamps_ns)


@pytest.mark.parametrize(
    ("topic", "kind", "told"),
    [
        (INFO_TOPIC, BagError, "has no CameraInfo on /camera/camera_info"),
        (ODOMETRY_TOPIC, PathError, "does not say where the vehicle drove: no nav_msgs"),
        (STATIC_TOPIC, PathError, "does not say where the camera sits"),
        (TOPIC, BagError, "has no topic with images"),
    ],
)
def test_a_bag_that_lacks_something_says_what(driven, tmp_path, topic, kind, told):
    bag = copy_of(driven, tmp_path / "bag", [topic])
    with pytest.raises(kind, match=told):
        read_drive(bag, Where())


def test_a_path_of_another_day_is_refused(driven, tmp_path):
    lines = path_of(driven).replace("1700000", "1600000")
    (tmp_path / "path.txt").write_text(lines)
    with pytest.raises(PathError, match="they do not overlap"):
        read_drive(driven, Where(path=tmp_path / "path.txt"))


def test_too_short_a_drive_teaches_nothing(driven, predictor, tmp_path):
    with pytest.raises(NothingToLearnError, match="a drive of 100 m or more is needed"):
        label_drive(driven, tmp_path / "out", predictor, Options(far_m=80.0))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"width_m": 0.0}, "--width"),
        ({"near_m": 40.0}, "--near"),
        ({"far_m": 500.0}, "--ahead"),
        ({"images": 3}, "--images"),
        ({"held_out": 0.9}, "--hold-out"),
    ],
)
def test_options_that_cannot_be_are_named(values, told):
    with pytest.raises(ValueError, match=told):
        Options(**values)
