# SPDX-License-Identifier: Apache-2.0
"""Tasks that another one moved in beside keep what was fitted to them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from rig_network import SIZE as RIG_SIZE
from rig_network import pictures, rig_network
from smallest import ENCODER

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.model.checkpoint import save_network
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork, plain_spec
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import blocks
from shared_encoder_perception.structures import AREA_BELOW_HALF
from shared_encoder_perception.training import export as export_module
from shared_encoder_perception.training.calibrated_artifact import replace_spec
from shared_encoder_perception.training.kept import kept_blocks

SIZE = (64, 160)
BEFORE = ("lanes", "drivable_surface")


def network(tasks):
    torch.manual_seed(0)
    return PerceptionNetwork(
        NetworkConfig(ENCODER, channels=16, head_channels=8, tasks=list(tasks))
    ).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fitted artifact, and the network that a further task moved into."""
    mine = tmp_path_factory.mktemp("kept")
    old, new = network(BEFORE), network((*BEFORE, "semantic"))
    new.load_state_dict(new.state_dict() | old.state_dict())
    save_network(new, mine / "new.pt")
    spec = plain_spec(old.config, "old", SIZE)
    export_onnx(old, spec, mine / "old.onnx")
    lanes = replace(spec.tasks["lanes"], keypoint_threshold=0.123)
    drivable = replace(spec.tasks["drivable_surface"], mask_temperature=1.7)
    spec = replace(spec, tasks={"lanes": lanes, "drivable_surface": drivable})
    replace_spec(mine / "old.onnx", spec)
    return mine


def test_a_task_that_alone_was_trained_is_fitted_again_and_the_others_keep_theirs(folder, tmp_path):
    """By the run's config; `old.onnx` has all tasks that the network has."""
    trained = network(BEFORE)
    with torch.no_grad():
        for own in trained.own_modules("drivable_surface"):
            for weight in own.parameters():
                weight.mul_(1.5)
    save_network(trained, tmp_path / "network.pt")
    (tmp_path / "config.yaml").write_text(
        "stages: [{size: [64, 160]}]\ntrain_only: [drivable_surface]\n"
    )
    options = ["--keep-calibration", str(folder / "old.onnx"), "--worlds", "24"]
    assert main(["export", str(tmp_path), *options]) == 0
    old, new = (read_artifact(path).spec for path in (folder / "old.onnx", tmp_path / "model.onnx"))
    assert new.tasks["lanes"] == old.tasks["lanes"]
    assert new.tasks["drivable_surface"].mask_temperature not in (1.0, 1.7)


def export(folder, checkpoint, *options):
    arguments = ["--size", "64", "160", "--worlds", "6", "--out", str(folder / "model.onnx")]
    return main(["export", str(folder / checkpoint), *arguments, *options])


def test_they_keep_all_of_it_and_only_the_new_one_is_fitted(folder, capsys):
    assert export(folder, "new.pt", "--keep-calibration", str(folder / "old.onnx")) == 0
    old, new = (read_artifact(folder / f"{name}.onnx").spec for name in ("old", "model"))
    assert {name: new.tasks[name] for name in BEFORE} == old.tasks
    assert new.tasks["semantic"].confidence_temperature != 1.0
    text = capsys.readouterr()
    assert "what is usual" not in text.err  # classes have no priors


def test_an_artifact_that_is_not_there_is_told_before_the_work(folder, capsys, monkeypatch):
    monkeypatch.setattr(export_module, "export_onnx", None)
    assert export(folder, "new.pt", "--keep-calibration", str(folder / "missing.onnx")) == 2
    assert "missing.onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input_size": (96, 160)}, r"other pictures than the new model, image \(96, 160, 3\)"),
        ({"shrink": AREA_BELOW_HALF}, "shrunk by"),
        ({"tasks": blocks("semantic")}, "no task of the new model"),
        ({"tasks": blocks("lanes", "drivable_surface")}, "all tasks of the new model"),
    ],
)
def test_what_cannot_be_kept_is_said_before_anything_runs(folder, change, reason):
    new = load_backend(folder / "old.onnx")
    tasks = {"lanes": new.spec.tasks["lanes"]}
    source = SimpleNamespace(spec=replace(new.spec, **{"tasks": tasks} | change))
    with pytest.raises(ValueError, match=reason):
        kept_blocks(source, "old.onnx", new, ())


@pytest.mark.parametrize(("count", "seen"), [(0, 0), (2, 255)])
def test_calibration_of_another_network_is_refused(folder, count, seen):
    """One that sees the negative, and one of which nothing is known."""
    new = load_backend(folder / "old.onnx")
    spec = replace(new.spec, tasks={"lanes": new.spec.tasks["lanes"]})

    def infer(inputs):
        return new.infer({name: seen - array for name, array in inputs.items()})

    images = np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)
    with pytest.raises(ValueError, match=rf"answers otherwise .* \({count} images; "):
        kept_blocks(SimpleNamespace(spec=spec, infer=infer), "old.onnx", new, images)


def test_the_same_network_keeps_its_calibration(folder):
    new = load_backend(folder / "old.onnx")
    spec = replace(new.spec, tasks={"lanes": new.spec.tasks["lanes"]})
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    source = SimpleNamespace(spec=spec, infer=new.infer)
    assert kept_blocks(source, "old.onnx", new, images) == spec.tasks


def test_a_task_of_rigs_moves_in_beside_those_of_images(tmp_path, rig_model):
    """Its view tables are no picture, and what was there before is not given them."""
    network = rig_network("lanes")
    before = replace(plain_spec(network.config, "before", RIG_SIZE), tasks=blocks("lanes"))
    export_onnx(network, before, tmp_path / "old.onnx")
    images = pictures(2, size=RIG_SIZE)
    old, new = (load_backend(path) for path in (tmp_path / "old.onnx", rig_model("lanes")))
    assert kept_blocks(old, "old.onnx", new, images) == before.tasks
