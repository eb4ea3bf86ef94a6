# SPDX-License-Identifier: Apache-2.0
"""The command: what it writes, what it refuses, and that the node takes what it wrote."""

import json
import shutil
from dataclasses import replace

import pytest
from driven_bags import SEED, SIZE, copy_of
from tiny_model import write_models

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.adapt.rendered_drive import rendered_drive, write_later
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.labels import native
from shared_encoder_perception.training.calibrated_artifact import replace_spec

TOPICS = ("/camera/image/compressed", "/camera/camera_info", "/odom", "/tf_static")


@pytest.fixture(scope="module")
def guard(tmp_path_factory):
    """Return a labelled set of an ordinary road."""
    drive = rendered_drive(SEED + 1, "", SIZE)
    return write_later(tmp_path_factory.mktemp("guard"), drive, 0.0, 4)


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Return another one."""
    drive = rendered_drive(SEED + 2, "", SIZE)
    return write_later(tmp_path_factory.mktemp("memory"), drive, 0.0, 6)


@pytest.fixture(scope="module")
def model(one_task_model, tmp_path_factory):
    """Return a model that was never trained, and is not sure enough of anything to say yes."""
    path = tmp_path_factory.mktemp("model") / "untrained.onnx"
    shutil.copy(one_task_model("drivable_surface"), path)
    spec = read_artifact(path).spec
    unsure = {name: replace(block, mask_threshold=0.75) for name, block in spec.tasks.items()}
    replace_spec(path, replace(spec, tasks=unsure))
    return path


def adapt(bag, model, guard, out, *more):
    """Run the command in little time."""
    few = ("--ahead", 20, "--batch", 4, "--loaders", 0, "--threads", 1)
    words = ("adapt", "--bag", bag, "--model", model, "--guard", guard, "--out", out, *few, *more)
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def adapted(driven, model, guard, memory, tmp_path_factory):
    """Return the folder of a run that passes the gate."""
    folder = tmp_path_factory.mktemp("adapted")
    words = ("--memory", memory, "--steps", 50, "--rate", 0.03)
    assert adapt(driven, model, guard, folder / "new.onnx", *words) == 0
    return folder


def test_what_passes_is_written_with_a_card_that_says_from_what(adapted, driven, model):
    spec, before = (read_artifact(path).spec for path in (adapted / "new.onnx", model))
    assert spec.version == f"{before.version}+adapted"
    assert spec.tasks == before.tasks
    card = (adapted / "new.md").read_text()
    assert str(driven) in card
    assert "before | after" in card
    report = json.loads((adapted / "new_work" / "report.json").read_text())
    assert report["verdict"]["passed"] is True
    assert report["verdict"]["ground"][1] > report["verdict"]["ground"][0]
    assert (adapted / "new_work" / "sheet.png").is_file()


def test_the_drive_can_be_looked_at_as_a_set(adapted, driven):
    sets = sorted((adapted / "new_work" / "drives" / driven.name).iterdir())
    assert [one.name for one in sets] == ["drive.json", "held_out", "train"]
    assert all(frame.known() == ("drivable_surface",) for frame in native.read(sets[2]))


def test_the_encoder_stays_and_the_head_moves(adapted):
    import torch

    from shared_encoder_perception.model.checkpoint import load_network

    work = adapted / "new_work"
    before = load_network(work / "teacher.pt").state_dict()
    after = load_network(work / "run" / "network.pt").state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert not [name for name in moved if name.startswith("encoder.")]


def test_the_node_loads_what_was_written(adapted):
    loading = pytest.importorskip("shared_encoder_perception.node.loading")
    from shared_encoder_perception.backends import load_backend
    from shared_encoder_perception.node.parameters import all_parameters

    values = {name: one.default for name, one in all_parameters().items()}
    values |= {"model.path": str(adapted / "new.onnx"), "backend.name": "onnxruntime"}
    predictor = loading.load_predictor(values.__getitem__, load_backend)
    assert predictor.spec.version.endswith("+adapted")


def test_what_is_there_is_not_overwritten(adapted, driven, model, guard, capsys):
    content = (adapted / "new.onnx").read_bytes()
    assert adapt(driven, model, guard, adapted / "new.onnx") == 2
    assert "is there already" in capsys.readouterr().err
    assert (adapted / "new.onnx").read_bytes() == content


def test_what_gains_nothing_is_refused_and_the_reason_told(
    driven, model, guard, memory, tmp_path, capsys
):
    out = tmp_path / "new.onnx"
    words = ("--memory", memory, "--steps", 1, "--rate", 1e-9)
    assert adapt(driven, model, guard, out, *words) == 1
    told = capsys.readouterr().out
    assert "refused: the share of the held-out ground" in told
    assert "the model before stays" in told
    assert not out.exists()
    assert not out.with_suffix(".md").exists()
    report = json.loads((tmp_path / "new_work" / "report.json").read_text())
    assert report["written"] == ""
    assert report["verdict"]["reasons"]


def test_a_run_of_another_model_is_not_gone_on_with(
    adapted, driven, model, guard, memory, tmp_path, capsys
):
    work = shutil.copytree(adapted / "new_work", tmp_path / "new_work")
    shutil.rmtree(work / "drives")  # which are told of first
    words = ("--memory", memory, "--steps", 50, "--rate", 0.03)
    assert adapt(driven, adapted / "new.onnx", guard, tmp_path / "new.onnx", *words) == 2
    assert "began with another model: name another folder" in capsys.readouterr().err
    assert not (tmp_path / "new.onnx").exists()


def test_an_empty_bag_changes_nothing(driven, model, guard, tmp_path, capsys):
    empty = copy_of(driven, tmp_path / "empty", TOPICS)
    out = tmp_path / "new.onnx"
    assert adapt(empty, model, guard, out) == 1
    assert "nothing to learn" in capsys.readouterr().out
    assert not out.exists()


def test_a_guard_that_is_memory_too_is_no_guard(driven, model, guard, tmp_path, capsys):
    assert adapt(driven, model, guard, tmp_path / "new.onnx", "--memory", guard) == 2
    assert "what is trained on cannot tell" in capsys.readouterr().err


def test_a_model_that_a_path_teaches_nothing_is_refused(driven, guard, tmp_path, capsys):
    lanes_only = write_models(tmp_path).lanes_only
    assert adapt(driven, lanes_only, guard, tmp_path / "new.onnx") == 2
    assert "answers lanes: where a vehicle drove teaches" in capsys.readouterr().err
