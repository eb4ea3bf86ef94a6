# SPDX-License-Identifier: Apache-2.0
"""A sequence as a whole: what adds nothing changes nothing, bit for bit, and what stops goes on."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from sequences import sequence, weights

from shared_encoder_perception.continual.config import training_of
from shared_encoder_perception.continual.matrix import read_matrix
from shared_encoder_perception.continual.sequence import NETWORK, learn
from shared_encoder_perception.continual.task_training import TaskTraining
from shared_encoder_perception.continual.testing import Tests
from shared_encoder_perception.training.train import train


def assert_same(first, second, tasks=2):
    """Two runs left the same networks after each task, and the same scores."""
    for task in range(tasks):
        one, two = (weights(out / f"task{task}" / NETWORK) for out in (first, second))
        assert all(torch.equal(one[name], two[name]) for name in one), task
    assert read_matrix(first).scores == read_matrix(second).scores


def test_one_task_is_plain_training(path, learned, tmp_path):
    train(training_of(sequence(path, f"out={tmp_path}", "tasks.1.steps=0"), 0))
    plain, naive = weights(tmp_path / "stage0.pt"), weights(learned() / "task0" / NETWORK)
    assert all(torch.equal(plain[name], naive[name]) for name in plain)


def test_a_later_task_changes_the_network(learned):
    first, second = (weights(learned() / f"task{task}" / NETWORK) for task in range(2))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    last = weights(learned() / NETWORK)
    assert all(torch.equal(second[name], last[name]) for name in last)


def test_no_share_of_memory_is_naive(learned):
    assert_same(learned("strategy=replay", "memory.share=0"), learned())


def test_no_weight_of_what_is_added_is_naive(learned):
    zero = ("lwf.weight=0", "pod.weight=0", "ewc.weight=0")
    assert_same(learned("strategy=lwf+pod+ewc", *zero), learned())


def test_endless_memory_with_proportional_shares_is_joint(learned):
    endless = learned("strategy=replay", "memory.size=0", "memory.share=-1")
    assert_same(endless, learned("strategy=joint"))
    naive, joint = (weights(out / "task1" / NETWORK) for out in (learned(), endless))
    assert any(not torch.equal(naive[name], joint[name]) for name in naive)
    assert read_matrix(endless).memory_samples == (4, 9)


def test_resumed_equals_uninterrupted(path, learned, tmp_path, monkeypatch):
    """Cut off while the first task is tested, and in the middle of the second."""
    options = ("strategy=replay+ewc", "memory.size=3", "ewc.weight=10", "ewc.samples=2")
    whole = learned(*options)
    config = sequence(path, *options, f"out={tmp_path / 'broken'}")
    out = tmp_path / "broken"
    test, step = Tests.__call__, TaskTraining.training_step

    def no_test(self, network, pictures, row):
        if row.startswith("1_"):
            raise RuntimeError("power cut")
        return test(self, network, pictures, row)

    def no_step(self, batch, index):
        if self._index == 1 and self.global_step == 2:
            raise RuntimeError("power cut")
        return step(self, batch, index)

    for owner, name, breaks in (
        (Tests, "__call__", no_test),
        (TaskTraining, "training_step", no_step),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, breaks)
            with pytest.raises(RuntimeError, match="power cut"):
                learn(config)
    assert not (out / NETWORK).exists()
    learn(config)
    starts = json.loads((out / "run.json").read_text())
    assert [start["stage"] for start in starts] == [0, 1, 1]
    one, two = weights(whole / NETWORK), weights(out / NETWORK)
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    before, after = read_matrix(whole), read_matrix(out)
    for name, rows in before.scores.items():
        for row, other in zip(rows, after.scores[name], strict=True):
            assert row == pytest.approx(other, abs=1e-5)
    assert before.memory_samples == after.memory_samples == (3, 3)
    states = [torch.load(each / "task1" / "state.pt", weights_only=True) for each in (whole, out)]
    keys = [state["memory"]["entries"]["key"].tolist() for state in states]
    assert keys[0] == keys[1]


def test_what_a_run_leaves_behind(learned):
    out = learned("strategy=replay+ewc", "memory.size=3", "ewc.weight=10", "ewc.samples=2")
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"config.yaml", "run.json", "matrix.json", "network.pt"} <= names
    for test in ("town", "coast"):
        for row in ("0_untrained", "1_town", "2_coast"):
            assert f"pictures/{test}/{row}.jpg" in names
    logs = {name.split("/")[1] for name in names if name.startswith("tensorboard/")}
    assert logs == {"stage0", "stage1", "sequence"}
    matrix = read_matrix(out)
    assert (matrix.learned, matrix.strategy, matrix.steps) == (2, "replay+ewc", (3, 3))
    assert matrix.headline == ("score", "mask_iou")
    assert all(set(row) == {"town", "coast"} for row in matrix.scores["score"])
    assert min(matrix.images_per_second) > 0
    assert matrix.memory_bytes == (3 * 40, 3 * 40)
    assert min(matrix.state_bytes) >= 2 * 4 * matrix.parameters * 0.9  # information and weights


def test_a_finished_run_is_not_run_again(path, learned):
    out = learned()
    before = (out / "run.json").read_text(), (out / "matrix.json").stat().st_mtime_ns
    learn(sequence(path, f"out={out}"))
    assert ((out / "run.json").read_text(), (out / "matrix.json").stat().st_mtime_ns) == before


def test_another_config_in_the_same_folder_is_refused(path, learned):
    with pytest.raises(ValueError, match=r"another config .*seed: 4.*out="):
        learn(sequence(path, f"out={learned()}", "seed=4"))
