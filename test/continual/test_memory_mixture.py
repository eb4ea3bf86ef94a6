# SPDX-License-Identifier: Apache-2.0
"""A share of each batch from memory: fixed places, and a pure function of the position."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from labelled_set import write_set
from patience import PATIENCE_S

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.continual.memory.mixture import (
    MemoryMixture,
    seen_until,
    share_of,
)
from shared_encoder_perception.spec import blocks
from shared_encoder_perception.training.data import TrainStream, loader
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.mixture import Mixture
from shared_encoder_perception.training.sets import NativeSet

SIZE = (32, 64)
BATCH = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    mine = tmp_path_factory.mktemp("sets")
    write_set(mine / "old", 5)
    write_set(mine / "new", 6)
    return mine


def mixtures(folder, from_memory=2):
    """A task's own mixture, and the same with samples from memory."""
    old, new = (
        NativeSet(SetConfig(str(folder / name)), tasks=["drivable_surface"])
        for name in ("old", "new")
    )
    own = Mixture((new,), (1.0,), 0.0, (7, 1))
    places = [(0, index) for index in (0, 2, 3)]
    return own, MemoryMixture(own, (old,), places, from_memory, BATCH)


def test_nothing_from_memory_is_the_tasks_own_order(folder):
    own, both = mixtures(folder, 0)
    assert [both.draw(at) for at in range(99)] == [own.draw(at) for at in range(99)]


def test_the_first_of_each_batch_are_the_memorys(folder):
    own, both = mixtures(folder)
    drawn = [both.draw(at) for at in range(60)]
    places = [at % BATCH < 2 for at in range(60)]
    assert [chosen == 1 for chosen, _, _ in drawn] == places
    fresh = [one for one, remembered in zip(drawn, places, strict=True) if not remembered]
    assert fresh == [own.draw(at) for at in range(30)]


def test_all_that_is_remembered_is_seen_once_before_any_is_seen_twice(folder):
    _, both = mixtures(folder)
    drawn = [both.draw(at) for at in range(60) if at % BATCH < 2]
    orders = [tuple(index for _, index, _ in drawn[at : at + 3]) for at in range(0, 30, 3)]
    assert all(sorted(order) == [0, 2, 3] for order in orders)
    assert len(set(orders)) > 1
    assert len({seed for _, _, seed in drawn}) == len(drawn)  # each time changed otherwise


def test_what_was_seen_is_what_was_drawn(folder):
    own, _ = mixtures(folder)
    last = seen_until(own, 9)
    assert set(last) == {own.draw(at)[:2] for at in range(9)}
    assert Counter(last.values()).most_common(1)[0][1] == 1
    assert all(own.draw(at)[:2] == place for place, at in last.items())
    assert all(
        own.draw(later)[:2] != place for place, at in last.items() for later in range(at + 1, 9)
    )


@pytest.mark.parametrize(
    ("share", "remembered", "own", "expected"),
    [
        (0.5, 10, 100, 8),
        (0.0, 10, 100, 0),
        (0.5, 0, 100, 0),
        (None, 100, 100, 8),
        (None, 300, 100, 12),
        (None, 1, 10_000, 1),
        (None, 10_000, 1, 15),
        (None, 0, 100, 0),
    ],
)
def test_a_share_is_a_number_of_images(share, remembered, own, expected):
    assert share_of(share, 16, remembered, own) == expected


def test_loading_processes_change_nothing(folder):
    """In a process of its own, as training is: see test_training_data."""
    search = os.pathsep.join([str(Path(__file__).parents[1]), os.getcwd()])
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": search},
    )
    assert done.returncode == 0, done.stderr
    assert "5 batches are the same" in done.stdout


def compare_loaders(folder):
    """Load the batches in this process, and by two others."""
    _, both = mixtures(folder)
    stream = TrainStream(both, blocks("drivable_surface"), SIZE, SIZE, BATCH, range(5), None)
    count = 0
    for expected, found in zip(loader(stream, 0), loader(stream, 2), strict=True):
        assert torch.equal(expected.images, found.images)
        pairs = zip(expected.tensors(), found.tensors(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        count += 1
    print(f"{count} batches are the same")


if __name__ == "__main__":
    compare_loaders(Path(sys.argv[1]))
