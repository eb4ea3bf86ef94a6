# SPDX-License-Identifier: Apache-2.0
"""Supervision within a task as it is trained: nothing by no weight, exact when interrupted."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import lightning
from sequences import sequence, write_sequence
from unlabelled_pictures import cut_out, texture, write_frames

from shared_encoder_perception.continual.config import training_of
from shared_encoder_perception.continual.data import TaskSets
from shared_encoder_perception.continual.memory.memory import Memory
from shared_encoder_perception.continual.strategies.pod import Pod
from shared_encoder_perception.continual.supervision.supervision import Supervision
from shared_encoder_perception.continual.task_training import TaskTraining
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.train import train_stage

ALL = ("supervision.temporal=1", "supervision.cross=1", "supervision.pseudo=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("supervised")


@pytest.fixture(scope="module")
def trained(folder):
    """Train the first task as a sequence does; return its weights."""
    path = write_sequence(folder)
    whole = texture((120, 160), margin=8)
    frames = [cut_out(whole, 2 * number, 8, (120, 160)) for number in range(5)]
    video = write_frames(folder / "frames", frames)

    def train(out, *overrides, supervised=True, task=0, beside=()):
        out.mkdir(exist_ok=True)
        config = sequence(path, *overrides, f"out={out}", f"tasks.{task}.unlabelled=[{video}]")
        lightning.seed_everything(0, verbose=False)
        network = PerceptionNetwork(config.train.network).train()
        strategies = [Supervision(config)] if supervised else []
        strategies += [made(config) for made in beside]
        for one in strategies:
            one.begin(task, network)
        order = Memory(config, TaskSets(config)).order(task)

        def make(*arguments):
            return TaskTraining(*arguments, order=order, strategies=strategies)

        train_stage(training_of(config, task), task, out, network, make, scored=False)
        return network.state_dict()

    return train


def assert_same(first, second):
    assert all(torch.equal(first[name], second[name]) for name in first)


def differ(first, second):
    return any(not torch.equal(first[name], second[name]) for name in first)


def test_without_weights_training_is_what_it_is_without_supervision(trained, tmp_path):
    plain = trained(tmp_path / "plain", supervised=False)
    assert_same(plain, trained(tmp_path / "none"))
    assert differ(plain, trained(tmp_path / "all", *ALL))


def test_an_interrupted_task_goes_on_as_if_it_had_not_been(trained, tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole", *ALL, "supervision.decay=0.5")
    step = TaskTraining.training_step

    def no_step(self, batch, index):
        if self.global_step == 2:
            raise RuntimeError("power cut")
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(TaskTraining, "training_step", no_step)
        with pytest.raises(RuntimeError, match="power cut"):
            trained(tmp_path / "broken", *ALL, "supervision.decay=0.5")
    assert_same(whole, trained(tmp_path / "broken", *ALL, "supervision.decay=0.5"))


def test_who_looks_at_features_sees_those_of_the_labelled_batch(trained, tmp_path):
    """Pod is asked after supervision, and holds as many features as there are labelled images."""
    options = (*ALL, "supervision.batch=1")
    nothing = trained(tmp_path / "no", *options, "pod.weight=0", task=1, beside=(Pod,))
    assert differ(nothing, trained(tmp_path / "pod", *options, task=1, beside=(Pod,)))


def test_what_is_seen_without_labels_stands_in_the_record(trained, tmp_path):
    trained(tmp_path, *ALL)
    assert '"pairs": 4' in (tmp_path / "run.json").read_text()
    assert "temporal_drivable_surface" in (tmp_path / "metrics.jsonl").read_text()
