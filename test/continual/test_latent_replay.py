# SPDX-License-Identifier: Apache-2.0
"""Latent replay in whole sequences: cut at the input it is replay, with no share of it naive."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from sequences import sequence, weights

from shared_encoder_perception.continual.matrix import read_matrix
from shared_encoder_perception.continual.sequence import NETWORK, STATE, learn
from shared_encoder_perception.continual.task_training import TaskTraining
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.training.frozen import freeze

LATENT = ("strategy=latent_replay", "latent.cut=8", "memory.size=3")


def state(out, task=1):
    return torch.load(out / f"task{task}" / STATE, weights_only=True)


def assert_same(first, second):
    """Two runs left the same networks after each task, and the same scores."""
    for task in range(2):
        one, two = (weights(out / f"task{task}" / NETWORK) for out in (first, second))
        assert all(torch.equal(one[name], two[name]) for name in one), task
    assert read_matrix(first).scores == read_matrix(second).scores


def test_cut_at_the_input_it_is_replay(learned):
    same = ("memory.size=3",)
    assert_same(
        learned("strategy=latent_replay", "latent.cut=0", *same), learned("strategy=replay", *same)
    )


def test_no_share_of_latents_is_naive_with_the_front_frozen(learned):
    nothing = learned("strategy=latent_replay", "latent.cut=8", "memory.share=0")
    assert_same(nothing, learned("strategy=naive", "train.freeze_encoder=8"))


def test_the_front_stays_as_it_was_made_and_the_rest_learns(learned):
    """Its weights and its norms, from the first task on."""
    naive = learned("strategy=naive", "train.freeze_encoder=8")
    latent = learned(*LATENT)
    networks = [load_network(latent / f"task{task}" / NETWORK) for task in range(2)]
    states = [network.encoder.state_dict() for network in networks]
    still = {
        f"{name}.{own}"
        for name, layer in networks[0].encoder.named_modules()
        if any(layer is one for one in freeze(networks[0].encoder, 8))
        for own in layer.state_dict()
    }
    differ = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert still and not differ & still
    assert differ | still == set(states[0])
    other = load_network(naive / "task1" / NETWORK).encoder.state_dict()
    assert all(torch.equal(other[name], states[1][name]) for name in still)
    assert any(not torch.equal(other[name], states[1][name]) for name in differ)


def test_what_is_remembered_is_what_replay_remembers(learned):
    columns = [
        state(learned("strategy=replay", "memory.size=3"))["memory"]["entries"],
        state(learned(*LATENT))["memory"]["entries"],
        state(learned(*LATENT))["strategies"]["latent_replay"]["latents"]["entries"],
    ]
    for other in columns[1:]:
        assert all(torch.equal(columns[0][name], other[name]) for name in columns[0])


def test_latents_are_half_numbers_and_their_bytes_are_counted(learned):
    out = learned(*LATENT)
    latents = state(out)["strategies"]["latent_replay"]["latents"]
    assert {stride: level.dtype for stride, level in latents["levels"].items()} == {
        8: torch.float16,
        4: torch.float16,
    }
    sizes = {stride: tuple(level.shape[-2:]) for stride, level in latents["levels"].items()}
    assert sizes == {8: (8, 12), 4: (16, 24)}  # of a picture of 64x96
    least = sum(2 * level.numel() for level in latents["levels"].values())
    assert min(read_matrix(out).state_bytes) >= least > 0
    assert read_matrix(out).memory_samples == (3, 3)


def test_resumed_equals_uninterrupted(path, learned, tmp_path, monkeypatch):
    whole, out, step = learned(*LATENT), tmp_path / "broken", TaskTraining.training_step
    config = sequence(path, *LATENT, f"out={out}")

    def no_step(self, batch, index):
        if self._index == 1 and self.global_step == 2:
            raise RuntimeError("power cut")
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(TaskTraining, "training_step", no_step)
        with pytest.raises(RuntimeError, match="power cut"):
            learn(config)
    learn(config)
    assert [start["stage"] for start in json.loads((out / "run.json").read_text())] == [0, 1, 1]
    one, two = weights(whole / NETWORK), weights(out / NETWORK)
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)


def test_it_goes_with_a_penalty_and_not_with_teachers_that_look_at_pictures(path):
    for other in ("lwf", "pod", "replay"):
        with pytest.raises(ValueError, match=f"latent_replay.*{other}|{other}.*latent_replay"):
            sequence(path, f"strategy=latent_replay+{other}")
    assert sequence(path, "strategy=latent_replay+ewc").strategy == ["latent_replay", "ewc"]
