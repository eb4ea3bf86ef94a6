# SPDX-License-Identifier: Apache-2.0
"""predict: every kind of source, the format of its output, and no half-finished results."""

import json
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from patience import PATIENCE_S
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from tiny_model import write_models

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.files.whole_file import WRITING
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.predict.results import picture_path
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.world.synthetic import render_sample

COUNT = 3


@pytest.fixture(scope="module")
def images():
    return [render_sample(seed).image for seed in range(COUNT)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def predict(source, out, *options):
    assert main(["predict", "--input", str(source), "--out", str(out), *options]) == 0
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def write_folder(folder, images):
    for index, image in enumerate(images):
        path = folder / f"side{index % 2}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)


def write_bag(path, images, plugin, compressed=False):
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    kind = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/camera", kind, typestore=store)
        for index, image in enumerate(images):
            stamp = types["builtin_interfaces/msg/Time"](sec=index, nanosec=0)
            header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
            if compressed:
                data = cv2.imencode(".png", image)[1].reshape(-1)
                message = types[kind](header=header, format="png", data=data)
            else:
                message = types[kind](
                    header=header,
                    height=image.shape[0],
                    width=image.shape[1],
                    encoding="bgr8",
                    is_bigendian=0,
                    step=image.shape[1] * 3,
                    data=image.reshape(-1),
                )
            writer.write(connection, index * 10**9, store.serialize_cdr(message, kind))


def test_folder_gives_one_complete_line_per_image(tmp_path, images):
    write_folder(tmp_path / "in", images)
    records = predict(tmp_path / "in", tmp_path / "out", "--overlay", "--sheet")
    assert [record["image"] for record in records] == ["side0/0.png", "side0/2.png", "side1/1.png"]
    for record in records:
        assert record["size"] == [320, 800]
        assert set(record["lanes"]) == set(LANE_NAMES)
        assert set(record["stage_ms"]) == {"preprocess", "inference", "decode"}
        for lane in filter(None, record["lanes"].values()):
            y = [point[1] for point in lane["points"]]
            assert lane["status"] == "DETECTED"
            assert 0 <= lane["confidence"] <= 1
            assert y == sorted(y, reverse=True)
        mask = cv2.imread(str(tmp_path / "out" / record["mask"]), cv2.IMREAD_UNCHANGED)
        assert mask.shape == (320, 800)
        assert (mask[: record["crop"][1]] == 127).all(), "what the network did not see"
        assert set(np.unique(mask[record["crop"][1] :])) <= {0, 255}
    assert (tmp_path / "out" / "sheet.png").is_file()
    assert len(list((tmp_path / "out" / "overlays").rglob("*.png"))) == COUNT
    assert not list((tmp_path / "out").rglob("*.part"))


def test_jsonl_crop_beats_the_option_and_bounds_the_mask(tmp_path, images):
    big = cv2.resize(images[0], (1280, 720))
    cv2.imwrite(str(tmp_path / "big.png"), big)
    line = json.dumps({"image": "big.png", "crop": [100, 200, 1000, 400]})
    (tmp_path / "frames.jsonl").write_text(line + "\n\n")
    options = ("--crop", "0,0,100,40", "--backend", "onnxruntime")
    records = predict(tmp_path / "frames.jsonl", tmp_path / "out", *options)
    predictor = Predictor(load_backend(str(DEFAULT_MODEL), "onnxruntime"))
    expected = predictor(big, Crop(100, 200, 1000, 400)).answers["drivable_surface"].values()
    mask = cv2.imread(str(tmp_path / "out" / records[0]["mask"]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask, expected)
    mask[200:600, 100:1100] = 127
    assert (mask == 127).all()


def test_what_was_not_seen_can_be_told_from_what_is_not_drivable(tmp_path, images, models):
    picture = cv2.resize(images[0], (640, 480))
    write_folder(tmp_path / "in", [picture])
    plain, told = (
        predict(tmp_path / "in", tmp_path / name, "--model", str(models.tiny), *options)[0]
        for name, options in (("a", ()), ("b", ("--unseen-value", "0")))
    )
    assert plain["crop"] == told["crop"] == [0, 224, 640, 256]
    masks = [
        cv2.imread(str(tmp_path / name / line["mask"]), cv2.IMREAD_UNCHANGED)
        for name, line in (("a", plain), ("b", told))
    ]
    assert (masks[0][:224] == 127).all() and (masks[1][:224] == 0).all()
    assert np.array_equal(masks[0][224:], masks[1][224:])


def test_an_unseen_value_that_no_mask_can_have_is_refused(tmp_path, images, models, capsys):
    write_folder(tmp_path / "in", images[:1])
    options = ["predict", "--input", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    for model, value, reason in (
        (models.tiny, "255", "mask.unseen_value is 255, expected 0 to 254"),
        (models.lanes_only, "127", "the model has no mask: it answers lanes"),
    ):
        assert main([*options, "--model", str(model), "--unseen-value", value]) == 2
        assert reason in capsys.readouterr().err


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("plugin", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_bag_equals_folder(tmp_path, images, plugin, compressed):
    write_bag(tmp_path / "bag", images, plugin, compressed)
    write_folder(tmp_path / "in", images[:1])
    from_bag = predict(tmp_path / "bag", tmp_path / "a", "--limit", "1")
    from_folder = predict(tmp_path / "in", tmp_path / "b")
    assert from_bag[0]["lanes"] == from_folder[0]["lanes"]
    assert from_bag[0]["image"] == "frame_000000"


def test_video(tmp_path, images):
    path = str(tmp_path / "drive.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"mp4v"), 10, (800, 320))
    for image in images * 4:
        writer.write(image)
    writer.release()
    assert len(predict(path, tmp_path / "out")) == COUNT * 4


def test_a_finished_result_is_not_overwritten_by_accident(tmp_path, images, capsys):
    write_folder(tmp_path / "in", images[:1])
    predict(tmp_path / "in", tmp_path / "out")
    arguments = ["predict", "--input", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0


def test_force_removes_what_the_earlier_result_named_and_nothing_else(tmp_path, images):
    out = tmp_path / "out"
    write_folder(tmp_path / "in", images)
    predict(tmp_path / "in", out, "--overlay", "--sheet")
    (out / "masks" / "label.png").write_text("somebody else's")
    records = predict(tmp_path / "in" / "side1", out, "--force")
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    named = {records[0][key] for key in ("mask", "semantic", "depth")}
    assert files == {"predictions.jsonl", "masks/label.png", *named}


def test_force_over_a_foreign_file(tmp_path, images):
    write_folder(tmp_path / "in", images[:1])
    (tmp_path / "out").mkdir()
    other = '{"mask": "../in/side0/0.png"}'
    deep = "[" * 100_000
    for text in ("no json", "5", deep, other, '{"mask": 5}', '{"image": ""}', "{}"):
        (tmp_path / "out" / "predictions.jsonl").write_text(text)
        assert len(predict(tmp_path / "in", tmp_path / "out", "--force")) == 1


def test_a_killed_run_leaves_only_the_part(tmp_path, images):
    write_folder(tmp_path / "in", images * 60)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "shared_encoder_perception", "predict"]
    options = ["--input", str(tmp_path / "in"), "--out", str(out)]
    with subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not list(out.rglob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    left = {path.name for path in out.iterdir()} - {WRITING}  # that one claims nothing any more
    assert {"masks", "predictions.jsonl.part"} <= left
    assert left <= {"masks", "semantic", "depth", "predictions.jsonl.part"}


def test_a_run_that_fails_half_way_leaves_only_the_part(tmp_path, images):
    write_folder(tmp_path / "in", images)
    cv2.imwrite(str(tmp_path / "in" / "z.png"), images[0][:10, :10])
    crop = ("--crop", "0,0,800,320")
    command = ["predict", "--input", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *crop]
    assert main(command) == 2
    names = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert names == {"predictions.jsonl.part"}


@pytest.mark.parametrize(
    "name", ["../side0/0.png", "a/../../side0/0.png", "{}/side0/0.png", "link"]
)
def test_no_path_out_of_a_list_is_followed(tmp_path, images, capsys, name):
    write_folder(tmp_path, images[:1])
    (tmp_path / "set").mkdir()
    (tmp_path / "set/link").symlink_to(tmp_path / "side0/0.png")
    line = json.dumps({"image": name.format(tmp_path)})
    (tmp_path / "set/frames.jsonl").write_text(line)
    arguments = ["predict", "--input", str(tmp_path / "set/frames.jsonl")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "frames.jsonl, line 1: image is '" in capsys.readouterr().err


def test_a_result_that_broke_off_is_done_again(tmp_path, images):
    write_folder(tmp_path / "in", images)
    out = tmp_path / "out"
    (out / "masks/side0").mkdir(parents=True)
    for name in ("side0/0.png.png", "gone.png"):  # of a picture that no line came to name, and not
        (out / "masks" / name).write_bytes(b"half a mask")
    line = json.dumps({"image": "gone", "mask": "masks/gone.png"})
    (out / "predictions.jsonl.part").write_text(f"{line}\n{line[:9]}")
    for record in predict(tmp_path / "in", out):
        assert cv2.imread(str(out / record["mask"])) is not None
    assert not (out / "masks/gone.png").exists()


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("planted", ["predictions.jsonl.part", "masks/side0/0.png.png", "overlays"])
def test_links_in_the_folder_of_results_are_not_written_through(tmp_path, images, link, planted):
    write_folder(tmp_path / "in", images[:1])
    place = tmp_path / "out" / planted
    place.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    if planted == "overlays":
        victim.mkdir()
        place.symlink_to(victim)
    else:
        victim.write_text("mine")
        link(victim, place)
    command = ["predict", "--input", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main([*command, "--overlay"]) == (0 if planted.endswith("part") else 2)
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "mine"


def test_force_removes_nothing_through_a_link(tmp_path, images):
    write_folder(tmp_path / "in", images[:1])
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/a.png").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/masks").symlink_to(tmp_path / "victim")
    line = json.dumps({"image": "a", "mask": "masks/a.png"})
    (tmp_path / "out/predictions.jsonl").write_text(line)
    command = ["predict", "--input", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main([*command, "--force"]) == 2
    assert (tmp_path / "victim/a.png").read_text() == "mine"


def test_bag_with_two_image_topics_asks(tmp_path, images, capsys):
    write_bag(tmp_path / "bag", images[:1], StoragePlugin.SQLITE3)
    arguments = ["predict", "--input", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--topic", "/other"]) == 2
    assert "topics with images: /camera" in capsys.readouterr().err


def test_frames_may_have_any_name():
    names = ["a/b.jpg", "b.jpg", "../b.jpg", "../../b.jpg", "/b.jpg", "%2F/b.jpg", "a/../b.jpg"]
    paths = [picture_path(name).as_posix() for name in names]
    assert paths[0] == "a/b.jpg.png"
    assert len(set(paths)) == len(names)
    assert not any(path.startswith("/") or ".." in path.split("/") for path in paths)
