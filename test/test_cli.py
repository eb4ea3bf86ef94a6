# SPDX-License-Identifier: Apache-2.0
"""The command line: every mistake is one clear line and exit status 2, never a traceback."""

import contextlib
import subprocess
import sys
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest

from shared_encoder_perception.__main__ import COMMANDS, GROUPS, LOG_PROGRESS_S, main


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "shared_encoder_perception", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )


def test_help_lists_every_command_without_loading_any():
    result = run("--help")
    assert result.returncode == 0
    assert all(name in result.stdout for name in COMMANDS)


def test_every_command_is_in_one_group():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


def test_the_release_is_told(capsys):
    assert main(["--version"]) == 0
    package = (Path(__file__).parent.parent / "package.xml").read_text()
    assert f"<version>{capsys.readouterr().out.split()[1]}</version>" in package


@pytest.mark.parametrize(("given", "meant"), [("pedict", "predict"), ("Evaluate", "evaluate")])
def test_an_unknown_command_brings_the_nearest_one(given, meant, capsys):
    assert main([given]) == 2
    line = capsys.readouterr().err.splitlines()[0]
    assert line == f"error: unknown command {given!r}: did you mean {meant!r}?"


def test_an_unknown_command_that_is_like_none_gets_no_suggestion(capsys):
    assert main(["xyzzy\x1b[2J"]) == 2
    line = capsys.readouterr().err.splitlines()[0]
    assert "did you mean" not in line and "\x1b" not in line


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["benchmark"], "images a second to the node (default: 15)"),
        (["predict"], "(default: the shipped models/default.onnx)"),
        (["mine"], "frames to take (default: 50)"),
        (["diff"], "of the bootstrap (default: 1000)"),
        (["dataset", "view"], "(default: "),
    ],
)
def test_help_tells_defaults(command, line, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with contextlib.suppress(SystemExit):
        main([*command, "--help"])
    printed = capsys.readouterr()
    if "which is not installed" in printed.err:
        pytest.skip(printed.err.strip())
    assert line in printed.out
    assert "default: None" not in printed.out and "default: False" not in printed.out


@pytest.mark.parametrize("arguments", [[], ["fly"]])
def test_no_or_unknown_command_shows_usage(arguments, capsys):
    assert main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    status = None
    with contextlib.suppress(SystemExit):  # argparse's way to end after --help
        status = main([command, "--help"])
    printed = capsys.readouterr()
    if "which is not installed" in printed.err:
        pytest.skip(printed.err.strip())
    assert status is None, printed.err
    assert "--debug" in printed.out


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), np.zeros((320, 800, 3), np.uint8))
    return path


BAD_INPUT = [
    ("missing", [], "there is no"),
    ("empty_folder/", [], "holds no images"),
    ("empty.jsonl", [], "is empty"),
    ("broken.jsonl", [], "line 1: not valid JSON"),
    ("keyless.jsonl", [], 'line 1: expected {"image"'),
    ("lost.jsonl", [], "line 1: there is no image"),
    ("badcrop.jsonl", [], "does not fit an image of 800x320"),
    ("noise.mp4", [], "not a video that OpenCV can open"),
    ("nobag/", [], "no metadata.yaml"),
    ("images/", ["--topic", "/image"], "--topic is for bags"),
    ("images/", ["--limit", "0"], "--limit is 0"),
    ("images/", ["--model", "gone.onnx"], "cannot read the model gone.onnx"),
    ("images/", ["--crop", "0,0,900,320"], "does not fit an image of 800x320"),
    ("cut/", [], "a.png is truncated"),
    ("text/", [], "not an image that OpenCV can read"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD_INPUT)
def test_bad_input_is_one_clear_line(tmp_path, image, name, options, message, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty_folder").mkdir()
    (tmp_path / "nobag").mkdir()
    (tmp_path / "nobag" / "x.mcap").write_bytes(b"")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "a.png").write_bytes(image.read_bytes()[:60])
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.png").write_text("no image")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 10)
    for file, text in {
        "empty.jsonl": "",
        "broken.jsonl": "{",
        "keyless.jsonl": '{"picture": "a.png"}',
        "lost.jsonl": '{"image": "gone.png"}',
        "badcrop.jsonl": '{"image": "images/a.png", "crop": [0, 0, 801, 320]}',
    }.items():
        (tmp_path / file).write_text(text)
    out = tmp_path / "out"
    assert main(["predict", "--input", str(tmp_path / name), "--out", str(out), *options]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (out / "predictions.jsonl").exists()


def test_nothing_but_the_clear_line_is_printed(tmp_path):
    """Not what FFmpeg, OpenCV or Python would say."""
    (tmp_path / "noise.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 10)
    result = run("predict", "--input", tmp_path / "noise.mp4", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_progress_in_a_log_file_is_sparse(tmp_path, image):
    for index in range(30):
        (image.parent / f"{index}.png").write_bytes(image.read_bytes())
    start_s = monotonic()
    result = run("predict", "--input", image.parent, "--out", tmp_path / "out")
    passed_s = monotonic() - start_s  # a busy machine may take many times as long
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("| 31/31") >= 1
    assert result.stderr.count("/31 ") <= 3 + passed_s / float(LOG_PROGRESS_S)


def test_crop_that_is_no_crop(tmp_path, image):
    result = run("predict", "--input", image.parent, "--out", tmp_path / "o", "--crop", "1,2,3")
    assert result.returncode == 2
    assert "x,y,width,height" in result.stderr


def test_debug_shows_where_it_came_from(tmp_path):
    result = run("predict", "--debug", "--input", tmp_path / "gone", "--out", tmp_path / "out")
    assert "Traceback" in result.stderr


@pytest.mark.parametrize(
    ("command", "library", "remedy"),
    [
        ("train", "torch", "pip install '.[train]'"),
        ("dataset", "torch", "pip install '.[train]'"),
        ("demo", "rclpy", "`make setup`"),
        ("demo", "shared_encoder_perception.msg", "`make setup` in the source tree, or build"),
        ("predict", "cv2", "pip install 'opencv-python-headless>=4.6,<4.12'"),
        ("replay", "rosbags.highlevel", "pip install 'rosbags>=0.11.9'"),
        ("dataset", "PIL", "pip install 'pillow>=10'"),
        ("dataset", "yaml", "pip install 'pyyaml>=6'"),
    ],
)
def test_missing_libraries_are_named_with_the_remedy(command, library, remedy, monkeypatch, capsys):
    def without(name):
        raise ModuleNotFoundError(f"No module named {library!r}", name=library)

    monkeypatch.setattr("shared_encoder_perception.__main__.import_module", without)
    assert main([command, "--out", "x"]) == 2
    line = capsys.readouterr().err
    assert f"`{command}` needs {library!r}, which is not installed: {remedy}" in line


def test_a_module_of_ours_that_is_missing_is_no_library(monkeypatch):
    def without(name):
        raise ModuleNotFoundError("No module", name="shared_encoder_perception.gone")

    monkeypatch.setattr("shared_encoder_perception.__main__.import_module", without)
    with pytest.raises(ModuleNotFoundError):
        main(["predict"])
