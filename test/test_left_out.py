# SPDX-License-Identifier: Apache-2.0
"""Every command that reads images: what a source cannot give is told, and the exit status is 1."""

import json

import bag_damage
import cv2
import pytest
import replay_bags
from labelled_set import write_set
from replay_bags import drive
from rosbags.rosbag2 import StoragePlugin
from small_convolutions import write_convolutions
from tiny_model import random_image, write_models

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native

COUNT = 12


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def picture(folder, index):
    """Write a picture of the drive."""
    cv2.imwrite(str(folder / f"{index:02}.png"), random_image(index))


def short_database(folder):
    """Return a bag that lost its last rows."""
    bag = replay_bags.write_bag(folder / "bag", drive(COUNT), StoragePlugin.SQLITE3)
    bag_damage.lose_rows(bag, 2)
    return bag, f"{COUNT - 2} of {COUNT} messages"


def damaged_mcap(folder):
    """Return a bag with a damaged chunk, in which there are two images."""
    bag = replay_bags.write_bag(folder / "bag", drive(COUNT))
    path = bag_damage.storage(bag)
    bag_damage.put(path, bag_damage.of_kind(path, bag_damage.CHUNK, 3).inside + 28, b"\xa5" * 4)
    return bag, f"{COUNT - 2} of {COUNT} messages"


def short_video(folder):
    """Return a video that lost its end."""
    path = folder / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (800, 320))
    for index in range(COUNT):
        writer.write(random_image(index))
    writer.release()
    bag_damage.cut(path, 0.85)
    return path, f"of {COUNT}"


def folder_with_others(folder):
    """Return pictures, two of which are none."""
    (folder / "pictures").mkdir()
    for index in range(COUNT - 2):
        picture(folder / "pictures", index)
    (folder / "pictures" / "90.png").write_bytes(b"")
    (folder / "pictures" / "91.jpg").write_bytes(b"no picture")
    return folder / "pictures", "90.png"


SOURCES = {
    one.__name__: one for one in (short_database, damaged_mcap, short_video, folder_with_others)
}


@pytest.fixture(scope="module", params=SOURCES)
def source(request, tmp_path_factory):
    return SOURCES[request.param](tmp_path_factory.mktemp(request.param))


def engine(models):
    return ["--model", str(models.tiny), "--backend", "onnxruntime", "--threads", "1"]


def test_predict(source, models, tmp_path, capsys):
    path, told = source
    command = ["predict", "--input", str(path), "--out", str(tmp_path / "out"), *engine(models)]
    assert main(command) == 1
    assert told in capsys.readouterr().err
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert COUNT - 3 <= len(lines) < COUNT


def test_dataset_label(source, models, tmp_path, capsys):
    path, told = source
    out = tmp_path / "out"
    command = ["dataset", "label", str(path), "--out", str(out), "--model", str(models.tiny)]
    assert main(command) == 1
    assert told in (out / "label_faults.txt").read_text()
    assert COUNT - 3 <= len(list(native.read(out))) < COUNT
    assert "left out" in capsys.readouterr().out


def test_mine(source, models, tmp_path, capsys):
    path, told = source
    command = ["mine", str(path), "--out", str(tmp_path / "out"), "--gap", "0", *engine(models)]
    assert main(command) == 1
    assert told in capsys.readouterr().out


def test_compare(source, models, tmp_path, capsys):
    path, told = source
    command = ["compare", str(models.tiny), "--input", str(path), "--engine", "onnxruntime:fp32"]
    assert main(command) == 1
    assert told in capsys.readouterr().err


def test_diff(source, models, tmp_path, capsys):
    path, told = source
    command = ["diff", str(models.tiny), str(models.tiny), "--input", str(path), "--no-report"]
    assert main([*command, "--out", str(tmp_path / "out"), "--backend", "onnxruntime"]) == 1
    assert told in capsys.readouterr().out


def test_quantize(source, tmp_path, capsys):
    path, told = source
    model, out = write_convolutions(tmp_path / "model.onnx"), tmp_path / "int8.onnx"
    command = ["quantize", str(model), "--images", str(path), "--count", str(COUNT)]
    assert main([*command, "--keep-first", "1", "--out", str(out)]) == 1
    assert told in capsys.readouterr().err
    assert out.exists()


@pytest.mark.parametrize("command", ["predict", "label", "mine"])
def test_a_source_of_which_nothing_is_left_is_an_error(models, tmp_path, capsys, command):
    bag, _ = short_database(tmp_path)
    bag_damage.lose_rows(bag, COUNT)
    out = ["--out", str(tmp_path / "out")]
    arguments = {
        "predict": ["predict", "--input", str(bag), *out, *engine(models)],
        "label": ["dataset", "label", str(bag), *out, "--model", str(models.tiny)],
        "mine": ["mine", str(bag), *out, *engine(models)],
    }[command]
    assert main(arguments) == 2
    assert f"0 of {COUNT} messages" in capsys.readouterr().err


def test_many_problems_are_told_by_their_number(models, tmp_path, capsys):
    picture(tmp_path, 0)
    for index in range(30):
        (tmp_path / f"bad_{index:02}.png").write_bytes(b"")
    command = ["predict", "--input", str(tmp_path), "--out", str(tmp_path.parent / "many")]
    assert main([*command, *engine(models)]) == 1
    error = capsys.readouterr().err
    assert "bad_19.png" in error and "bad_20.png" not in error
    assert "10 more of the kind" in error


def test_sources_that_are_whole_are_not_complained_about(models, tmp_path, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(3))
    bag_damage.other_qos(bag)
    command = ["predict", "--input", str(bag), "--out", str(tmp_path / "out"), *engine(models)]
    assert main(command) == 0
    assert "problem" not in capsys.readouterr().err
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("command", ["predict", "replay"])
def test_of_our_own_recording_the_camera_is_taken(models, tmp_path, command):
    masks = [("/drivable_surface/mask", at_ns, image) for _, at_ns, image in drive(5)]
    bag = replay_bags.write_bag(tmp_path / "bag", [*drive(3), *masks])
    out = tmp_path / "out"
    if command == "replay":
        assert replay_bags.replay(models, bag, out) == 0
        assert replay_bags.results(out)[0]["topic"] == replay_bags.TOPIC
        return
    assert main(["predict", "--input", str(bag), "--out", str(out), *engine(models)]) == 0
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("command", ["label", "mine"])
def test_one_bad_picture_of_a_set_costs_its_own_frame(models, tmp_path, capsys, command):
    given, out = write_set(tmp_path / "set", 4), tmp_path / "out"
    first = next(native.read(given)).image_path
    first.write_bytes(b"")
    records = [json.loads(line) for line in (given / "frames.jsonl").read_text().splitlines()]
    bare = [{key: one[key] for key in ("image", "size") if key in one} for one in records]
    (given / "frames.jsonl").write_text("".join(json.dumps(one) + "\n" for one in bare))
    if command == "label":
        arguments = ["dataset", "label", str(given), "--out", str(out), "--model", str(models.tiny)]
    else:
        arguments = ["mine", str(given), "--out", str(out), "--gap", "0", *engine(models)]
    assert main(arguments) == 1
    assert first.name in capsys.readouterr().out
    assert 0 < len(list(native.read(out))) < 4
