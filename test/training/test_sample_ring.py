# SPDX-License-Identifier: Apache-2.0
"""The ring of samples that a fast device is fed from."""

from itertools import islice

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.replay import Replay

SIZE, DRAWS, CAPACITY = 4, 3, 24


def numbered(batches):
    """Batches of samples 0, 1, 2 …, each part of which holds the sample's number."""
    for first in range(0, batches * SIZE, SIZE):
        number = torch.arange(first, first + SIZE)
        image, maps, known = (number.reshape(SIZE, *[1] * axes) for axes in (3, 4, 1))
        targets = {"one": {"maps": maps, "known": known}, "other": {"known": known.double()}}
        yield Batch(image, targets, (1, 1))


def drawn(batches, seed=0, draws=DRAWS, capacity=CAPACITY):
    ring = Replay(numbered(batches), torch.device("cpu"), draws, capacity, seed)
    return [batch.images.flatten().tolist() for batch in ring]


def test_each_fresh_batch_gives_so_many_once_the_ring_is_filled():
    # The first two batches do not fill it to `draws` batches, so they are passed on once.
    assert len(drawn(20)) == 2 + 18 * DRAWS
    assert drawn(20)[:2] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_only_the_latest_samples_are_drawn():
    batches = drawn(200)
    for fresh in range(2, 200):
        newest = (fresh + 1) * SIZE
        oldest = max(newest - CAPACITY, 0)
        for batch in batches[2 + (fresh - 2) * DRAWS : 2 + (fresh - 1) * DRAWS]:
            assert all(oldest <= number < newest for number in batch)


def test_a_sample_is_drawn_as_often_as_asked_in_the_mean():
    counts = torch.bincount(torch.tensor(drawn(2000)).flatten()).float()
    assert counts[100:7000].mean() == pytest.approx(DRAWS, rel=0.02)


def test_the_parts_of_a_sample_stay_together():
    for batch in Replay(numbered(30), torch.device("cpu"), DRAWS, CAPACITY, 1):
        assert len(list(batch.tensors())) == 4
        for part in batch.tensors():
            assert part.flatten().tolist() == batch.images.flatten().tolist()


def test_one_seed_gives_one_order():
    assert drawn(50) == drawn(50)
    assert drawn(50) != drawn(50, seed=1)


def test_an_endless_stream_is_read_as_it_is_used():
    def endless():
        while True:
            yield from numbered(1)

    ring = Replay(endless(), torch.device("cpu"), DRAWS, CAPACITY, 0)
    assert len(list(islice(ring, 10))) == 10


def test_a_ring_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Replay(numbered(1), torch.device("cpu"), 0, CAPACITY, 0)
    with pytest.raises(ConfigError, match="replay_samples"):
        load_config(None, ["stages=[{replay: 4, batch_size: 16, replay_samples: 63}]"])
