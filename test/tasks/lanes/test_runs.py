"""The longest run of true values, against counting by hand."""

from itertools import groupby, product

import numpy as np

from shared_encoder_perception.tasks.lanes.runs import longest_run


def test_every_pattern_of_seven() -> None:
    """The first of the longest runs, as counting finds it; an empty slice without any."""
    for pattern in product((False, True), repeat=7):
        best, at = (0, 0), 0
        for value, group in groupby(pattern):
            length = len(list(group))
            if value and length > best[1] - best[0]:
                best = (at, at + length)
            at += length
        assert longest_run(np.array(pattern)) == slice(*best)


def test_nothing() -> None:
    """No values, no run."""
    assert longest_run(np.zeros(0, np.bool_)) == slice(0, 0)
