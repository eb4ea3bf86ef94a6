# SPDX-License-Identifier: Apache-2.0
"""predict --video: every image with its answers, in one pass; a whole file or none."""

import json
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import replay_bags
from missing_libraries import hide
from patience import PATIENCE_S
from tiny_model import random_image, write_models

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.drawing.overlay import draw
from shared_encoder_perception.files.whole_file import WRITING
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.images.video import write_video
from shared_encoder_perception.predictor import Predictor

SIZE = (320, 800)
COUNT = 12


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def predict(models, tmp_path):
    """Run the command into ``seen.mp4``; return its exit status and the file."""

    def run(source, *options):
        path = tmp_path / "seen.mp4"
        engine = ("--model", str(models.tiny), "--backend", "onnxruntime", "--threads", "1")
        given = ["predict", "--input", str(source), "--video", str(path)]
        return main([*given, *engine, *map(str, options)]), path

    return run


def smooth(index):
    """Return a picture that H.264 hardly changes, unlike those of its neighbours."""
    return np.full((*SIZE, 3), (10 * index, 60, 200 - 10 * index), np.uint8)


def write_pictures(folder, images):
    folder.mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


def test_each_picture_is_the_overlay_of_its_image_in_the_order_of_their_numbers(
    predict, models, tmp_path
):
    folder = write_pictures(tmp_path / "in", map(smooth, range(COUNT)))
    status, path = predict(folder)
    assert status == 0
    predictor = Predictor(load_backend(str(models.tiny), "onnxruntime"))
    shown = [frame.image for frame in VideoSource(path)]
    assert len(shown) == COUNT, "and 2.png comes before 10.png"
    for index, picture in enumerate(shown):
        expected = draw(smooth(index), predictor(smooth(index))).astype(int)
        assert np.abs(picture.astype(int) - expected).mean() < 4
    assert VideoSource(path).rate_hz() == 15
    capture = cv2.VideoCapture(str(path))
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") == b"h264"


def test_each_image_is_perceived_once_whatever_is_written(predict, tmp_path, monkeypatch, capsys):
    perceived = []
    infer = Predictor.perceive_batch

    def counted(self, images, *rest):
        perceived.extend(images)
        return infer(self, images, *rest)

    monkeypatch.setattr(Predictor, "perceive_batch", counted)
    folder, out = write_pictures(tmp_path / "in", map(random_image, range(3))), tmp_path / "out"
    status, path = predict(folder, "--out", out, "--overlay", "--sheet")
    assert status == 0 and len(perceived) == 1 + 3, "and one to warm up"
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 3
    assert len(list((out / "overlays").iterdir())) == len(list(VideoSource(path))) == 3
    assert f"video:       {path}" in capsys.readouterr().out


def test_the_rate_is_the_source_s_unless_another_is_asked_for(predict, tmp_path):
    drive = tmp_path / "drive.mp4"
    write_video(map(smooth, range(6)), drive, 24.0)
    bag = replay_bags.write_bag(tmp_path / "bag", replay_bags.drive(6))
    for source, options, rate in ((drive, (), 24), (bag, (), 20), (drive, ("--fps", 7.5), 7.5)):
        status, path = predict(source, *options, "--force")
        assert status == 0
        assert VideoSource(path).rate_hz() == pytest.approx(rate, rel=1e-3)
        assert len(list(VideoSource(path))) == 6


def test_images_of_another_size_are_scaled_and_told(predict, tmp_path, capsys, caplog):
    images = [smooth(0), cv2.resize(smooth(1), (500, 400)), cv2.resize(smooth(2), (400, 160))]
    status, path = predict(write_pictures(tmp_path / "in", images))
    assert status == 0
    shown = [frame.image for frame in VideoSource(path)]
    assert [picture.shape for picture in shown] == [(*SIZE, 3)] * 3
    assert shown[1][:, :190].max() < 20 and shown[2][:, :10].max() > 50
    assert "the video has the size of its first image, 800x320" in caplog.text


def test_what_cannot_be_read_is_left_out_and_told(predict, tmp_path, capsys):
    folder = write_pictures(tmp_path / "in", map(smooth, range(3)))
    (folder / "1.png").write_bytes(b"no picture")
    status, path = predict(folder)
    assert status == 1 and "1.png" in capsys.readouterr().err
    assert len(list(VideoSource(path))) == 2


def test_without_any_image_there_is_no_video(predict, tmp_path, capsys):
    folder = write_pictures(tmp_path / "in", [])
    assert predict(folder)[0] == 2
    assert "holds no images" in capsys.readouterr().err
    (folder / "a.png").write_bytes(b"no picture")
    status, path = predict(folder)
    assert status == 2 and not path.exists()
    assert "no image of" in capsys.readouterr().err


def test_a_run_that_fails_half_way_leaves_the_earlier_video(predict, tmp_path):
    path = predict(write_pictures(tmp_path / "a", map(smooth, range(2))))[1]
    before = path.read_bytes()
    folder = write_pictures(tmp_path / "b", [smooth(0), smooth(1)[:10, :10]])
    assert predict(folder, "--crop", "0,0,800,320", "--force")[0] == 2
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"a", "b", path.name}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--fps", "0"), "--fps is 0, expected more than 0"),
        (("--fps", "nan"), "--fps is nan, expected more than 0"),
        (("--overlay",), "--overlay and --sheet write into --out, which is not given"),
        (("--video", "{}/seen.avi"), "has another suffix, expected a file that ends in .mp4"),
        (("--video", "{}/a.mp4"), "a.mp4 is a folder"),
        (("--video", "{}/in/0.png/b.mp4"), "its folder cannot be made"),
        (("--video", "{}/old.mp4"), "exists: choose another --video, or replace it with --force"),
        (("--input", "{}/old.mp4", "--video", "{}/old.mp4", "--force"), "old.mp4 is the input"),
    ],
)
def test_mistakes_are_told_before_the_model_is_loaded(
    predict, tmp_path, capsys, monkeypatch, options, told
):
    folder = write_pictures(tmp_path / "in", [smooth(0)])
    (tmp_path / "a.mp4").mkdir()
    write_video(iter([smooth(0)]), tmp_path / "old.mp4", 15.0)

    def load_nothing(args):
        pytest.fail("the model was loaded")

    monkeypatch.setattr("shared_encoder_perception.predict.run.load_engine", load_nothing)
    assert predict(folder, *(option.format(tmp_path) for option in options))[0] == 2
    assert told in capsys.readouterr().err


def test_something_must_be_asked_for(tmp_path, capsys):
    given = ["predict", "--input", str(write_pictures(tmp_path / "in", [smooth(0)]))]
    assert main(given) == 2
    assert "give --out FOLDER for the result, --video FILE.mp4, or both" in capsys.readouterr().err
    assert main([*given, "--out", str(tmp_path / "out"), "--fps", "3"]) == 2
    assert "--fps is for --video, which is not given" in capsys.readouterr().err


def test_a_video_that_is_asked_for_needs_its_library(predict, tmp_path, monkeypatch, capsys):
    folder = write_pictures(tmp_path / "in", [smooth(0)])
    hide(monkeypatch, "av")
    assert predict(folder)[0] == 2
    assert "--video cannot be written: av is not installed: pip" in capsys.readouterr().err


def test_a_model_with_nothing_to_draw_is_refused(predict, tmp_path, monkeypatch, capsys):
    found = tasks.find_part
    monkeypatch.setattr(
        tasks, "find_part", lambda name, file: None if file == "draw" else found(name, file)
    )
    status, path = predict(write_pictures(tmp_path / "in", [smooth(0)]))
    assert status == 2 and not path.exists()
    told = capsys.readouterr().err
    assert "nothing of what the model answers can be drawn: lanes, drivable_surface" in told


@pytest.mark.parametrize(
    ("end", "told"),
    [(KeyboardInterrupt, "interrupted\n"), (lambda: RuntimeError("no disk"), "no disk\n")],
    ids=["Ctrl-C", "error"],
)
def test_what_ends_the_video_is_the_last_word(predict, tmp_path, monkeypatch, capsys, end, told):
    """The progress bar of the pictures that it was fed with is not drawn after it."""

    def ended(frames, path, rate):
        next(frames)
        raise end()

    monkeypatch.setattr("shared_encoder_perception.predict.output.write_video", ended)
    status, _ = predict(write_pictures(tmp_path / "in", [smooth(0), smooth(1)]))
    assert status != 0 and capsys.readouterr().err.endswith(told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_an_interrupted_run_leaves_no_half_of_a_video(models, tmp_path, number):
    drive, out, path = tmp_path / "drive.mp4", tmp_path / "out", tmp_path / "seen.mp4"
    write_video((smooth(index % 20) for index in range(600)), drive, 15.0)
    command = [sys.executable, "-m", "shared_encoder_perception", "predict", "--input", str(drive)]
    command += ["--out", str(out), "--video", str(path), "--model", str(models.tiny)]
    command += ["--backend", "onnxruntime"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs pytest in the background has Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + PATIENCE_S
        while len(list(out.rglob("*.png"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert not path.exists()
    assert "predictions.jsonl.part" in {one.name for one in out.iterdir()}
    if number == signal.SIGINT:
        assert process.returncode == 130 and stderr.endswith("interrupted\n")
        assert "Traceback" not in stderr
        assert {one.name for one in tmp_path.iterdir()} == {"drive.mp4", "out"}
        assert not (out / WRITING).exists()
    # What it left behind holds nobody up.
    again = ["predict", "--input", str(drive), "--out", str(out), "--video", str(path)]
    assert main([*again, "--model", str(models.tiny), "--limit", "2"]) == 0
    assert len(list(VideoSource(path))) == 2
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 2
    assert json.loads((out / "predictions.jsonl").read_text().splitlines()[0])["size"] == [*SIZE]
