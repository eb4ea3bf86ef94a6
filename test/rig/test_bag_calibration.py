# SPDX-License-Identifier: Apache-2.0
"""Each moment of a bag has the calibration that was in force when it was taken."""

from dataclasses import replace

import numpy as np
import pytest
from replay_bags import image_message, write_bag
from rig_bags import SKEW_NS, START_NS, STEP_NS, bag_of, info_message, told_by_topics, topics_of
from rig_drive import RIG, moment

from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.bags import BagError
from shared_encoder_perception.replay.rigs.account import BagAccount
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.rig_file import RigFile, read_rig

COUNT, CHANGED = 5, 2
"""Moments, and the one from which on the left camera has another lens."""
WIDER = 0.8


def with_lens(camera, factor):
    """Return a camera with another focal length."""
    lens = camera.view.camera
    matrix = lens.matrix * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])
    return replace(camera, view=CameraView(replace(lens, matrix=matrix), camera.view.extrinsics))


def changed_info(at_ns, factor=WIDER, topic="/left/info"):
    return (topic, at_ns, info_message(with_lens(RIG["left"], factor), at_ns))


def stamp_of(index):
    """Return when the left camera took an image."""
    return START_NS + index * STEP_NS + SKEW_NS["left"]


def moments_of(folder, more=(), told=True, **keys):
    rig, messages = told_by_topics(folder) if told else (topics_of(folder, **keys), [])
    taken = [moment(0)] * COUNT
    bag = bag_of(folder / "bag", taken, more=[*messages, *more])
    return BagMoments(bag, read_rig(folder / rig), 0.05)


def focal(frame):
    return float(frame.rig["left"].view.camera.matrix[0, 0])


@pytest.mark.parametrize("told", [False, True], ids=["intrinsics", "info_topic"])
def test_a_relative_topic_is_below_the_root_in_a_bag(tmp_path, told):
    rig, messages = told_by_topics(tmp_path) if told else (topics_of(tmp_path), [])
    taken = [moment(0)] * COUNT
    bag = bag_of(tmp_path / "bag", taken, more=messages)
    text = (tmp_path / rig).read_text()
    assert text.count("topic: /") >= 4
    (tmp_path / "relative.yaml").write_text(text.replace("topic: /", "topic: "))
    source = BagMoments(bag, read_rig(tmp_path / "relative.yaml"), 0.05)
    assert len([one for one in source if len(one.frame.images) == 4]) == COUNT
    account = BagAccount(bag, read_rig(tmp_path / "relative.yaml"))
    assert [len(camera.images) for camera in account.cameras] == [COUNT] * 4
    assert [camera.infos for camera in account.cameras] == [int(told)] * 4


def test_a_topic_of_exactly_that_name_comes_first(tmp_path):
    """Names without a slash in front are none of ROS, but a bag may have them."""
    images = moment(0)
    messages = [
        (topic, START_NS, image_message(images["front"], START_NS + later))
        for topic, later in (("front/image", 0), ("/front/image", 1))
    ]
    bag = write_bag(tmp_path / "bag", messages)
    file = RigFile((replace(RigFile.of(RIG).entries[0], topic="front/image"),))
    assert [one.topic for one in BagAccount(bag, file).cameras] == ["front/image"]


def test_moments_after_a_change_have_another_rig(tmp_path):
    """The information has the stamp of its image, which is later than the first camera's."""
    source = moments_of(tmp_path, [changed_info(stamp_of(CHANGED))])
    frames = [one.frame for one in source]
    right = float(RIG["left"].view.camera.matrix[0, 0])
    expected = [right] * CHANGED + [WIDER * right] * (COUNT - CHANGED)
    assert [focal(frame) for frame in frames] == pytest.approx(expected)
    assert len({id(frame.rig) for frame in frames}) == 2
    assert frames[0].rig is source.rig
    for name in ("front", "rear", "right"):
        assert frames[0].rig[name] is frames[-1].rig[name]
    assert source.notes == [
        "note: camera left: /left/info changes 1 time in the bag; each moment has the one that "
        "was in force when it was taken"
    ]
    again = [one.frame for one in source]
    assert [focal(frame) for frame in again] == pytest.approx(expected)
    assert again[0].rig is source.rig


def test_what_is_repeated_is_no_change(tmp_path):
    source = moments_of(tmp_path, [changed_info(stamp_of(index), 1.0) for index in range(COUNT)])
    assert {id(one.frame.rig) for one in source} == {id(source.rig)}
    assert source.notes == []


def test_a_lens_that_comes_back_is_the_first_again(tmp_path):
    more = [changed_info(stamp_of(1)), changed_info(stamp_of(2), 1.0)]
    focals = [focal(one.frame) for one in moments_of(tmp_path, more)]
    assert focals[0] == focals[2] == focals[4]
    assert focals[1] == pytest.approx(WIDER * focals[0])


def test_the_first_calibration_holds_before_it_was_said(tmp_path):
    rig, messages = told_by_topics(tmp_path)
    late = [
        (topic, stamp_of(3), info_message(RIG["left"], stamp_of(3)))
        if topic == "/left/info"
        else (topic, at, message)
        for topic, at, message in messages
    ]
    bag = bag_of(tmp_path / "bag", [moment(0)] * COUNT, more=late)
    source = BagMoments(bag, read_rig(tmp_path / rig), 0.05)
    assert {id(one.frame.rig) for one in source} == {id(source.rig)}


def test_information_that_is_of_no_use_takes_the_camera_away_until_it_is_mended(tmp_path):
    more = [changed_info(stamp_of(1), 0.0), changed_info(stamp_of(3))]
    source = moments_of(tmp_path, more)
    frames = [one.frame for one in source]
    assert [("left" in frame.images) for frame in frames] == [True, False, False, True, True]
    assert all(len(frame.images) >= 3 for frame in frames)
    assert focal(frames[1]) == focal(frames[0])
    assert len(source.problems) == 2
    assert all("camera left: " in one and "/left/info" in one for one in source.problems)
    assert "frame_000001" in source.problems[0]


def test_information_that_is_of_no_use_from_the_start_is_refused(tmp_path):
    rig, messages = told_by_topics(tmp_path)
    bad = [one for one in messages if one[0] != "/left/info"] + [changed_info(START_NS, 0.0)]
    bag = bag_of(tmp_path / "bag", [moment(0)] * 2, more=bad)
    with pytest.raises(BagError, match="camera left: /left/info"):
        BagMoments(bag, read_rig(tmp_path / rig), 0.05)


def test_where_the_rig_fixes_the_lens_a_change_is_told_and_not_followed(tmp_path):
    topic = "/left/camera_info"
    more = [changed_info(stamp_of(at), factor, topic) for at, factor in ((0, 1.0), (2, WIDER))]
    source = moments_of(tmp_path, more, told=False)
    assert {id(one.frame.rig) for one in source} == {id(source.rig)}
    assert source.notes == [
        "note: camera left: /left/camera_info changes 1 time in the bag; not looked at: rig.yaml "
        "fixes the camera's intrinsics"
    ]


def test_only_some_moments_are_read_when_only_some_are_wanted(tmp_path):
    source = moments_of(tmp_path, [changed_info(stamp_of(CHANGED))])
    asked = []

    def wanted(number, stamp_s):
        asked.append((number, round(stamp_s * 1e9)))
        return number in (1, 4)

    frames = [one.frame for one in source.only(wanted)]
    assert [frame.name for frame in frames] == ["frame_000001", "frame_000004"]
    assert focal(frames[1]) == pytest.approx(WIDER * focal(frames[0]))
    assert asked == [(number, START_NS + number * STEP_NS) for number in range(COUNT)]
    assert len(list(source)) == COUNT  # all again
    assert list(source.only(lambda *_: False)) == []
