# SPDX-License-Identifier: Apache-2.0
"""predict writes metres where somebody says how long the lens is."""

import json

import cv2
import numpy as np
import pytest
from one_task import some_images

pytest.importorskip("torch", reason="exports networks of random weights")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.tasks.depth.labels import metres
from shared_encoder_perception.world.synthetic import render_sample

PIXELS = some_images(1)[0]
SIZE = (320, 800)


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


def test_a_known_height_scales_the_metres_where_there_is_a_road(tmp_path):
    """Of the line, and of the option, which wins."""
    world = render_sample(3, SIZE, tasks=("depth",))
    label = world.labels["depth"]
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), world.image)
    camera = {"focal_px": label.focal_px, "camera_height_m": 1.3}
    line = {"image": "a.png", "size": list(SIZE), **camera}
    (folder / "frames.jsonl").write_text(json.dumps(line) + "\n")
    answer = Predictor(load_backend(DEFAULT_MODEL, "onnxruntime"))(world.image).answers["depth"]
    expected = at_height(answer.through(label.focal_px), 1.3)
    assert expected.scaled_by != 1
    found, depth = predicted(DEFAULT_MODEL, folder, tmp_path / "list")
    assert found["depth_scaled_by"] == pytest.approx(expected.scaled_by, rel=1e-3)
    known = np.isfinite(expected.depth) & (expected.depth < 100)
    np.testing.assert_allclose(depth[known], expected.depth[known], rtol=2e-3, atol=0.01)
    found, _ = predicted(DEFAULT_MODEL, folder, tmp_path / "told", "--camera-height-m", "2.6")
    assert found["depth_scaled_by"] == pytest.approx(2 * expected.scaled_by, rel=1e-3)
    assert found["depth_focal_px"] == pytest.approx(label.focal_px, abs=1e-3)
    found, _ = predicted(DEFAULT_MODEL, folder / "a.png", tmp_path / "no", "--focal-px", "400")
    assert found["depth_scaled_by"] is None


@pytest.mark.parametrize("option", ["--focal-px", "--camera-height-m"])
@pytest.mark.parametrize(
    ("task", "value", "said"),
    [("depth", "0", "expected more than 0 "), ("drivable_surface", "9", "has no depth")],
)
def test_what_is_no_camera_or_of_no_use_is_refused(
    option, task, value, said, pictures, tmp_path, one_task_model, capsys
):
    command = ["predict", "--input", str(pictures), "--out", str(tmp_path / "out")]
    command += ["--model", str(one_task_model(task)), option, value]
    assert main(command) == 2
    assert f"{option} is {value}, " in (told := capsys.readouterr().err) and said in told


@pytest.mark.parametrize("height", [0, -1.5, "high"])
def test_a_line_with_no_height_is_refused_by_its_number(height, pictures, tmp_path, capsys):
    lines = pictures / "frames.jsonl"
    line = json.loads(lines.read_text()) | {"camera_height_m": height}
    lines.write_text(json.dumps(line) + "\n")
    assert main(["predict", "--input", str(pictures), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "line 1" in told and '"camera_height_m" above 0' in told
