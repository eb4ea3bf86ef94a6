# SPDX-License-Identifier: Apache-2.0
"""The trainer: it learns, resumes exactly, runs in several processes, and says what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from labelled_set import record, write_records, write_set

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from patience import PATIENCE_S
from smallest import ENCODER

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.losses import NonFiniteLossError
from shared_encoder_perception.training.module import StageTraining
from shared_encoder_perception.training.record import METRICS, read_metrics
from shared_encoder_perception.training.train import train

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    f"network.encoder={ENCODER}",
    "network.channels=16",
    "network.head_channels=8",
    "machine.precision=32-true",
    "machine.accelerator=cpu",
    "machine.workers=0",
    "validate_every=4",
    "checkpoint_every=3",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("data"), 8)


def config(data, out, *overrides):
    stages = "stages=[{size: [64, 160], steps: 10, learning_rate: 2.0e-3, batch_size: 4}]"
    sets = [f"data.train=[{{path: {data}}}]", f"data.val=[{{path: {data}}}]"]
    return load_config(None, [*SMALL, stages, *sets, f"out={out}", *overrides])


def rows(out):
    """Metrics without what differs between two runs of the same thing."""
    lines = [json.loads(line) for line in (Path(out) / METRICS).read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("time", "steps_per_s")} for r in lines]


def assert_same(value, other, tolerance, key):
    if isinstance(value, dict):
        assert value.keys() == other.keys(), key
        for name, item in value.items():
            assert_same(item, other[name], tolerance, f"{key}.{name}")
    elif key.endswith("mask.bins"):  # a pixel may change its bin, or its side of 0.5, by rounding
        np.testing.assert_allclose(value, other, rtol=1e-2, err_msg=key)
    elif isinstance(value, list):
        assert len(value) == len(other), key
        for item, its in zip(value, other, strict=True):
            assert_same(item, its, tolerance, key)
    elif isinstance(value, float):
        assert value == pytest.approx(other, rel=tolerance, abs=tolerance), key
    else:
        assert value == other, key


def assert_close(first, second, tolerance):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert_same(value, b[key], tolerance, key)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(config(data, out))
    return out


def test_a_run_leaves_everything_behind(whole, data):
    assert {r["step"] for r in read_metrics(whole, "val")} == {4, 8, 10}
    names = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}
    assert {"config.yaml", "run.json", "network.pt", "stage0.pt", "stage0_best.pt"} <= names
    assert "panels/stage0_000004.jpg" in names
    (start,) = json.loads((whole / "run.json").read_text())
    assert start["data"]["train"][0]["frames"] == 8
    assert len(start["data"]["train"][0]["sha256"]) == 64
    assert start["libraries"]["torch"] == torch.__version__.split("+")[0]


def test_a_finished_run_is_not_run_again(whole, data):
    before = (whole / METRICS).read_text()
    train(config(data, whole))
    assert (whole / METRICS).read_text() == before


def test_the_best_network_is_kept(whole):
    scores = {r["step"]: r["score"] for r in read_metrics(whole, "val")}
    best = load_network(whole / "stage0_best.pt").state_dict()
    kept = load_network(whole / "network.pt").state_dict()
    assert all(torch.equal(best[name], kept[name]) for name in best)
    if max(scores.values()) > scores[10]:
        last = load_network(whole / "stage0.pt").state_dict()
        assert any(not torch.equal(best[name], last[name]) for name in best)


@pytest.mark.parametrize("extra", [[], ["loss.weighting=gradnorm", "optimizer=muon"]])
def test_resumed_equals_uninterrupted(whole, data, tmp_path, monkeypatch, extra):
    straight = tmp_path / "straight" if extra else whole
    if extra:
        train(config(data, straight, *extra))
    step = StageTraining.training_step

    def breaks(self, batch, index):
        if self.global_step == 7:
            raise RuntimeError("power cut")
        return step(self, batch, index)

    monkeypatch.setattr(StageTraining, "training_step", breaks)
    broken = config(data, tmp_path / "broken", *extra)
    with pytest.raises(RuntimeError, match="power cut"):
        train(broken)
    monkeypatch.setattr(StageTraining, "training_step", step)
    train(broken)
    assert_close(rows(straight), rows(broken.out), 1e-5)
    one, two = (
        load_network(Path(out) / "stage0.pt").state_dict() for out in (straight, broken.out)
    )
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    assert len(json.loads((Path(broken.out) / "run.json").read_text())) == 2


def test_two_processes_equal_one(data, tmp_path):
    """Batch norm's statistics are each process's own, as everywhere: they are frozen here."""
    options = ["freeze_norm=true", "validate_every=0"]
    # Few and small steps: Adam turns rounding into steps of full size where a gradient is near 0.
    options += ["stages.0.steps=5", "stages.0.learning_rate=1e-4"]
    ones, twos = [], []
    for weighting in ("fixed", "pcgrad"):
        ones.append(config(data, tmp_path / weighting, f"loss.weighting={weighting}", *options))
        train(ones[-1])
        twos.append(tmp_path / f"{weighting}_two")
    runs = [f"{Path(one.out) / 'config.yaml'}:{two}" for one, two in zip(ones, twos, strict=True)]
    result = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"),
            *("--master-port", str(29500 + os.getpid() % 1000)),
            *(str(Path(__file__).with_name("train_each.py")), *runs),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    for one, two in zip(ones, twos, strict=True):
        assert_close(rows(one.out), rows(two), 1e-4)


def test_unstarted_processes_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match="torchrun --nproc-per-node"):
        train(config(data, tmp_path / "run", "machine.devices=2"))


def test_another_config_in_the_same_folder_is_refused(whole, data):
    with pytest.raises(ValueError, match=r"another config \(seed: 5, was 0\): .*out="):
        train(config(data, whole, "seed=5"))


def test_a_run_is_not_gone_on_with_through_a_link_out_of_its_folder(data, tmp_path):
    victim, run = tmp_path / "victim", tmp_path / "run"
    victim.write_text("mine")
    run.mkdir()
    (run / "metrics.jsonl").symlink_to(victim)
    with pytest.raises(ValueError, match=r"metrics\.jsonl' is a link to"):
        train(config(data, run))
    assert victim.read_text() == "mine"


def test_data_that_have_changed_since_are_refused(data, whole, tmp_path):
    """Neither gone on with, nor taken as trained on."""
    other, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(data, other)
    shutil.copytree(whole, run)
    for name in ("config.yaml", "run.json"):
        text = (run / name).read_text().replace(str(data), str(other))
        (run / name).write_text(text.replace(str(whole), str(run)))
    train(config(other, run))
    picture = next((other / "images").rglob("*.png"))
    before = picture.read_bytes()
    picture.write_bytes(before + b" ")
    with pytest.raises(ValueError, match=r"a picture of .*frames.jsonl is not what it was"):
        train(config(other, run))
    picture.write_bytes(before)
    with (other / "frames.jsonl").open("a") as lines:
        lines.write((data / "frames.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(ValueError, match=r"frames.jsonl is not what it was when the run"):
        train(config(other, run))
    (run / "run.json").write_text('[{"data": {"train": [5]}}]')
    with pytest.raises(ValueError, match=r"run.json is not as a run writes it"):
        train(config(other, run))


def test_a_loss_that_is_not_finite_stops_with_all_parts(data, tmp_path):
    with pytest.raises(NonFiniteLossError, match=r"heat.*mask_region.*learning rate"):
        train(config(data, tmp_path / "run", "stages.0.learning_rate=1e30", "clip=1e30"))


def test_faulty_label_stops_with_file_and_line(tmp_path, capsys):
    write_set(tmp_path / "bad", 2)
    write_records(tmp_path / "bad", [record(0), record(1, size=[3, 3])])
    args = [f"data.train.0.path={tmp_path / 'bad'}", f"out={tmp_path / 'run'}", *SMALL]
    path = tmp_path / "config.yaml"
    path.write_text("stages: [{size: [64, 160], steps: 5, batch_size: 2}]\n")
    assert main(["train", str(path), *args]) == 2
    assert "frames.jsonl, line 2: " in capsys.readouterr().err


def test_overfit_learns_a_few_frames_by_heart(data, tmp_path):
    """The whole chain from labels to metrics fits together."""
    out = tmp_path / "overfit"
    train(
        config(
            data,
            out,
            "data.overfit=2",
            "stages.0.steps=150",
            "stages.0.size=[96,256]",
            "stages.0.batch_size=2",
            "stages.0.learning_rate=4e-3",
            "network.channels=32",
            "validate_every=0",
            "ema=0.9",
        )
    )
    (last,) = read_metrics(out, "val")
    assert last["mask_iou"] > 0.9
    assert last["lane_accuracy"] > 0.75


def test_overfit_needs_frames_that_label_everything(tmp_path):
    write_set(tmp_path / "data", 2, mask=None)
    with pytest.raises(ValueError, match=r"has 2 frames that label all of lanes, drivable_surface"):
        train(config(tmp_path / "data", tmp_path / "run", "data.overfit=2"))


def test_a_stage_without_progress_stops_early(data, tmp_path):
    out = tmp_path / "run"
    still = ["stages.0.learning_rate=1e-12", "freeze_norm=true", "ema=0"]
    train(config(data, out, "patience=2", "validate_every=1", *still))
    assert [row["step"] for row in read_metrics(out, "val")] == [1, 2, 3]
    assert (out / "network.pt").exists()


def test_interrupted_by_ctrl_c_is_not_taken_for_finished(data, tmp_path, monkeypatch):
    step = StageTraining.training_step

    def interrupts(self, batch, index):
        if self.global_step == 5:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(StageTraining, "training_step", interrupts)
    out = tmp_path / "run"
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        train(config(data, out))
    assert not (out / "stage0.pt").exists()
    monkeypatch.setattr(StageTraining, "training_step", step)
    train(config(data, out))
    assert read_metrics(out, "train")[-1]["step"] == 10
