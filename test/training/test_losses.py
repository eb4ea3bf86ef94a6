# SPDX-License-Identifier: Apache-2.0
"""The criterion: the sum of what all tasks cost, whatever the tasks are."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from batches import batch_of
from smallest import ENCODER

from shared_encoder_perception import tasks
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.config import loss_config
from shared_encoder_perception.training.losses import Criterion, NonFiniteLossError
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (64, 160)
SUBSETS = [[name] for name in tasks.ROOMS] + [list(tasks.ROOMS)]


def logits(names):
    torch.manual_seed(0)
    network = PerceptionNetwork(
        NetworkConfig(ENCODER, channels=8, head_channels=4, tasks=names)
    ).eval()
    image = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    return network(image, inputs=dict.fromkeys(network.encodes, image))


def labelled(names):
    return batch_of(render_sample(0, SIZE).labels, size=SIZE, tasks=names)


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_total_is_the_weighted_sum_of_all_parts(names):
    criterion = Criterion(names, loss_config())
    parts = criterion(logits(names), labelled(names))
    weights = {
        name: weight for group in criterion.groups.values() for name, weight in group.items()
    }
    assert list(parts) == [*weights, "total"]
    total = sum(weight * parts[name] for name, weight in weights.items())
    assert total > 0
    assert torch.allclose(parts["total"], total)
    assert torch.allclose(parts["total"], sum(criterion.grouped(parts).values()))


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_a_sample_without_labels_costs_nothing(names):
    answer = logits(names)
    total = Criterion(names, loss_config())(answer, batch_of({}, size=SIZE, tasks=names))["total"]
    assert total.item() == 0
    total.backward()


def test_each_task_is_trained_by_its_own_labels():
    names, whole = list(tasks.ROOMS), render_sample(0, SIZE).labels
    criterion = Criterion(names, loss_config())
    own = {
        name: {part for weights in tasks.part(name, "loss").PARTS.values() for part in weights}
        for name in names
    }
    for known in names:
        parts = criterion(logits(names), batch_of({known: whole[known]}, size=SIZE, tasks=names))
        for name in names:
            cost = sum(parts[part].item() for part in own[name])
            assert (cost > 0) == (name == known)


def test_non_finite_loss_stops_with_all_parts():
    answer = logits(list(tasks.ROOMS))
    for value in answer.values():
        value.detach()[0].view(-1)[0] = float("nan")
    with pytest.raises(NonFiniteLossError, match=r"heat.*mask_bce.*learning rate"):
        Criterion(list(tasks.ROOMS), loss_config())(answer, labelled(list(tasks.ROOMS)))


def test_two_tasks_with_a_part_of_the_same_name_are_refused(monkeypatch):
    first, config = next(iter(tasks.ROOMS)), loss_config()
    monkeypatch.setitem(tasks.ROOMS, "copy", tasks.ROOMS[first])
    with pytest.raises(ValueError, match=r"two tasks have a loss's group of the name"):
        Criterion([first, "copy"], config)
