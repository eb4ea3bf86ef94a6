# SPDX-License-Identifier: Apache-2.0
"""Two runs with one --out: one result, whole, and one line that says why the other ended."""

import json

import cv2
import numpy as np
import pytest
from labelled_set import write_set
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.files.whole_file import sole_writer

BUSY = "is being written by another run"


@pytest.fixture
def given(tmp_path):
    """Return what the commands need: a model, a folder of pictures, a set, a place for results."""
    images = tmp_path / "images"
    images.mkdir()
    for index in range(3):
        picture = np.full((64, 160, 3), 60 * index, np.uint8)
        cv2.imwrite(str(images / f"{index}.png"), picture)
    return {
        "model": write_tiny_model(tmp_path / "tiny.onnx"),
        "images": images,
        "set": write_set(tmp_path / "set", 2),
        "out": tmp_path / "out",
    }


COMMANDS = [
    "predict --input {images} --model {model} --out {out}",
    "evaluate --labels {set} --model {model} --no-report --out {out}",
    "compare {model} --input {images} --engine onnxruntime --out {out}",
    "diff {model} {model} --input {images} --no-report --out {out}",
    "dataset convert native {set} --out {out}",
    "dataset merge {set} --out {out}",
    "dataset label {images} --model {model} --out {out}",
    "mine {images} --model {model} --out {out}",
    "demo --images {images} --out {out}",
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split(" -")[0])
def test_a_folder_that_another_run_writes_to_is_left_alone(given, command, capsys):
    with sole_writer(given["out"]):
        before = sorted(path.name for path in given["out"].iterdir())
        assert main([word.format(**given) for word in command.split()]) == 2
        assert BUSY in capsys.readouterr().err
        assert sorted(path.name for path in given["out"].iterdir()) == before


SEARCHED = [
    "predict --input {images} --model {model} --overlay --out {images}/result",
    "predict --input {images} --model {model} --out {images}",
    "dataset label {images} --model {model} --out {images}/set",
    "mine {images} --model {model} --out {images}/mined",
    "demo --images {images} --out {images}/demo",
]


@pytest.mark.parametrize("command", SEARCHED)
def test_results_never_become_input_of_the_next_run(given, command, capsys):
    assert main([word.format(**given) for word in command.split()]) == 2
    error = capsys.readouterr().err
    assert "is inside of the input" in error and "Choose a folder outside of it" in error
    assert sorted(path.name for path in given["images"].iterdir()) == ["0.png", "1.png", "2.png"]


def test_predict_after_predict_sees_the_same_images(given):
    for _ in range(2):
        command = "predict --force --overlay --sheet --input {images} --model {model} --out {out}"
        assert main([word.format(**given) for word in command.split()]) == 0
        lines = (given["out"] / "predictions.jsonl").read_text().splitlines()
        assert [json.loads(line)["image"] for line in lines] == ["0.png", "1.png", "2.png"]
    assert not [path for path in given["out"].rglob("*") if path.suffix in (".part", ".writing")]
