# SPDX-License-Identifier: Apache-2.0
"""replay: every kind of bag, every image, the same bytes on every run."""

import json
import shutil
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import replay_bags
from replay_bags import COMPRESSED, IMAGE, TOPIC, drive, image_message, replay, stamps
from rosbags.rosbag2 import CompressionMode, Reader, StoragePlugin
from tiny_model import random_image, write_models

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.reading import BagImages
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker

COUNT = 4
MODES = [CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    "mode", [CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]
)
@pytest.mark.parametrize("kind", [IMAGE, COMPRESSED])
@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_every_kind_of_bag_gives_the_predictors_answers(tmp_path, models, plugin, kind, mode):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT, kind), plugin, mode)
    assert replay(models, bag, tmp_path / "out") == 0
    conditions, lines = replay_bags.results(tmp_path / "out")
    assert (conditions["bag"], conditions["topic"], conditions["model"]) == ("bag", TOPIC, "tiny")
    assert [line["frame"] for line in lines] == list(range(COUNT))
    assert [line["stamp_ns"] for line in lines] == stamps(COUNT)
    predictor = Predictor(load_backend(str(models.tiny), "onnxruntime"))
    for index, line in enumerate(lines):
        perception = predictor(random_image(index))
        assert list(line["lanes"]) == list(LANE_NAMES)
        for lane in perception.answers["lanes"]:
            said = line["lanes"][lane.lane_id.label]
            assert said["status"] == lane.status.name
            assert said["confidence"] == pytest.approx(lane.confidence, abs=1e-4)
            assert np.allclose(np.reshape(said["points_px"], (-1, 2)), lane.points_px, atol=0.01)
        mask = perception.answers["drivable_surface"]
        share = (mask.binary() > 0).mean()
        assert line["mask"]["area"] == pytest.approx(share, abs=1e-4)
        sure = np.maximum(mask.probability, 255 - mask.probability).mean()
        assert line["mask"]["mean_confidence"] == pytest.approx(sure / 255, abs=1e-4)


def split_bag(path, count):
    """Make one bag of two files, as ``ros2 bag record --max-bag-size`` does."""
    messages = drive(count)
    for part, half in enumerate((messages[: count // 2], messages[count // 2 :])):
        replay_bags.write_bag(path.with_name(f"{path.name}_{part}"), half)
    path.mkdir()
    first = path.with_name(f"{path.name}_0")
    for part in range(2):
        name = f"{path.name}_{part}"
        shutil.copy(path.with_name(name) / f"{name}.mcap", path)
    text = (first / "metadata.yaml").read_text()
    listed = f"relative_file_paths:\n  - {path.name}_0.mcap\n"
    assert listed in text
    text = text.replace(listed, f"{listed}  - {path.name}_1.mcap\n")
    (path / "metadata.yaml").write_text(
        text.replace(f"message_count: {count // 2}", f"message_count: {count}")
    )
    return path


def test_a_bag_of_several_files_is_one_drive(tmp_path, models):
    assert replay(models, split_bag(tmp_path / "bag", 6), tmp_path / "out") == 0
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line["stamp_ns"] for line in lines] == stamps(6)


def test_two_runs_give_the_same_bytes_and_no_times(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT))
    moved = shutil.copytree(bag, tmp_path / "elsewhere" / "bag")
    for source, out in ((bag, "a"), (moved, "b")):
        assert replay(models, source, tmp_path / out) == 0
    assert (tmp_path / "a" / "results.jsonl").read_bytes() == (
        tmp_path / "b" / "results.jsonl"
    ).read_bytes()
    assert "_ms" not in (tmp_path / "a" / "results.jsonl").read_text()
    timings = [json.loads(line) for line in (tmp_path / "a" / "timings.jsonl").open()]
    assert [record["frame"] for record in timings] == list(range(COUNT))
    assert all(record["stage_ms"]["inference"] > 0 for record in timings)


def test_options_reach_the_model_and_the_conditions(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT))
    out = tmp_path / "out"
    assert replay(models, bag, out, "--crop", "80,0,640,256", "--limit", 2) == 0
    conditions, lines = replay_bags.results(out)
    assert (conditions["crop"], conditions["limit"], len(lines)) == ([80, 0, 640, 256], 2, 2)
    predictor = Predictor(load_backend(str(models.tiny), "onnxruntime"))
    ego = predictor(random_image(0), Crop(80, 0, 640, 256)).answers["lanes"][0]
    assert np.allclose(lines[0]["lanes"]["ego"]["points_px"], ego.points_px, atol=0.01)


def test_tracking_follows_lanes_as_the_nodes_tracker_does(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(12))
    assert replay(models, bag, tmp_path / "out", "--tracking") == 0
    _, lines = replay_bags.results(tmp_path / "out")
    predictor = Predictor(load_backend(str(models.tiny), "onnxruntime"))
    options = TrackingOptions(enabled=True)
    lowered = options.decode_thresholds(predictor.spec.tasks["lanes"].lane_thresholds)
    lanes = replace(predictor.options["lanes"], lane_thresholds=lowered)
    predictor.options = {**predictor.options, "lanes": lanes}
    tracker = LaneTracker(options)
    for index, stamp_ns in enumerate(stamps(12)):
        seen = predictor(random_image(index))
        ego = tracker.update(seen.answers["lanes"], seen.image_size, stamp_ns * 1e-9)[0]
        said = lines[index]["lanes"]["ego"]
        assert np.allclose(np.reshape(said["points_px"], (-1, 2)), ego.points_px, atol=0.01)
        assert said.get("track_id", 0) == ego.track_id
    assert ego.track_id > 0


def test_images_that_cannot_be_used_are_skipped_with_the_reason(tmp_path, models):
    messages = drive(COUNT)
    odd = image_message(random_image(1), stamps(COUNT)[1], encoding="bayer_rggb8")
    cut = image_message(random_image(2), stamps(COUNT)[2], data=np.zeros(7, np.uint8))
    for index, message in ((1, odd), (2, cut)):
        messages[index] = (*messages[index][:2], message)
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out") == 1
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line.get("skipped") for line in lines] == [None, "rejected", "rejected", None]
    assert "bayer_rggb8" in lines[1]["why"] and "truncated" in lines[2]["why"]
    assert lines[1]["stamp_ns"] == stamps(COUNT)[1]
    told = replay_bags.summary(tmp_path / "out")
    assert (told["frames"], told["perceived"], told["skipped"]) == (4, 2, {"rejected": 2})


def test_summary_tells_rates_latency_and_steadiness(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(6))
    assert replay(models, bag, tmp_path / "out") == 0
    told = replay_bags.summary(tmp_path / "out")
    assert told["status"] == 0 and told["problems"] == []
    rates = told["throughput"]
    assert rates["share"] == pytest.approx(rates["replay_hz"] / rates["predictor_alone_hz"])
    assert set(told["latency_ms"]["total"]) == {"p50", "p95", "p99"}
    assert told["detected"]["ego"] == 1
    assert told["temporal"]["ego/jitter_px"] > 0
    assert told["scores"] == {}


def test_several_bags_get_a_folder_each_and_the_worst_status(tmp_path, models, capsys):
    good = replay_bags.write_bag(tmp_path / "good", drive(2))
    empty = replay_bags.write_bag(tmp_path / "empty", [], topics=[(TOPIC, IMAGE)])
    assert replay(models, good, tmp_path / "out", str(empty)) == 2
    assert len(replay_bags.results(tmp_path / "out" / "good")[1]) == 2
    assert "has no messages on" in capsys.readouterr().err
    same = replay_bags.write_bag(tmp_path / "x" / "good", drive(2))
    assert replay(models, good, tmp_path / "two", str(same)) == 2
    assert "2 bags are called good" in capsys.readouterr().err


def test_pictures_and_report_show_every_image(tmp_path, models):
    pytest.importorskip("jinja2", reason="the report is not installed")
    bag = replay_bags.write_bag(tmp_path / "bag", drive(5))
    out = tmp_path / "out"
    assert replay(models, bag, out, "+bag", "+video", "+report") == 0
    assert len(list(VideoSource(out / "overlay.mp4"))) == 5
    page = (out / "report.html").read_text()
    assert "Replay of bag" in page and "data:image/" in page
    assert not list(out.glob("*.part"))
    with Reader(out / "bag") as reader:
        assert reader.message_count == 1 + 5 * 8


def test_a_bag_is_looked_for_before_the_model_is_loaded(tmp_path, capsys):
    neither = SimpleNamespace(tiny=tmp_path / "none.onnx")
    assert replay(neither, tmp_path / "none", tmp_path / "out") == 2
    assert "there is no bag" in capsys.readouterr().err
    bag = replay_bags.write_bag(tmp_path / "bag", drive(1))
    assert replay(neither, bag, tmp_path / "out", "--topic", "/other") == 2
    assert "has no images on '/other'" in capsys.readouterr().err


def test_reading_needs_no_more_memory_for_a_longer_bag(tmp_path):
    peaks = []
    for count in (20, 80):
        bag = replay_bags.write_bag(tmp_path / f"bag{count}", drive(count))
        images = BagImages.of(bag, None, None)
        tracemalloc.start()
        assert sum(1 for _ in images.frames()) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--limit", "0"], "--limit is 0"),
        (["--checkpoint-every", "0"], "--checkpoint-every is 0"),
        (["--labels", "gone.jsonl"], "gone.jsonl"),
        (["--topic", "/gone"], "has no images on '/gone'"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, models, capsys, options, reason):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(1))
    assert replay(models, bag, tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
