# SPDX-License-Identifier: Apache-2.0
"""The benchmark of rigs: a turn is a moment of all cameras, and what makes no sense is refused."""

import json
from pathlib import Path

import pytest
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import read_model
from shared_encoder_perception.artifact.shipped import model_for
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.benchmark import limits, moments
from shared_encoder_perception.benchmark.combinations import combine
from shared_encoder_perception.benchmark.graph_cost import count
from shared_encoder_perception.benchmark.operators import profile
from shared_encoder_perception.benchmark.runners import ModelRunner, load
from shared_encoder_perception.predictor import STAGES
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.world.rigs.dice_rig import four_cameras

ENGINE = ["--engine", "onnxruntime", "--threads", "1"]


@pytest.fixture(scope="module")
def shipped():
    return str(model_for(list(tasks.RIG_ROOMS)))


@pytest.fixture
def two(tmp_path):
    """Write a rig of two small cameras."""
    path = tmp_path / "rig.yaml"
    write_rig(path, RigFile.of(four_cameras((64, 160)).only(["front", "rear"])))
    return path


class Spy:
    """A real backend that keeps what it was given."""

    def __init__(self, backend):
        self.spec, self.info, self.given = backend.spec, backend.info, []
        self._backend = backend

    def infer(self, inputs):
        self.given.append(inputs)
        return self._backend.infer(inputs)

    def close(self):
        self._backend.close()


def test_a_rig_is_four_or_a_file_and_its_moments_are_those_of_a_drive(two):
    assert moments.rig_of("four").names == ("front", "left", "rear", "right")
    rig = moments.rig_of(str(two))
    assert rig.names == ("front", "rear")
    first, second = moments.render(rig, 2)
    assert {name: image.shape for name, image in first.items()} == dict.fromkeys(
        rig.names, (64, 160, 3)
    )
    assert (first["front"] != second["front"]).any() and first["front"].std() > 10


def test_each_turn_is_one_inference_of_all_cameras_with_their_table(shipped, two):
    rig = moments.rig_of(str(two))
    spy = Spy(load_backend(shipped, "onnxruntime"))
    runner = ModelRunner(spy, rig=rig)
    times = runner(moments.render(rig, 1)[0])
    assert tuple(times) == (*STAGES, "total")
    assert times["total"] == pytest.approx(sum(times[stage] for stage in STAGES))
    (inputs,) = spy.given
    assert len(inputs["image"]) == 2 and inputs["view_weight"].sum() > 0
    runner.close()


def test_work_is_counted_for_all_cameras_and_the_ground_once(shipped):
    model = read_model(Path(shipped))
    one, two, four = (count(model, batch=batch).macs for batch in (1, 2, 4))
    assert two - one > 0 and four - two == 2 * (two - one)
    assert one > two - one, "the ground is decoded once, whatever the number of cameras"


def test_a_profile_looks_voxels_up_where_the_rig_sees_them(shipped, two):
    item = combine([shipped], ["onnxruntime"], [1], rig=str(two))[0]
    assert item.batch == 2
    found = profile(item, "fp32", 1)
    assert any(one.kind == "GridSample" and one.ms > 0 for one in found)


def test_one_run_measures_a_rig_from_start_to_plot(tmp_path, two, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(limits, "SIZE", 64)
    monkeypatch.setattr(limits, "SECONDS", 0.01)
    lanes = write_tiny_model(tmp_path / "lanes.onnx", spec_of("lanes", "1", tasks=("lanes",)))
    masks = write_tiny_model(tmp_path / "masks.onnx")
    shipped, out = model_for(list(tasks.RIG_ROOMS)), tmp_path / "out.json"
    arguments = ["--rig", str(two), "--model", str(shipped), str(masks), str(lanes), *ENGINE]
    arguments += ["--images", "3", "--json", str(out), "--plot", str(tmp_path / "out.png")]
    assert main(["benchmark", *arguments]) == 0
    result = json.loads(out.read_text())
    ours, on_ground, none = result["rows"]
    assert (ours["ran"], on_ground["ran"], none["ran"]) == (True, True, False)
    assert "says anything of the ground" in none["reason"]
    for row in (ours, on_ground):
        assert row["rig"] == str(two) and set(row["stages"]) == {*STAGES, "total"}
        assert row["images_per_s"] > 0 and row["cold_start"]["load_ms"] > 0
    assert ours["share_of_limit"] > 0 and result["node"] is None
    text = capsys.readouterr().out
    assert "moments/s" in text and f"{two}: front, rear" in text
    assert (tmp_path / "out.png").exists()


def test_without_a_model_the_shipped_one_that_answers_rigs_is_measured(shipped, two, capsys):
    arguments = ["--rig", str(two), "--engine", "tensorrt:int8", "--images", "1"]
    main(["benchmark", *arguments])
    assert f"not run: {shipped.rpartition('/')[2]} tensorrt:int8" in capsys.readouterr().out


def test_a_model_of_rigs_without_one_says_what_to_do(shipped):
    with pytest.raises(ValueError, match=r"all cameras of a .* rig together: benchmark --rig four"):
        load(combine([shipped], ["onnxruntime"], [1])[0])


def test_a_camera_without_calibration_is_named(tmp_path):
    path = tmp_path / "rig.yaml"
    path.write_text("cameras:\n  front:\n    topic: front/image\n    tf_frame: front_optical\n")
    with pytest.raises(ValueError, match="front"):
        moments.rig_of(str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rig", "no.yaml"], "--rig is 'no.yaml', expected four or a rig.yaml"),
        (["--rig", "random"], "expected four or a rig.yaml"),
        (["--rig", "four", "--peer", "other.onnx"], "--peer makes no sense with --rig"),
        (["--rig", "four", "--peer-size", "8x8"], "--peer-size makes no sense with --rig"),
        (["--rig", "four", "--rate", "0"], "--rate makes no sense with --rig"),
        (["--rig", "four", "--images", "0"], "--images"),
    ],
)
def test_mistakes_are_told_before_anything_is_rendered(arguments, message, capsys):
    assert main(["benchmark", *arguments]) == 2
    assert message in capsys.readouterr().err
