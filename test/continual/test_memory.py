# SPDX-License-Identifier: Apache-2.0
"""What is remembered: fair, of the size that was asked for, and the same in whatever order."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.continual.memory.entries import (
    Entry,
    from_tensors,
    kept,
    to_tensors,
)
from shared_encoder_perception.continual.memory.policies import (
    CLASSES_OF_TASK,
    POLICIES,
    Seen,
    random_key,
)

SAMPLES, KEPT, STREAMS = 40, 10, 2000


def seen(task=0, count=SAMPLES, seed=0, classes=None, loss=None):
    last = {(0, index): 3 * index + task for index in range(count)}
    return Seen(task, seed, last, classes or (lambda _: {0: 1}), loss or (lambda place: place[1]))


def chosen(policy, tasks, size, **asked):
    """What a memory holds that learned tasks one after the other."""
    memory = ()
    for task in tasks:
        memory = kept([*memory, *POLICIES[policy](seen(task, **asked))], size)
    return memory


def p_value(counts):
    """How likely equal chances are to give counts so unequal (chi-square).

    Counts of samples drawn without replacement have the covariance of a multinomial's, times
    (1 - p) n / (n - 1).
    """
    n, expected = len(counts), STREAMS * KEPT / len(counts)
    spread = (1 - KEPT / n) * n / (n - 1)
    distance = np.square(np.array(counts) - expected).sum() / (expected * spread)
    half = torch.tensor([(n - 1) / 2, distance / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def test_a_reservoir_is_uniform():
    """Over 2000 seeds, and over tasks that came one after the other."""
    found = Counter()
    for seed in range(STREAMS):
        for entry in chosen("reservoir", range(2), KEPT, count=SAMPLES // 2, seed=seed):
            found[entry.task, entry.sample] += 1
    places = list(product(range(2), range(SAMPLES // 2)))
    assert p_value([found[place] for place in places]) > 0.01


def test_the_measure_of_uniformity_can_fail():
    """What keeps the latest more often, by a tenth, is found out."""
    rng = np.random.default_rng(0)
    keys = rng.random((STREAMS, SAMPLES)) * np.linspace(1, 1.1, SAMPLES)
    order = np.argsort(-keys, axis=1)[:, :KEPT]
    assert p_value(np.bincount(order.ravel(), minlength=SAMPLES)) < 0.01


def test_random_keys_are_a_samples_own():
    places = [(seed, task, (at, index)) for seed, task, at, index in product(range(3), repeat=4)]
    keys = [random_key(*one) for one in places]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 1 for key in keys)
    assert keys == [random_key(*one) for one in places]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [1, 7, 10, 1000])
def test_a_memory_is_as_large_as_asked(policy, size):
    memory = chosen(policy, range(3), size)
    assert len(memory) == min(size, 3 * SAMPLES)
    assert len({entry[:3] for entry in memory}) == len(memory)


@pytest.mark.parametrize("policy", POLICIES)
def test_size_0_keeps_everything(policy):
    assert len(chosen(policy, range(3), 0)) == 3 * SAMPLES


@pytest.mark.parametrize("policy", POLICIES)
def test_neither_order_nor_earlier_choices_matter(policy):
    """What is kept of what was kept and others is what is kept of all at once."""

    def classes(place):
        return {place[1] % 5: 100, 7: 30 * (place[1] % 3 == 0)}

    found = [entry for task in range(4) for entry in POLICIES[policy](seen(task, classes=classes))]
    rng = np.random.default_rng(0)
    for size in (1, 5, 13, 64):
        whole = kept(found, size)
        assert whole == kept([found[at] for at in rng.permutation(len(found))], size)
        parts = ()
        for at in np.array_split(rng.permutation(len(found)), 9):
            parts = kept([*parts, *(found[index] for index in at)], size)
        assert parts == whole
        assert kept(kept(found, 2 * size), size) == whole  # shrinking is exact


@pytest.mark.parametrize("policy", ["task_balanced", "uncertainty"])
def test_tasks_have_equal_parts(policy):
    counts = Counter(entry.task for entry in chosen(policy, range(4), 42))
    assert sorted(counts.values()) == [10, 10, 11, 11]


def test_what_a_small_task_does_not_fill_is_shared():
    few = POLICIES["task_balanced"](seen(0, count=2))
    memory = kept(
        [*few, *POLICIES["task_balanced"](seen(1)), *POLICIES["task_balanced"](seen(2))], 20
    )
    assert Counter(entry.task for entry in memory) == {0: 2, 1: 9, 2: 9}


def test_a_ring_holds_the_latest():
    memory = chosen("ring", range(2), 5)
    assert [(entry.task, entry.sample) for entry in memory] == [(1, at) for at in range(35, 40)]
    spilled = chosen("ring", range(2), SAMPLES + 3)
    assert [entry.sample for entry in spilled if entry.task == 0] == [37, 38, 39]


def test_a_ring_goes_by_when_a_sample_was_seen_last():
    last = {(0, 0): 9, (0, 1): 2, (1, 0): 5}
    found = POLICIES["ring"](Seen(0, 0, last, lambda _: {}, lambda _: 0.0))
    assert [entry[1:3] for entry in kept(found, 2)] == [(0, 0), (1, 0)]


def test_the_uncertain_are_those_with_the_greatest_loss():
    memory = chosen("uncertainty", [0], 3, loss=lambda place: -abs(place[1] - 20))
    assert [entry.sample for entry in memory] == [19, 20, 21]


def test_a_sample_belongs_to_the_rarest_class_that_it_shows():
    """And one of which less than 0.5 % is to be seen is not there."""

    def classes(place):
        return {
            0: {0: 1000},
            1: {0: 1000, 1: 100},
            2: {0: 1000, 1: 100, 2: 6},
            3: {0: 1000, 2: 5},  # 5 of 1005
            4: {},
        }[place[1] % 5]

    groups = {
        entry.sample % 5: entry.group for entry in POLICIES["class_balanced"](seen(classes=classes))
    }
    assert groups == {0: 0, 1: 1, 2: 2, 3: 0, 4: -1}


def test_a_class_is_a_part_of_what_its_own_task_labels():
    """Another task that labels far more pixels does not make it rare."""

    def classes(place):
        return {0: 990, 1: 10, CLASSES_OF_TASK: 10**6}

    groups = {entry.group for entry in POLICIES["class_balanced"](seen(classes=classes))}
    assert groups == {1}


def test_classes_have_equal_parts_however_rare():
    def classes(place):
        return {0: 1000, 1: 50} if place[1] < 4 else {0: 1000}

    memory = chosen("class_balanced", [0], 8, classes=classes)
    assert sorted(entry.sample for entry in memory)[:4] == [0, 1, 2, 3]
    assert Counter(entry.group for entry in memory) == {0: 4, 1: 4}


def test_entries_survive_as_tensors():
    entries = (Entry(0, 1, 2, 0.1 + 0.2, -1), Entry(3, 0, 10**9, -1e300, 1 << 20))
    assert from_tensors(to_tensors(entries)) == entries
    assert from_tensors(to_tensors(())) == ()
