# SPDX-License-Identifier: Apache-2.0
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

from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.images.taken import Taken, of_file, of_message
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks.companions import (
    Beside,
    Demands,
    chosen,
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


def test_what_cannot_be_read_is_told_in_a_sentence():
    damaged = replace(EMPTY, picture=None, fault="is missing: there is none")
    picture, state = chosen(damaged, IMAGE, DEMANDS)
    assert picture is IMAGE.picture and state.level is Level.ERROR
    told = "the background from /empty is missing: there is none; give another"
    assert state.problem == told and state.source == "/empty"


GREY_PICTURE = cv2.cvtColor(cv2.cvtColor(noise(3), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def test_colours_are_told_by_the_pixels_where_no_encoding_tells():
    """As with JPEGs and files; a colour camera's night, and what is black, contradict nothing."""
    colours, grey = replace(EMPTY, encoding=""), replace(EMPTY, picture=GREY_PICTURE, encoding="")
    as_image = {"stamp_ns": IMAGE.stamp_ns}
    for one, image, words in (
        (grey, IMAGE, "has no colours, the image has some: give another"),
        (replace(grey, encoding="bgr8"), IMAGE, "has no colours, the image has some"),
        (colours, replace(grey, **as_image), "has colours, the image has none: give another"),
    ):
        picture, state = chosen(one, image, DEMANDS)
        assert picture is image.picture and state.level is Level.ERROR
        assert f"the background from /empty {words}" in state.problem
    night = GREY_PICTURE.copy()
    night[7, 9, 0] ^= 1
    for picture in (night, np.zeros_like(night), np.full_like(night, 255)):
        other = replace(EMPTY, picture=picture, encoding="")
        assert chosen(other, IMAGE, DEMANDS)[0] is picture
        assert chosen(grey, replace(other, **as_image), DEMANDS)[0] is grey.picture
        assert chosen(colours, replace(other, **as_image), DEMANDS)[0] is colours.picture
    assert chosen(grey, replace(grey, **as_image), DEMANDS)[0] is grey.picture


def test_a_command_refuses_a_grey_background_of_coloured_images(tmp_path):
    """Whatever the file's kind: as it refuses one of another size."""
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), noise(0))
    cv2.imwrite(str(tmp_path / "grey.jpg"), GREY_PICTURE[:, :, 0])
    cv2.imwrite(str(tmp_path / "empty.png"), noise(1))
    source = open_source(tmp_path / "in")
    (frame,) = source
    given = read_given(PAIR, tmp_path / "empty.png")
    assert Beside(["background"], given, source).of(frame)["background"] is given["background"]
    beside = Beside(["background"], read_given(PAIR, tmp_path / "grey.jpg"), source)
    with pytest.raises(ValueError, match=r"'background' has no colours, the image has.*a\.png"):
        beside.of(frame)


def test_one_of_another_clock_is_used_and_warned_of():
    """Stamped after the image: whether it is too old cannot be told."""
    ahead = replace(EMPTY, stamp_ns=IMAGE.stamp_ns + 86_400 * 10**9)
    picture, state = chosen(ahead, IMAGE, replace(DEMANDS, max_age_s=60.0))
    assert picture is ahead.picture and not state.problem and state.level is Level.WARN
    assert "stamped 86400.0 s after the image" in state.note and "clocks" in state.note
    assert state.age_s == -86_400.0
    for one, limit_s in ((ahead, 0.0), (replace(EMPTY, stamp_ns=IMAGE.stamp_ns + 10**9), 60.0)):
        state = chosen(one, IMAGE, replace(DEMANDS, max_age_s=limit_s))[1]
        assert (state.note, state.level) == ("", Level.OK)
    state = chosen(EMPTY, IMAGE, replace(DEMANDS, note="a file is missing"))[1]
    assert (state.note, state.level, state.problem) == ("a file is missing", Level.WARN, "")


@pytest.mark.parametrize(
    "changed",
    [{"frame_id": ""}, {"encoding": ""}, {"encoding": "rgb8"}, {"stamp_ns": 0}],
)
def test_what_is_not_known_is_no_contradiction(changed):
    for one, other in ((replace(EMPTY, **changed), IMAGE), (EMPTY, replace(IMAGE, **changed))):
        assert chosen(one, other, DEMANDS)[0] is one.picture


@pytest.mark.parametrize(
    ("age_s", "limit_s", "fits"),
    [(10, 0, True), (10, 10, True), (10, 9.9, False), (-2, 5, True), (None, 5, False)],
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
