"""Which pictures are of use to which image: one rule for node, bags and files."""

import os
from dataclasses import replace
from math import isnan
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from pair_model import noise
from specs import spec_of

from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks.companions import (
    Demands,
    Taken,
    chosen,
    of_file,
    of_message,
    read_given,
    refuse_companions,
)
from shared_encoder_perception.tasks.status import Level

IMAGE = Taken("", noise(0), "", 100_000_000_000, "camera", "bgr8")
EMPTY = Taken("/empty", noise(1), "", 90_000_000_000, "camera", "bgr8")
DEMANDS = Demands("background", "there is none: give one", "give another")
PAIR = ModelSpec("m", "1", tasks=blocks("foreground"))


def test_one_that_fits_is_what_the_image_is_compared_with():
    picture, state = chosen(EMPTY, IMAGE, DEMANDS)
    assert picture is EMPTY.picture
    assert (state.problem, state.level, state.source) == ("", Level.OK, "/empty")
    assert state.age_s == pytest.approx(10.0) and state.size == (64, 160)


def test_without_one_the_image_stands_for_it_and_what_to_do_is_said():
    picture, state = chosen(None, IMAGE, DEMANDS)
    assert picture is IMAGE.picture
    assert (state.problem, state.level) == ("there is none: give one", Level.WARN)
    assert (state.source, state.size) == ("", None) and isnan(state.age_s)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"picture": noise(1, (32, 80))}, "is 80x32, the image 160x64"),
        ({"picture": None, "fault": "is damaged"}, "is of no use (is damaged)"),
        ({"frame_id": "rear"}, "is by the camera 'rear', the image by 'camera'"),
        ({"encoding": "mono8"}, "is mono8, the image bgr8"),
        ({"encoding": "8UC1"}, "is 8UC1, the image bgr8"),
    ],
)
def test_one_that_does_not_fit_is_an_error_with_a_way_out(changed, words):
    picture, state = chosen(replace(EMPTY, **changed), IMAGE, DEMANDS)
    assert picture is IMAGE.picture and state.level is Level.ERROR
    assert state.problem == f"the background from /empty {words}" + state.problem.split(words)[1]
    assert state.problem.endswith(": give another")


@pytest.mark.parametrize(
    "changed",
    [{"frame_id": ""}, {"encoding": ""}, {"encoding": "rgb8"}, {"stamp_ns": 0}],
)
def test_what_is_not_known_is_no_contradiction(changed):
    for one, other in ((replace(EMPTY, **changed), IMAGE), (EMPTY, replace(IMAGE, **changed))):
        assert chosen(one, other, DEMANDS)[0] is one.picture


@pytest.mark.parametrize(
    ("age_s", "limit_s", "fits"),
    [(10, 0, True), (10, 10, True), (10, 9.9, False), (-1e6, 5, True), (None, 5, False)],
)
def test_age_is_the_difference_of_the_stamps(age_s, limit_s, fits):
    """Stamped after the image is not too old; of unknown age is, where there is a limit."""
    taken_ns = 0 if age_s is None else IMAGE.stamp_ns - round(age_s * 1e9)
    demands = replace(DEMANDS, max_age_s=limit_s)
    picture, state = chosen(replace(EMPTY, stamp_ns=max(taken_ns, 0)), IMAGE, demands)
    assert (picture is EMPTY.picture) == fits
    assert state.level is (Level.OK if fits else Level.WARN)
    assert fits or f"background.max_age_s is {limit_s:g}" in state.problem


def test_a_message_tells_all_of_it():
    stamp = SimpleNamespace(sec=3, nanosec=4)
    header = SimpleNamespace(stamp=stamp, frame_id="camera")
    data = noise(5).tobytes()
    message = SimpleNamespace(
        header=header, height=64, width=160, step=480, encoding="bgr8", is_bigendian=0, data=data
    )
    taken = of_message(message, "/topic")
    np.testing.assert_array_equal(taken.picture, noise(5))
    said = (taken.stamp_ns, taken.frame_id, taken.encoding)
    assert said == (3_000_000_004, "camera", "bgr8")
    message.encoding = "32FC1"
    taken = of_message(message, "/topic")
    assert taken.picture is None and "32FC1" in taken.fault
    assert of_message(message, "", EMPTY.picture).picture is EMPTY.picture


def test_a_file_was_taken_when_it_was_written(tmp_path):
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), noise(5))
    os.utime(path, (50.0, 50.0))
    taken = of_file(path, "file")
    assert taken.stamp_ns == 50 * 10**9 and (taken.picture == noise(5)).all()
    assert "is missing" in of_file(tmp_path / "gone.png", "file").fault
    assert of_file(tmp_path, "file").fault


def test_what_a_command_is_given_has_to_be_of_use(tmp_path):
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), noise(5))
    assert read_given(PAIR, None) == {}
    assert (read_given(PAIR, path)["background"] == noise(5)).all()
    with pytest.raises(ValueError, match="compares images with nothing: it answers lanes"):
        read_given(spec_of("m", "1", tasks=("lanes",)), path)
    refuse_companions(spec_of("m", "1"), "mine", "take another")
    with pytest.raises(ValueError, match="mine cannot give it: take another"):
        refuse_companions(PAIR, "mine", "take another")
