# SPDX-License-Identifier: Apache-2.0
"""replay --rig: what became of every image of every camera, of CameraInfo, and what is refused."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import replay_bags
from replay_bags import IMAGE, image_message
from rig_bags import (
    SKEW_NS,
    START_NS,
    STEP_NS,
    bag_of,
    info_message,
    told_by_topics,
    topics_of,
)
from rig_drive import COUNT, RIG, moment, write_place
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from test_replay_rigs import replay

from shared_encoder_perception.images.bags import typestore

BECAME = ("used", "apart", "unreadable", "unstamped", "beyond")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the model and a rig.yaml with topics."""
    folder = write_place(tmp_path_factory.mktemp("rig"))
    topics_of(folder)
    return folder


@pytest.fixture(scope="module")
def taken():
    return [moment(index) for index in range(COUNT)]


def account(out, **expected):
    """Return the cameras of a summary, of which each image is in exactly one number."""
    summary = replay_bags.summary(out)
    for name, told in summary["cameras"].items():
        assert sum(told[one] for one in BECAME) == told["images"], name
    for name, (images, *counts) in expected.items():
        told = summary["cameras"][name]
        assert (told["images"], *(told[one] for one in BECAME)) == (images, *counts), name
    return summary


def at(name, index, image, late_ns=0, **fields):
    """Return a message for a bag, taken ``late_ns`` after it should have been."""
    stamp_ns = START_NS + index * STEP_NS + SKEW_NS[name] + late_ns
    message = image_message(image, stamp_ns, **fields)
    return f"/{name}/image", stamp_ns + 10**6, message


def test_all_images_of_a_sound_bag_are_used(place, taken, tmp_path):
    bag = bag_of(tmp_path / "bag", taken)
    assert replay(place, bag, tmp_path / "out") == 0
    summary = account(tmp_path / "out", **dict.fromkeys(SKEW_NS, (2, 2, 0, 0, 0, 0)))
    assert (summary["status"], summary["problems"], summary["moments"]) == (0, [], COUNT)
    assert set(summary["latency_ms"]["total"]) == {"p50", "p95", "p99"}


def test_every_image_that_cannot_be_used_is_in_one_number(place, taken, tmp_path, capsys):
    image = moment(0)
    topic, arrived_ns, unstamped = at("left", 1, image["left"])
    unstamped.header.stamp.sec = unstamped.header.stamp.nanosec = 0
    more = [
        at("front", 0, image["front"], 10_000_000, encoding="bayer_rggb8"),
        at("right", 0, image["right"], data=np.zeros(7, np.uint8)),
        (topic, arrived_ns, unstamped),
        at("rear", 0, image["rear"], 40_000_000),  # 10 ms after the anchor: nearer than the other
    ]
    gone = {("right", 0), ("left", 1)}
    bag, out = bag_of(tmp_path / "bag", taken, more=more, without=gone), tmp_path / "out"
    assert replay(place, bag, out) == 1
    # The anchor that cannot be read takes none of the others along, and the rear one beside it.
    summary = account(
        out,
        front=(3, 2, 0, 1, 0, 0),
        left=(2, 1, 0, 0, 1, 0),
        rear=(3, 2, 1, 0, 0, 0),
        right=(2, 1, 0, 1, 0, 0),
    )
    text = capsys.readouterr().out
    assert "camera front: 1 of 3 images cannot be used, the first: frame_000001: " in text
    assert "bayer_rggb8" in text
    assert "camera left: 1 of 2 images cannot be used, the first: frame_000001 has no stamp" in text
    assert "camera right: 1 of 2 images cannot be used, the first: frame_000000: " in text
    assert len(summary["problems"]) == 3


def test_a_moment_without_one_readable_image_is_no_line_but_counted(place, taken, tmp_path):
    broken = [at(name, 0, moment(0)[name], encoding="bayer_rggb8") for name in SKEW_NS]
    bag = bag_of(tmp_path / "bag", taken, more=broken, without={(name, 0) for name in SKEW_NS})
    assert replay(place, bag, tmp_path / "out") == 1
    account(tmp_path / "out", **dict.fromkeys(SKEW_NS, (2, 1, 0, 1, 0, 0)))
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line["moment"] for line in lines] == ["frame_000001"]


def test_a_moment_without_its_anchors_picture_has_the_anchors_stamp(place, taken, tmp_path):
    more = [at("front", 1, moment(1)["front"], data=np.zeros(7, np.uint8))]
    bag = bag_of(tmp_path / "bag", taken, more=more, without={("front", 1)})
    assert replay(place, bag, tmp_path / "out") == 1
    _, lines = replay_bags.results(tmp_path / "out")
    assert (lines[1]["missing"], lines[1]["stamp_ns"]) == (["front"], START_NS + STEP_NS)


def test_a_message_that_is_cut_short_is_unreadable(place, taken, tmp_path):
    bag = bag_of(tmp_path / "whole", taken)
    cut, store = tmp_path / "bag", typestore()
    with Reader(bag) as reader, Writer(cut, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        known = {
            c.topic: writer.add_connection(c.topic, c.msgtype, typestore=store)
            for c in reader.connections
        }
        for index, (connection, at_ns, data) in enumerate(reader.messages()):
            short = connection.topic == "/left/image" and index < 4
            writer.write(known[connection.topic], at_ns, data[:40] if short else data)
    assert replay(place, cut, tmp_path / "out") == 1
    account(tmp_path / "out", left=(2, 1, 0, 1, 0, 0), right=(2, 2, 0, 0, 0, 0))


def test_of_a_bag_that_breaks_off_what_can_be_read_is_replayed(place, tmp_path, capsys):
    bag = bag_of(tmp_path / "bag", [moment(index % COUNT) for index in range(6)])
    (file,) = bag.glob("*.mcap")
    with file.open("r+b") as content:
        content.truncate(file.stat().st_size * 6 // 10)
    assert replay(place, bag, tmp_path / "out") == 1
    summary = account(tmp_path / "out")
    assert 2 <= summary["moments"] < 6
    assert all(told["used"] == told["images"] for told in summary["cameras"].values())
    assert any("of 6 messages on /front/image" in one for one in summary["problems"])
    assert "damaged" in capsys.readouterr().out


def test_images_of_a_camera_that_is_out_of_step_are_apart(place, taken, tmp_path, capsys):
    bag, out = bag_of(tmp_path / "bag", taken), tmp_path / "out"
    assert replay(place, bag, out, "--max-skew-s", "0.025") == 1
    summary = account(out, rear=(2, 0, 2, 0, 0, 0), left=(2, 2, 0, 0, 0, 0))
    assert summary["cameras"]["rear"]["missing_in_moments"] == 2
    assert summary["problems"] == [
        "camera rear: 2 of 2 images are of no moment, and 2 of 2 moments lack it: taken further "
        "than 0.025 s apart? (--max-skew-s)"
    ]
    assert "missing in 2 moments" in capsys.readouterr().out


def test_a_faster_camera_and_one_that_dies_are_no_fault_of_the_bag(place, taken, tmp_path):
    more = [at("left", index, moment(0)["left"], 50_000_000) for index in range(COUNT)]
    bag = bag_of(tmp_path / "bag", taken, more=more, without={("right", 1)})
    assert replay(place, bag, tmp_path / "out") == 0
    summary = account(tmp_path / "out", left=(4, 2, 2, 0, 0, 0), right=(1, 1, 0, 0, 0, 0))
    assert summary["cameras"]["right"]["missing_in_moments"] == 1


def test_a_limit_counts_moments_and_what_is_beyond_it(place, tmp_path):
    bag = bag_of(tmp_path / "bag", [moment(0)] * 4)
    assert replay(place, bag, tmp_path / "out", "--limit", 2) == 0
    conditions, lines = replay_bags.results(tmp_path / "out")
    assert (conditions["limit"], len(lines)) == (2, 2)
    account(tmp_path / "out", **dict.fromkeys(SKEW_NS, (4, 2, 0, 0, 0, 2)))


def test_each_moment_has_the_camera_info_of_its_time_and_a_change_is_told(
    place, taken, tmp_path, capsys
):
    rig, infos = told_by_topics(place)
    left = next(camera for camera in RIG.cameras if camera.name == "left")
    again = [("/left/info", START_NS + STEP_NS, info_message(left, START_NS + STEP_NS))]
    bag = bag_of(tmp_path / "same", taken, more=[*infos, *again])
    assert replay(place, bag, tmp_path / "a", rig=rig) == 0
    told = account(tmp_path / "a")["cameras"]["left"]["camera_info"]
    assert told == {"topic": "/left/info", "messages": 2, "different": 1, "unreadable": 0}
    changed = info_message(left, START_NS + STEP_NS)
    longer = np.array([1.5, 1, 1, 1, 1.5, 1, 1, 1, 1])
    changed = replace(changed, k=np.asarray(changed.k) * longer)
    more = [*infos, ("/left/info", START_NS + STEP_NS, changed)]
    bag = bag_of(tmp_path / "other", taken, more=more)
    assert replay(place, bag, tmp_path / "b", rig=rig) == 0
    assert account(tmp_path / "b")["cameras"]["left"]["camera_info"]["different"] == 2
    assert "note: camera left: /left/info changes 1 time in the bag" in capsys.readouterr().out
    same, other = (replay_bags.results(tmp_path / name)[1] for name in "ab")
    assert same[0] == other[0]
    assert same[-1] != other[-1]


@pytest.mark.parametrize(
    "options",
    [
        ("--topic", "/front/image"),
        ("--labels", "frames.jsonl"),
        ("--crop", "0,0,8,8"),
        ("--background", "empty.png"),
        ("--focal-px", "500"),
        ("--tracking",),
        ("--live",),
        ("--live-rate", "2"),
        ("--resume",),
        ("--checkpoint-every", "7"),
        ("--ray",),
        ("--workers", "2"),
        ("--retries", "1"),
    ],
    ids=lambda options: options[0],
)
def test_options_of_single_cameras_are_refused(place, tmp_path, capsys, options):
    assert replay(place, tmp_path / "bag", tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {options[0]} is for single cameras: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_mistakes_are_told_in_one_line(place, taken, tmp_path, capsys):
    bag, out = bag_of(tmp_path / "bag", taken), tmp_path / "out"
    few = bag_of(tmp_path / "few", [{"front": images["front"]} for images in taken])
    small = np.zeros((80, 80, 3), np.uint8)
    wrong = bag_of(tmp_path / "wrong", [moment(0), {**moment(1), "left": small}])
    for source, options, reason in (
        (bag, ["--max-skew-s", "-1"], "--max-skew-s is -1, expected 0 or more seconds"),
        (bag, ["--max-skew-s", "nan"], "--max-skew-s is nan"),
        (bag, ["--limit", "0"], "--limit is 0"),
        (tmp_path / "gone", [], "there is no bag"),
        (few, [], "camera left: "),
        (wrong, ["+bag", "+video"], "the picture of camera left is uint8 (80, 80, 3)"),
    ):
        assert replay(place, source, out, *options) == 2
        error = capsys.readouterr().err
        assert reason in error and "Traceback" not in error
        assert not out.exists(), reason
    assert replay(place, bag, out, rig="gone.yaml") == 2
    assert "gone.yaml" in capsys.readouterr().err
    models = SimpleNamespace(tiny=place / "tiny.onnx")
    assert replay_bags.replay(models, bag, out, "--max-skew-s", "0.1") == 2
    assert "--max-skew-s is for --rig, which is not given" in capsys.readouterr().err


def test_a_finished_result_is_replaced_only_when_asked(place, taken, tmp_path, capsys):
    bag, out = bag_of(tmp_path / "bag", taken), tmp_path / "out"
    assert replay(place, bag, out, "+bag") == 0
    before = (out / "results.jsonl").read_bytes()
    assert replay(place, bag, out) == 2
    assert "holds a finished replay" in capsys.readouterr().err
    assert (out / "results.jsonl").read_bytes() == before and (out / "bag").exists()
    assert replay(place, bag, out, "--force", "--limit", 1) == 0
    assert len(replay_bags.results(out)[1]) == 1 and not (out / "bag").exists()
    (out / "summary.json").unlink()  # as if it had been killed before the end
    (out / "results.jsonl.part").write_bytes(b"{")
    assert replay(place, bag, out) == 0
    assert (out / "results.jsonl").read_bytes() == before


def test_several_bags_get_a_folder_each_and_the_worst_status(place, taken, tmp_path, capsys):
    good = bag_of(tmp_path / "good", taken)
    bad = replay_bags.write_bag(tmp_path / "bad", [], topics=[("/front/image", IMAGE)])
    late = bag_of(tmp_path / "late", taken, {**SKEW_NS, "left": 60_000_000})
    out = tmp_path / "out"
    assert replay(place, good, out, str(late)) == 1
    assert replay(place, good, out, str(bad), str(late), "--force") == 2
    assert "error: camera front: " in capsys.readouterr().err
    for name, status in (("good", 0), ("late", 1)):
        assert json.loads((out / name / "summary.json").read_text())["status"] == status
    assert not (out / "bad").exists()
