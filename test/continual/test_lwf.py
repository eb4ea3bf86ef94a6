# SPDX-License-Identifier: Apache-2.0
"""Learning without forgetting: the network before is a teacher, of nothing where nothing moved."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from continual_steps import batch, config, gradients, learned, moved, small_network, step_of

from shared_encoder_perception.continual.config import LwfConfig
from shared_encoder_perception.continual.strategies.before import as_before
from shared_encoder_perception.continual.strategies.lwf import Lwf
from shared_encoder_perception.model.network import NetworkConfig
from shared_encoder_perception.training.config import StageConfig, TrainConfig
from shared_encoder_perception.training.precision import quicken_depthwise


def strategy(weight=1.0):
    return Lwf(config(lwf=LwfConfig(weight)))


def test_a_network_that_did_not_move_has_nothing_to_learn_of_itself():
    network, lwf = small_network(), strategy()
    lwf.begin(1, network)
    found = lwf.losses(step_of(network, batch()))
    assert found and all(name.startswith("lwf_") for name in found)
    assert max(one.abs().max() for one in gradients(found, network).values()) < 1e-6


def test_a_network_that_moved_is_pulled_back():
    network, lwf = small_network(), strategy()
    lwf.begin(1, network)
    moved(network)
    before = sum(value.item() for value in lwf.losses(step_of(network, batch())).values())
    for _ in range(30):
        found = gradients(lwf.losses(step_of(network, batch())), network)
        with torch.no_grad():
            for name, one in network.named_parameters():
                one -= 1e-3 * found[name]
    after = sum(value.item() for value in lwf.losses(step_of(network, batch())).values())
    assert after < before


def test_the_loss_is_in_proportion_to_its_weight():
    network = small_network()
    one, two = strategy(1.0), strategy(2.0)
    for lwf in (one, two):
        lwf.begin(1, network)
    step = step_of(moved(network), batch())
    once, twice = one.losses(step), two.losses(step)
    assert once.keys() == twice.keys()
    for name, value in once.items():
        torch.testing.assert_close(2 * value, twice[name])


@pytest.mark.parametrize(("weight", "task"), [(0.0, 1), (1.0, 0)])
def test_without_weight_and_in_the_first_task_there_is_no_loss(weight, task):
    network, lwf = small_network(), strategy(weight)
    lwf.begin(task, network)
    assert lwf.losses(step_of(moved(network), batch())) == {}


def test_the_teacher_is_the_network_before_each_task_and_nothing_is_saved():
    """Whoever resumes begins the task again, with the same network and the same lesson."""
    network, lwf = small_network(), strategy()
    lwf.begin(1, network)
    lwf.end(learned(moved(network), []))
    assert lwf.state() == {}
    lwf.begin(2, network)
    again = strategy()
    again.restore(lwf.state())
    again.begin(2, network)
    step = step_of(moved(network, seed=2), batch())
    ours, theirs = lwf.losses(step), again.losses(step)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_copy_answers_as_the_network_and_stays_when_that_moves():
    network = small_network().to(memory_format=torch.channels_last)
    quicken_depthwise(network)
    network.encoder.register_forward_hook(lambda *_: pytest.fail("a hook was copied"))
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    copy = as_before(network)
    assert torch.equal(torch.rand(3), expected)  # no random number was used up
    network.encoder._forward_hooks.clear()
    one = batch()
    with torch.no_grad():
        said, its = network(one.images), copy(one.images)
        assert all(torch.equal(said[name], its[name]) for name in said)
        moved(network)
        later = copy(one.images)
    assert all(torch.equal(later[name], its[name]) for name in its)
    assert not copy.training and not any(one.requires_grad for one in copy.parameters())


def test_a_weight_that_would_reward_forgetting_is_refused():
    with pytest.raises(ValueError, match=r"lwf\.weight is -1, expected 0 or more"):
        strategy(-1)


def test_tasks_of_which_nothing_is_taught_are_refused_before_anything_starts():
    plan, network = StageConfig((64, 96), 1, 1e-3, 2), NetworkConfig(tasks=["depth"])
    told = config(train=TrainConfig(network=network, stages=[plan]))
    with pytest.raises(ValueError, match="lwf teaches nothing of depth: leave it out"):
        Lwf(told)
