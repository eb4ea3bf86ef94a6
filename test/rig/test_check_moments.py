# SPDX-License-Identifier: Apache-2.0
"""``rig check`` of several moments: what stands there contradicts here and there, a pose always."""

from functools import cache

import cv2
import numpy as np
import pytest
from checked_rig import check, run
from patterned_ground import ground_colour, photograph, rig_file, turned_by

from shared_encoder_perception.labels.rig_command import DOUBTFUL, FAULTY
from shared_encoder_perception.labels.rig_input import spread
from shared_encoder_perception.rig.agreement import FEWEST_MOMENTS, Agreement
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.check_picture import draw_check
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.mosaic import Overlap
from shared_encoder_perception.rig.rig_file import write_rig

GRID = BevGrid(-10.0, -10.0, 100, 100, 0.2, heights_m=(0.0,))
COUNT = 5
STANDS_IN = {"front": 0, "left": 3}
"""In which moments something stands before a camera, so that it sees nothing of the ground."""


@cache
def drive():
    """Return the pictures of moments on the way ahead, by camera."""
    cameras = rig_file().rig().cameras

    def along(shift):
        return lambda points: ground_colour(points + (shift, 0.0))

    return [
        {camera.name: photograph(camera, along(5.0 * index)) for camera in cameras}
        for index in range(COUNT)
    ]


def with_walls(often):
    """Return the moments with a striped wall before cameras, in some or in all of them."""
    stripes = np.where(np.arange(400) // 10 % 2, 255, 0).astype(np.uint8)
    moments = []
    for index, images in enumerate(drive()):
        shown = dict(images)
        for name, at in STANDS_IN.items():
            if often or index == at:
                height, width = shown[name].shape[:2]
                shown[name] = np.tile(stripes[:width, None], (height, 1, 3))
        moments.append(shown)
    return moments


def checked(moments, rig=None, **options):
    frames = [RigFrame(f"{index}", rig or rig_file().rig(), one) for index, one in
              enumerate(moments)]  # fmt: skip
    return Check(frames[0], GRID, more=tuple(frames[1:]), **options)


def test_what_stands_in_one_moment_is_no_contradiction_of_several():
    moments = with_walls(often=False)
    alone, several = checked(moments[:1]), checked(moments)
    assert not alone.is_fine
    assert alone.is_doubtful
    assert several.faults == []
    assert {pair.contradicting for pair in several.overlaps} >= {1}
    assert not checked(with_walls(often=True)).is_fine


@pytest.mark.parametrize("turn", [{"pitch": 10.0}, {"yaw": 25.0}])
def test_a_pose_that_is_wrong_is_found_by_several_moments_on_ground_of_little_contrast(turn):
    """And not by one: on asphalt all is within 40 grey levels."""
    grey = [
        {name: (100 + image // 5).astype(np.uint8) for name, image in one.items()}
        for one in drive()
    ]
    rig = turned_by(rig_file().rig(), "left", **turn)
    assert checked(grey).faults == []
    assert checked(grey[:1], rig).is_fine
    found = checked(grey, rig)
    assert not found.is_fine
    assert not found.is_doubtful
    assert "left" in found.faults[-1].text


def test_a_mistake_is_named_by_how_the_moments_go_together_without_it():
    images = [dict(one) | {"rear": one["rear"][:, ::-1]} for one in drive()]
    told = "; ".join(fault.text for fault in checked(images).faults)
    assert "camera rear agrees with the others once its picture is mirrored (correlation" in told


def test_even_ground_tells_nothing():
    even = [{name: np.full_like(image, 90) for name, image in one.items()} for one in drive()]
    found = checked(even, turned_by(rig_file().rig(), "left", yaw=20.0))
    assert found.is_fine
    assert all(not pair.telling for pair in found.overlaps)


def overlap(correlation, disagreement=5.0, contrast=0.3, levels=30.0):
    return Overlap(("a", "b"), 100, disagreement, 1.0, correlation, contrast, levels)


def judged(*moments):
    return Agreement(("a", "b"), tuple(moments), 40.0)


def test_a_few_moments_contradict_only_together():
    wrong, right = overlap(0.0), overlap(0.9)
    assert judged(wrong).is_apart
    assert judged(wrong, wrong).is_apart
    assert not judged(wrong, right).is_apart


def test_a_part_of_several_moments_that_agrees_is_enough():
    wrong, right = overlap(0.0, 60.0), overlap(0.9)
    assert judged(*[wrong] * 8).is_apart
    assert judged(*[wrong] * 5, *[right] * 3).is_apart  # most are too many grey levels apart
    dark = overlap(0.0)
    assert judged(*[dark] * 7, right).is_apart
    assert not judged(*[dark] * 5, *[right] * 3).is_apart


def test_neither_order_nor_repetition_of_moments_changes_what_is_said():
    moments = [overlap(value, 10.0 * value) for value in (0.1, 0.4, 0.2, 0.8, 0.5)]
    one, other = judged(*moments), judged(*moments[::-1])
    assert (one.correlation, one.disagreement) == (other.correlation, other.disagreement)
    same = judged(*[overlap(0.3)] * FEWEST_MOMENTS)
    assert same.correlation == judged(*[overlap(0.3)] * 11).correlation == pytest.approx(0.3)


def test_noise_of_dark_pictures_counts_for_nothing():
    assert not judged(*[overlap(0.0, contrast=0.5, levels=2.0)] * 8).is_apart
    assert not judged(overlap(0.0, contrast=0.5, levels=2.0)).is_apart


@pytest.mark.parametrize(("length", "count"), [(100, 4), (8, 8), (3, 8), (9, 4), (1, 1)])
def test_moments_are_spread_evenly(length, count):
    found = spread(length, count)
    assert len(found) == min(length, count)
    assert found[0] == 0
    gaps = np.diff([*found, length])
    assert gaps.max() - gaps.min() <= 1


def folders(tmp_path, moments):
    write_rig(tmp_path / "rig.yaml", rig_file())
    for name in rig_file().names:
        (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
        for index, images in enumerate(moments):
            cv2.imwrite(str(tmp_path / "in" / name / f"{index}.png"), images[name])
    return tmp_path / "in"


def test_status_and_report_tell_how_many_moments_were_looked_at(tmp_path, capsys):
    source = folders(tmp_path, with_walls(often=True))
    found = run(tmp_path, capsys, source)
    assert (found.status, f"looked at {COUNT} moments\n" in found.out) == (FAULTY, True)
    assert f"in {COUNT} moments" in found.faults
    assert f"{COUNT} of {COUNT}  apart" in found.out
    found = run(tmp_path, capsys, source, "--moments", "2")
    assert (found.status, "looked at 2 moments, which is weak" in found.out) == (DOUBTFUL, True)


def test_a_camera_that_is_missing_now_and_then_is_a_warning(tmp_path, capsys):
    found = checked([*drive()[:4], {k: v for k, v in drive()[4].items() if k != "left"}])
    assert [(one.text, one.grave) for one in found.faults] == [
        (f"camera left has no picture in 1 of {COUNT} moments", False)
    ]


def test_pictures_that_cannot_be_put_together_are_one_moment(tmp_path, capsys):
    source = folders(tmp_path, drive())
    (source / "left" / "4.png").unlink()
    found = run(tmp_path, capsys, source)
    assert found.status == 0
    assert "note: cameras have different numbers of pictures (front 5, left 4, " in found.out
    assert "looked at 1 moment, which is weak evidence" in found.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--moments", "0"), "--moments is 0, expected 1 to 32"),
        (("--moments", "33"), "--moments is 33, expected 1 to 32"),
        (("--moments", "2", "--frame", "1"), "--frame names one moment"),
    ],
)
def test_bad_numbers_of_moments_are_one_line(tmp_path, capsys, options, why):
    found = check(tmp_path, capsys, None, None, *options)
    assert (found.status, found.faults.count("\n")) == (2, 1)
    assert why in found.faults


def test_the_picture_shows_what_lasts():
    """Something in one moment is bright in the disagreement of that moment, and not of all."""
    alone, several = checked(with_walls(False)[:1]), checked(with_walls(False))
    assert draw_check(alone).shape[1] == draw_check(several).shape[1]
    passing = np.nanmean(alone.mosaic.disagreement)
    assert np.nanmean(several.lasting_disagreement) < 0.3 * passing
    assert several.lasting_disagreement.shape == several.coarse.shape
