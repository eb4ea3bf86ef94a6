# SPDX-License-Identifier: Apache-2.0
"""predict writes metres where somebody says how long the lens is."""

import json

import cv2
import numpy as np
import pytest
from one_task import some_images

pytest.importorskip("torch", reason="exports networks of random weights")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.depth.labels import metres

PIXELS = some_images(1)[0]


@pytest.fixture
def pictures(tmp_path):
    """A folder with a picture, and a list that knows its camera."""
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), PIXELS)
    line = {"image": "a.png", "size": list(PIXELS.shape[:2]), "focal_px": 120.0}
    (folder / "frames.jsonl").write_text(json.dumps(line) + "\n")
    return folder


def predicted(model, source, out, *options):
    command = ["predict", "--input", str(source), "--out", str(out), "--model", str(model)]
    assert main([*command, "--backend", "onnxruntime", *options]) == 0
    (line,) = map(json.loads, (out / "predictions.jsonl").read_text().splitlines())
    steps = cv2.imread(str(out / line["depth"]), cv2.IMREAD_UNCHANGED)
    return line, metres(steps, line["depth_scale_m"])


def test_the_option_wins_over_the_list_and_nothing_is_no_metre(pictures, tmp_path, one_task_model):
    model = one_task_model("depth")
    answer = Predictor(load_backend(model, "onnxruntime"))(PIXELS).answers["depth"]
    given = {"none": (), "list": (), "option": ("--focal-px", "200", "--video", "seen.mp4")}
    given["option"] = (*given["option"][:3], str(tmp_path / "seen.mp4"))
    for name, focal in (("none", None), ("list", 120.0), ("option", 200.0)):
        source = pictures / "a.png" if name == "none" else pictures
        line, depth = predicted(model, source, tmp_path / name, *given[name])
        assert line["depth_focal_px"] == focal
        expected = answer if focal is None else answer.through(focal)
        np.testing.assert_allclose(depth, expected.depth, atol=0.51 * line["depth_scale_m"])
    assert (tmp_path / "seen.mp4").exists()


@pytest.mark.parametrize(
    ("task", "focal", "said"),
    [("depth", "0", "expected more than 0 pixels"), ("drivable_surface", "9", "has no depth")],
)
def test_what_is_no_focal_length_or_of_no_use_is_refused(
    task, focal, said, pictures, tmp_path, one_task_model, capsys
):
    command = ["predict", "--input", str(pictures), "--out", str(tmp_path / "out")]
    command += ["--model", str(one_task_model(task)), "--focal-px", focal]
    assert main(command) == 2
    assert said in capsys.readouterr().err
