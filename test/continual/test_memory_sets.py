# SPDX-License-Identifier: Apache-2.0
"""The memory and the sets that it names: they must be what they were, and are asked for classes."""

import json
import shutil

import numpy as np
import pytest
from labelled_set import write_set

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from sequences import brighten, sequence, write_sequence

from shared_encoder_perception import tasks
from shared_encoder_perception.continual.apart import check_apart
from shared_encoder_perception.continual.data import TaskSets, digest
from shared_encoder_perception.continual.meanings import check_meanings
from shared_encoder_perception.continual.memory.memory import Memory
from shared_encoder_perception.continual.sequence import OwnBatches
from shared_encoder_perception.continual.strategies.contract import Learned
from shared_encoder_perception.continual.testing import Tests
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.spec import blocks
from shared_encoder_perception.training.losses import Criterion


@pytest.fixture
def path(tmp_path):
    return write_sequence(tmp_path)


def after(config, task=0):
    """The memory after a task, as a network leaves it that learned nothing."""
    memory = Memory(config, TaskSets(config))
    order = memory.order(task)
    torch.manual_seed(0)
    network = PerceptionNetwork(config.train.network).eval()
    names, loss = config.train.network.tasks, config.train.loss
    batches = OwnBatches(config, task, order)
    memory.learn(order, Learned(task, network, batches, Criterion(names, loss)))
    return memory, network


def digest_of(config):
    sets = TaskSets(config)
    return digest(config, sets, Tests(config, sets).sets)


def test_a_set_that_changed_is_refused(path):
    config = sequence(path, "strategy=replay")
    memory, _ = after(config)
    state = memory.state()
    later = Memory(config, TaskSets(config))
    later.restore(state)
    assert later.order(1).from_memory == 2
    brighten(path.parent / "town" / "train")
    later = Memory(config, TaskSets(config))
    later.restore(state)
    with pytest.raises(ValueError, match=r"town/train of the task town is not what it was"):
        later.order(1)


def test_a_set_that_is_gone_is_told(path):
    config = sequence(path, "strategy=replay")
    memory, _ = after(config)
    shutil.rmtree(path.parent / "town" / "train")
    later = Memory(config, TaskSets(config))
    later.restore(memory.state())
    with pytest.raises((OSError, ValueError), match=r"town/train"):
        later.order(1)


def test_only_what_was_trained_on_is_remembered(path):
    config = sequence(path, "strategy=replay", "memory.size=0", "tasks.0.steps=1")
    config_joint = sequence(path, "strategy=joint", "train.stages.0.batch_size=2")
    memory, _ = after(
        sequence(
            path,
            "strategy=replay",
            "train.stages.0.batch_size=1",
            "memory.share=0",
            "tasks.0.steps=2",
        )
    )
    seen = {entry.sample for entry in memory.entries}
    assert len(seen) == 2
    assert len(after(config)[0].entries) == 4
    assert len(after(config_joint)[0].entries) == 4
    assert not after(sequence(path, "strategy=naive"))[0].entries


def test_uncertain_samples_are_those_with_the_greatest_loss_of_the_labels(path):
    config = sequence(path, "strategy=replay", "memory.policy=uncertainty", "memory.size=2")
    memory, network = after(config)
    order = Memory(config, TaskSets(config)).order(0)
    criterion = Criterion(config.train.network.tasks, config.train.loss)
    losses, first = [], next(iter(OwnBatches(config, 0, order)))
    for at in range(len(first.images)):
        one = first.map(lambda tensor, at=at: tensor[at : at + 1])
        with torch.no_grad():
            total = criterion(network(one.images, one.size), one)["total"]
        losses.append((float(total), order.draw(at)[1]))
    expected = sorted(sample for _, sample in sorted(losses)[-2:])
    assert [entry.sample for entry in memory.entries] == expected


def test_classes_are_those_of_the_rooms(path):
    """Road and no road: both are to be seen in each of the pictures, and road is the rarer."""
    config = sequence(path, "strategy=replay", "memory.policy=class_balanced", "memory.size=3")
    memory, _ = after(config)
    pixels = next(iter(OwnBatches(config, 0, memory.order(0)))).targets["drivable_surface"]["mask"]
    rarer = int((pixels == 255).sum() < (pixels == 0).sum())
    assert [entry.group for entry in memory.entries] == [rarer] * 3


def test_rooms_count_what_is_labelled():
    """Not what counts for nothing, and nothing where there is no label."""
    ids, weight = np.array([[0, 3, 3], [255, 3, 0]]), np.array([[255, 9, 0], [0, 255, 1]])
    semantic = {"ids": ids.astype(np.uint8), "class_weight": weight.astype(np.uint8)}
    assert tasks.part("semantic", "target").class_pixels(semantic) == {0: 2, 3: 2}
    mask = np.array([[255, 0, 0], [127, 0, 255]], np.uint8)
    masks = {"mask": mask, "weight": np.where(weight > 0, 255, 0).astype(np.uint8)}
    assert tasks.part("drivable_surface", "target").class_pixels(masks) == {0: 2, 1: 2}
    for name, block in blocks("semantic", "drivable_surface", "foreground").items():
        room = tasks.part(name, "target")
        assert not sum(room.class_pixels(room.encode(None, (32, 64), block)).values())


def test_balance_of_classes_is_refused_where_no_task_has_any(path):
    words = ("strategy=replay", "memory.policy=class_balanced", "train.network.tasks=[lanes]")
    with pytest.raises(ValueError, match="none of the network's tasks labels pixels by class"):
        after(sequence(path, *words))


def test_runs_that_may_be_compared_have_one_digest(path, tmp_path):
    """Wherever the sets are, with whatever strategy and seed; but not of other sets."""
    first = digest_of(sequence(path))
    moved = write_sequence(tmp_path / "moved")
    words = ("strategy=replay", "memory.size=3", "seed=4", "out=x", "train.machine.workers=1")
    assert digest_of(sequence(moved, *words)) == first
    assert digest_of(sequence(path, "tasks.0.steps=9")) != first
    assert digest_of(sequence(path, "train.ema=0.5")) != first
    assert digest_of(sequence(path, "tasks.0.train.0.count=2")) != first
    brighten(tmp_path / "moved" / "coast" / "test")
    assert digest_of(sequence(moved)) != first


def test_a_test_of_what_is_trained_on_is_refused(path):
    """By what the pictures show: their folder and their names are others."""
    check_apart(sequence(path))
    copied = write_set(path.parent / "elsewhere", 1)
    with pytest.raises(ValueError, match=r"1 pictures of .*elsewhere.*coast is tested.*task "):
        check_apart(sequence(path, f"tasks.1.tests.0.sets=[{{path: {copied}}}]"))
    brighten(copied)
    with pytest.raises(ValueError, match=r"trained on, by the task coast"):
        check_apart(sequence(path, f"tasks.1.train=[{{path: {copied}}}]"))


def test_a_test_of_what_is_learned_without_labels_is_refused(path):
    """Only where something is learned of it."""
    seen = f"tasks.0.unlabelled=[{path.parent / 'coast' / 'test'}]"
    check_apart(sequence(path, seen))
    with pytest.raises(ValueError, match=r"2 pictures of .*test,.* by the task town, without"):
        check_apart(sequence(path, seen, "supervision.pseudo=1"))
    brighten(path.parent / "coast" / "test")
    other = f"tasks.0.unlabelled=[{path.parent / 'town' / 'train' / 'images'}]"
    check_apart(sequence(path, other, "supervision.pseudo=1"))


def test_classes_that_mean_something_else_in_another_task_are_refused(path):
    """By what the tables say, wherever they lie; the network's own table does not matter."""
    names = ("road", "verge"), ("road", "verge"), ("road", "grass")
    for place, told in zip(("town", "coast", "hill"), names, strict=True):
        folder = path.parent / place / "train"
        if not folder.exists():
            write_set(folder, 1)
        rows = [{"id": at, "name": name} for at, name in enumerate(told)]
        (folder / f"{place}.json").write_text(json.dumps(rows))
        lines = [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()]
        text = "".join(
            json.dumps({**line, "class_table": f"{place}.json"}) + "\n" for line in lines
        )
        (folder / "frames.jsonl").write_text(text)
    both = "train.network.tasks=[drivable_surface,semantic]"
    check_meanings(sequence(path, both))
    other = f"tasks.1.train=[{{path: {path.parent / 'hill' / 'train'}}}]"
    with pytest.raises(ValueError, match=r"class_table of .*hill.*has 'grass' more, lacks 'verge'"):
        check_meanings(sequence(path, both, other))
    check_meanings(sequence(path, other))
