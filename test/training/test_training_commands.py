# SPDX-License-Identifier: Apache-2.0
"""The commands around training, used as a person would."""

import json
import re

import cv2
import numpy as np
import onnx
import pytest
from labelled_set import write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.training import export as export_module

TINY = [
    *(f"network.encoder={ENCODER}", "network.channels=16", "network.head_channels=8"),
    *("machine.workers=0", "validate_every=0", "machine.precision=32-true"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three steps."""
    folder = tmp_path_factory.mktemp("commands")
    write_set(folder / "data", 4)
    path = folder / "config.yaml"
    path.write_text(
        f"data: {{train: [{{path: {folder / 'data'}}}], val: [{{path: {folder / 'data'}}}]}}\n"
        f"out: {folder / 'run'}\n"
        "stages: [{size: [64, 160], steps: 3, batch_size: 2}]\n"
    )
    assert main(["train", str(path), *TINY]) == 0
    return folder


def test_show_prints_the_whole_config_and_trains_nothing(run, tmp_path, capsys):
    out = tmp_path / "none"
    assert main(["train", str(run / "config.yaml"), "--show", f"out={out}", "seed=4"]) == 0
    assert "seed: 4" in capsys.readouterr().out
    assert not out.exists()


def test_export_compares_with_torch_calibrates_and_names_its_origin(run, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    arguments = ["export", str(run / "run"), "--out", str(out), "--size", "64", "160"]
    images = ["--images", str(run / "data/frames.jsonl"), "--worlds", "24"]
    write_set(tmp_path / "data", 30)
    held_out = ["--held-out", str(tmp_path / "data")]
    assert main([*arguments, *images, *held_out, "--half"]) == 0
    text = capsys.readouterr().out
    stored = onnx.load(out).graph.initializer
    assert sum(one.data_type == onnx.TensorProto.FLOAT16 for one in stored) > 10
    image = {"image": np.zeros((1, 64, 160, 3), np.uint8)}
    options = BackendOptions(device="cpu", precision="fp32")
    runtime, torch = (
        load_backend(out, engine, options).infer(image) for engine in ("onnxruntime", "torch")
    )
    assert all(np.allclose(runtime[key], torch[key], rtol=1e-3, atol=2e-3) for key in runtime)
    assert "compared with torch: 4 images" in text
    spec: ModelSpec = load_backend(out).spec
    assert spec.input_size == (64, 160)
    assert spec.training_data == "data (4 frames)"
    assert spec.git_commit == json.loads((run / "run/run.json").read_text())[-1]["commit"]
    assert (
        spec.tasks["lanes"].confidence_calibrated and len(spec.tasks["lanes"].lane_calibration) == 5
    )
    assert "from road, synthetic" in text and "calibration error, lanes / mask" in text


def test_export_names_held_out_frames_that_are_not_there(run, tmp_path, capsys):
    arguments = ["export", str(run / "run"), "--out", str(tmp_path / "model.onnx")]
    assert main([*arguments, "--held-out", str(run / "data"), "--sources", "no"]) == 2
    assert "sources ['no'] and the fold held_out" in capsys.readouterr().err
    assert main([*arguments, "--sources", "road"]) == 2
    assert "--held-out, which is not given" in capsys.readouterr().err


def test_an_export_that_answers_otherwise_is_not_kept(run, tmp_path, monkeypatch, capsys):
    class Wrong:
        def __init__(self, backend):
            self._backend, self.spec = backend, backend.spec

        def infer(self, inputs):
            return self._backend.infer({name: 255 - array for name, array in inputs.items()})

    monkeypatch.setattr(export_module, "load_backend", lambda path: Wrong(load_backend(path)))
    out = tmp_path / "model.onnx"
    size = ["--size", "64", "160"]
    assert main(["export", str(run / "run"), "--out", str(out), *size]) == 2
    assert "does not answer as torch does" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_export_that_cannot_be_calibrated_leaves_what_was_there(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(export_module, "WORLDS_FOR_PRIORS", 2)
    out = tmp_path / "model.onnx"
    out.write_text("an earlier one")
    size = ["--size", "64", "160"]
    assert main(["export", str(run / "run"), "--out", str(out), *size]) == 2
    assert "expected at least 20: use more samples" in capsys.readouterr().err
    assert out.read_text() == "an earlier one"
    assert list(tmp_path.iterdir()) == [out]


def test_models_table_compares_runs_and_encoders(run, capsys):
    options = ["--size", "64", "160", "--rounds", "2"]
    encoders = ["--encoder", ENCODER, "--architecture", "baseline"]
    assert main(["models", str(run / "run"), *encoders, *options]) == 0
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert f"{ENCODER} | shared_fpn" in rows[0]
    assert f"{ENCODER} | baseline" in rows[1]
    assert rows[1].endswith("| - | - | - |")
    assert main(["models", *options]) == 2


def test_throughput_measures(run, capsys):
    config = str(run / "config.yaml")
    assert main(["throughput", config, *TINY, "stages.0.steps=40", "--steps", "4"]) == 0
    out = capsys.readouterr().out
    assert "loading keeps" in out
    assert "times as fast as fp32" in out
    for part in ("reading, rendering", "augmentation", "targets", "forward", "loss", "backward"):
        (line,) = [one for one in out.splitlines() if one.strip().startswith(part)]
        assert re.search(r" \d+\.\d{3} +\d+% of ", line), line


def test_training_without_validation_is_refused_before_it_begins(run, tmp_path, capsys):
    """Not after all steps."""
    out = tmp_path / "out"
    assert main(["train", str(run / "config.yaml"), *TINY, "data.val=[]", f"out={out}"]) == 2
    assert "data.val is empty" in capsys.readouterr().err and not out.exists()


def test_throughput_measures_a_config_of_fewer_steps_than_it_takes(run, tmp_path, capsys):
    """As smoke.yaml is: the same few come again."""
    config, data = str(run / "config.yaml"), write_set(tmp_path / "one", 1)
    small = [f"data.train=[{{path: {data}}}]", "data.val=[]", "stages.0.steps=1"]
    arguments = ["throughput", config, *TINY, "machine.workers=1", *small]
    assert main([*arguments, "--steps", "8"]) == 0
    assert "loading keeps" in capsys.readouterr().out
    assert main([*arguments, "--steps", "3"]) == 2
    assert "--steps is 3, expected at least 4" in capsys.readouterr().err


def test_sheet_of_a_config_shows_augmented_samples(run, tmp_path):
    out = tmp_path / "sheet.png"
    arguments = ["sheet", "--out", str(out), "--count", "4", "--config", str(run / "config.yaml")]
    assert main([*arguments, "augment.flip=1"]) == 0
    assert np.std(cv2.imread(str(out))) > 10
    assert main(["sheet", "--out", str(out), "augment.flip=1"]) == 2
