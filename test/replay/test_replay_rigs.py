# SPDX-License-Identifier: Apache-2.0
"""replay --rig: every moment of a bag as predict and the predictor answer it, in every file."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import replay_bags
import rig_drive
from replay_bags import COMPRESSED, IMAGE
from rig_bags import SKEW_NS, START_NS, STEP_NS, bag_of, topics_of
from rig_drive import COUNT, map_of, moment, predictor_at, write_place
from rig_network import rig_network, rig_spec
from rosbags.rosbag2 import Reader

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.rig_predictor import RigPredictor
from shared_encoder_perception.tasks.contract.rigs import RigContext

TASK = next(iter(tasks.RIG_ROOMS))
ROOM, RECORD = tasks.part(TASK, "content"), tasks.part(TASK, "record")
STAMPS = [START_NS + index * STEP_NS for index in range(COUNT)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the model and a rig.yaml with topics."""
    folder = write_place(tmp_path_factory.mktemp("rig"))
    topics_of(folder)
    return folder


@pytest.fixture(scope="module")
def taken():
    return [moment(index) for index in range(COUNT)]


def replay(place, bag, out, *options, rig="topics.yaml", model="tiny.onnx"):
    """Run the command without bag, video and report, unless ``"+bag"`` ... is an option."""
    models = SimpleNamespace(tiny=place / model)
    return replay_bags.replay(models, bag, out, "--rig", place / rig, *options)


def answers(place, taken):
    """Return what the predictor says of the moments."""
    predictor = predictor_at(place)
    return [predictor.predict(images).surround for images in taken]


def recorded(bag):
    """Return the messages of a bag by topic, each with when it was recorded."""
    found = {}
    with open_bag(bag) as reader:
        for connection, arrived_ns, message in read_messages(reader, bag):
            found.setdefault(connection.topic, []).append((arrived_ns, message))
    return found


def said(answer):
    """Return an answer as messages hold it."""
    header = new_message("std_msgs/msg/Header")
    make = ROOM.messages(answer, RigContext(header), new_message)
    return ROOM.read({name: make[name]() for name in make})


def assert_equal_answers(one, other):
    """Compare all that messages hold of two answers."""
    assert one.grid == other.grid
    np.testing.assert_array_equal(one.seen, other.seen)
    for name in ("vehicle", "drivable"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_every_moment_is_answered_as_by_the_predictor(place, taken, tmp_path):
    bag = bag_of(tmp_path / "bag", taken)
    assert replay(place, bag, tmp_path / "out") == 0
    conditions, lines = replay_bags.results(tmp_path / "out")
    assert (conditions["bag"], conditions["model"]) == ("bag", "tiny")
    assert [line["moment"] for line in lines] == ["frame_000000", "frame_000001"]
    assert [line["stamp_ns"] for line in lines] == STAMPS
    assert [line["missing"] for line in lines] == [[], []]
    assert [line["images"] for line in lines] == [dict.fromkeys(SKEW_NS, i) for i in range(COUNT)]
    for line, answer in zip(lines, answers(place, taken), strict=True):
        assert line[TASK] == RECORD.result(answer)[TASK]
        assert line[TASK]["drivable_m2"] > 100
    assert lines[0][TASK] != lines[1][TASK]


def test_the_bag_holds_the_maps_of_predict(place, taken, tmp_path):
    bag = bag_of(tmp_path / "bag", taken, without={("left", 1)})
    assert replay(place, bag, tmp_path / "out", "+bag") == 0
    lines = rig_drive.predict(place, bag, tmp_path / "predict", rig="topics.yaml")
    told = recorded(tmp_path / "out" / "bag")
    for index, line in enumerate(lines):
        maps = {topic.name: told[f"/{topic.name}"][index][1] for topic in ROOM.TOPICS}
        steps = map_of(tmp_path / "predict", line)
        read = ROOM.read(maps)
        np.testing.assert_array_equal(read.seen, steps != RECORD.UNSEEN)
        far = np.abs(read.drivable - steps / 254)[read.seen]
        assert far.max() <= 0.005 + 0.5 / 254 + 1e-6
    _, results = replay_bags.results(tmp_path / "out")
    assert [one["missing"] for one in results] == [one["missing"] for one in lines]
    assert results[1]["missing"] == ["left"]


def test_messages_read_back_are_the_answers_with_the_anchors_stamp(place, taken, tmp_path):
    start_ns = 1_700_000_000_123_456_789  # a double would lose the last digits
    shift = {name: skew + start_ns - START_NS for name, skew in SKEW_NS.items()}
    bag = bag_of(tmp_path / "bag", taken, shift)
    assert replay(place, bag, tmp_path / "out", "+bag") == 0
    told = recorded(tmp_path / "out" / "bag")
    names = {f"/{topic.name}" for topic in ROOM.TOPICS}
    assert set(told) == {*names, "/model_info"} and len(names) == 4
    assert len(told["/model_info"]) == 1
    for index, answer in enumerate(answers(place, taken)):
        maps = {name[1:]: told[name][index][1] for name in names}
        assert_equal_answers(ROOM.read(maps), said(answer))
        for name, message in maps.items():
            headers = [one.header for one in getattr(message, "markers", [message])]
            for header in headers:
                assert stamp_ns(header) == start_ns + index * STEP_NS
                assert header.frame_id == "base_link"
            assert told[f"/{name}"][index][0] == start_ns + index * STEP_NS + 10**6
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line["stamp_ns"] for line in lines] == [start_ns, start_ns + STEP_NS]


@pytest.mark.parametrize("kind", [IMAGE, COMPRESSED])
def test_images_in_either_transport_give_the_same(place, taken, tmp_path, kind):
    name = "topics.yaml"
    if kind == COMPRESSED:
        folder = shutil.copytree(place, tmp_path / "compressed")
        name = topics_of(folder, transport="compressed")
    rig = place if kind == IMAGE else folder
    bag = bag_of(tmp_path / "bag", taken, kind=kind)
    assert replay(rig, bag, tmp_path / "out", rig=name) == 0
    _, lines = replay_bags.results(tmp_path / "out")
    expected = [RECORD.result(answer)[TASK] for answer in answers(place, taken)]
    assert [line[TASK] for line in lines] == expected


def test_two_runs_give_the_same_bytes_and_no_times(place, taken, tmp_path):
    bag = bag_of(tmp_path / "bag", taken)
    moved = shutil.copytree(bag, tmp_path / "elsewhere" / "bag")
    for source, out in ((bag, "a"), (moved, "b")):
        assert replay(place, source, tmp_path / out, "+bag") == 0
    first, second = ((tmp_path / out / "results.jsonl").read_bytes() for out in "ab")
    assert first == second and b"_ms" not in first
    raw = []
    for out in "ab":
        with Reader(tmp_path / out / "bag") as reader:
            found = [(c.topic, at, data) for c, at, data in reader.messages()]
            raw.append([one for one in found if one[0] != "/model_info"])
    assert raw[0] == raw[1] and len(raw[0]) == COUNT * len(ROOM.TOPICS)
    timings = [json.loads(line) for line in (tmp_path / "a" / "timings.jsonl").open()]
    assert [line["moment"] for line in timings] == ["frame_000000", "frame_000001"]
    assert all(line["stage_ms"]["inference"] > 0 for line in timings)


def test_another_calibration_is_another_condition(place, taken, tmp_path):
    bag = bag_of(tmp_path / "bag", taken)
    text = (place / "topics.yaml").read_text()
    assert text.count("1.9") >= 1
    (place / "higher.yaml").write_text(text.replace("1.9", "2.0"))
    assert replay(place, bag, tmp_path / "a") == replay(
        place, bag, tmp_path / "b", rig="higher.yaml"
    )
    one, other = (replay_bags.results(tmp_path / out)[0] for out in "ab")
    assert one.pop("calibration") != other.pop("calibration")
    assert one == other


def test_video_and_report_show_every_moment(place, taken, tmp_path):
    pytest.importorskip("jinja2", reason="the report is not installed")
    bag, out = bag_of(tmp_path / "bag", taken), tmp_path / "out"
    assert replay(place, bag, out, "+video", "+report", "+bag") == 0
    frames = list(VideoSource(out / "overlay.mp4"))
    assert len(frames) == COUNT
    height, width = frames[0].image.shape[:2]
    assert width > height > 300
    page = (out / "report.html").read_text()
    assert "Replay of bag" in page and "data:image/" in page
    assert all(name in page for name in SKEW_NS)
    assert not list(out.glob("*.part"))


def test_a_model_that_is_asked_of_the_rig_answers_in_the_bag(place, taken, tmp_path):
    pytest.importorskip("torch", reason="the model is exported from torch: make test")
    pytest.importorskip("timm", reason="the model is exported from torch: make test")
    from shared_encoder_perception.model.onnx_export import export_onnx

    path = tmp_path / "rig.onnx"
    export_onnx(rig_network("drivable_surface"), rig_spec("drivable_surface"), path)
    shutil.copy(place / "topics.yaml", tmp_path)
    bag = bag_of(tmp_path / "bag", taken, without={("right", 1)})
    assert replay(tmp_path, bag, tmp_path / "out", "+bag", model="rig.onnx") == 0
    predictor = RigPredictor(load_backend(path, "onnxruntime"), rig_drive.RIG)
    told = recorded(tmp_path / "out" / "bag")
    _, lines = replay_bags.results(tmp_path / "out")
    for index, images in enumerate(taken):
        shown = {name: one for name, one in images.items() if (name, index) != ("right", 1)}
        answer = predictor.predict(shown).surround
        maps = {topic.name: told[f"/{topic.name}"][index][1] for topic in ROOM.TOPICS}
        assert_equal_answers(ROOM.read(maps), said(answer))
        assert answer.vehicle is not None
        assert lines[index][TASK] == RECORD.result(answer)[TASK]
        assert not RECORD.different(lines[index], ROOM.read(maps))
