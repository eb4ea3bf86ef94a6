# SPDX-License-Identifier: Apache-2.0
"""Composites are numbers: each is its parts, and they are spread over an order."""

import numpy as np
import pytest
from cutouts import write_index

from shared_encoder_perception.labels.composites.fold import Composites, shuffled


@pytest.mark.parametrize("mirror", [False, True])
def test_a_number_is_its_parts_and_the_parts_are_a_number(tmp_path, mirror):
    composites = Composites(write_index(tmp_path, mirror=mirror))
    count = len(composites)
    assert count == 4 * 5 * (1 + mirror) * 3
    every = [composites.parts(number) for number in range(count)]
    assert len(set(every)) == count
    assert [composites.number(parts) for parts in every] == list(range(count))
    assert {parts.mirrored for parts in every} == ({False, True} if mirror else {False})
    assert {parts.place for parts in every} == {0, 1, 2}
    for number in (-1, count):
        with pytest.raises(IndexError, match=f"composite {number}, expected 0 to {count - 1}"):
            composites.parts(number)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 65, 1000])
def test_every_number_stands_at_one_position(count):
    for key in (0, 1, 99):
        assert sorted(shuffled(at, count, key) for at in range(count)) == list(range(count))


def test_neighbours_of_the_spread_order_have_nothing_in_common():
    count = 800_000
    found = np.array([shuffled(at, count, 0) for at in range(4000)])
    assert len(set(found.tolist())) == 4000
    shares = np.histogram(found, 10, (0, count))[0] / 4000
    assert shares.min() > 0.08 and shares.max() < 0.12
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.06
    places, sides = found % 20, found // 20 % 2
    assert np.bincount(places).min() > 140 and 0.45 < sides.mean() < 0.55
    assert (found[:100] != [shuffled(at, count, 1) for at in range(100)]).mean() > 0.95
