# SPDX-License-Identifier: Apache-2.0
"""Pixels as polygons and as run lengths, and back: the same pixels, whatever they are."""

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from shared_encoder_perception.labels.exports.outlines import (
    filled,
    pieces_of,
    rings_of,
    simplified,
)
from shared_encoder_perception.labels.exports.run_lengths import of_runs, runs_of, unpacked


def any_mask(seed):
    """Noise, or blots, of any size and density."""
    chance = np.random.default_rng(seed)
    size = tuple(chance.integers(1, 40, 2))
    noise = chance.random(size)
    if chance.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), chance.uniform(0.5, 4))
    return noise < np.quantile(noise, chance.random())


def whole(piece, size):
    """A piece in its picture."""
    (x, y), (height, width) = piece.corner, piece.mask.shape
    mask = np.zeros(size, bool)
    mask[y : y + height, x : x + width] = piece.mask
    return mask


def check_pieces(seed):
    mask = any_mask(seed)
    assert np.array_equal(filled(rings_of(mask), mask.shape), mask) or not mask.any()
    together = np.zeros(mask.shape, int)
    for piece in pieces_of(mask):
        pixels = whole(piece, mask.shape)
        together += pixels
        if piece.outline is not None:  # as tools write it: two decimals
            assert np.array_equal(filled([piece.outline.round(2)], mask.shape), pixels)
        else:
            assert len(rings_of(piece.mask)) > 1
    assert np.array_equal(together, mask)


def test_the_polygons_of_a_mask_hold_its_pixels_and_no_others():
    fuzz(300, check_pieces, seed=st.integers(0, 1 << 32))


def test_a_pixel_is_inside_where_its_centre_is():
    square = np.array([[2, 1], [5, 1], [5, 3], [2, 3]], float)
    mask = np.zeros((6, 8), bool)
    mask[1:3, 2:5] = True
    for shift in (0, 0.49, -0.49):
        assert np.array_equal(filled([square + shift], mask.shape), mask)
    moved = filled([square + 0.51], mask.shape)
    assert np.array_equal(moved, np.roll(mask, (1, 1), (0, 1)))
    assert np.array_equal(filled([square[::-1]], mask.shape), mask)
    assert not filled([square, square], mask.shape).any()


@pytest.mark.parametrize("slope", [0, 0.1, 1 / 3, 0.61803, 1, 2.2, 7])
def test_a_straight_border_takes_few_corners(slope):
    y, x = np.mgrid[:200, :300]
    mask = y > 30 + slope * (x - 150)
    ring = rings_of(mask)[0]
    assert len(simplified(ring)) <= 24  # of 400 edges and more
    assert np.array_equal(filled([simplified(ring)], mask.shape), mask)


def test_what_touches_at_a_corner_only_is_two_pieces():
    for mask in (np.eye(2, dtype=bool), np.eye(2, dtype=bool)[::-1]):
        assert [piece.outline is not None for piece in pieces_of(mask)] == [True, True]


def test_a_hole_that_touches_the_outside_at_a_corner_is_none():
    mask = np.ones((4, 4), bool)
    mask[1, 1] = False
    (piece,) = pieces_of(mask)
    assert piece.outline is None and np.array_equal(piece.mask, mask)
    mask[0, 0] = False
    (piece,) = pieces_of(mask)
    assert np.array_equal(filled([piece.outline], mask.shape), mask)


def check_runs(seed):
    mask = any_mask(seed)
    for flat in (mask.ravel(), mask.ravel(order="F")):
        assert np.array_equal(of_runs(runs_of(flat), flat.size), flat)


def test_run_lengths_are_the_values_again():
    fuzz(100, check_runs, seed=st.integers(0, 1 << 32))


def test_compressed_run_lengths_are_those_of_coco():
    """Written by pycocotools 2.0.11 for a picture of 7 rows."""
    runs = [3, 2, 9, 7, 8, 5, 2, 5, 2, 5, 2, 5, 2, 5, 77, 1]
    assert unpacked("3295ONJ0000000[2L") == runs
    for text in ("3\x1b", "o", "~" * 12):
        with pytest.raises(ValueError, match="compressed run lengths are"):
            unpacked(text)


@pytest.mark.parametrize("runs", [[1, 2], [5, -1, 2], [1.5, 4.5], [True, 5], ["6"], [0, 7]])
def test_run_lengths_of_another_size_are_refused(runs):
    with pytest.raises(ValueError, match="run lengths"):
        of_runs(runs, 6)
