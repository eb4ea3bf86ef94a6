# SPDX-License-Identifier: Apache-2.0
"""A mask on a coarse grid ends where the image has its edge."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import LETTERBOX, Crop, ImageTransform
from shared_encoder_perception.tasks.masks.joint_upsampling import (
    RADIUS,
    SMOOTH,
    _fitted,
    along_edges,
)

SIZE, STRIDE = (64, 160), 4
TRANSFORM = ImageTransform.fit(SIZE, SIZE)
GRID = (SIZE[0] // STRIDE, SIZE[1] // STRIDE)


def noise(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def stepped(column, size=SIZE):
    """A picture of two colours, and what the network would say of it: the share of each cell."""
    image = np.full((*size, 3), (40, 60, 50), np.uint8)
    image[:, column:] = (120, 90, 200)
    right = np.zeros(size, np.float32)
    right[:, column:] = 255
    cells = right.reshape(size[0] // STRIDE, STRIDE, size[1] // STRIDE, STRIDE).mean(axis=(1, 3))
    return image, cells.round().astype(np.uint8)


@pytest.mark.parametrize("value", [0, 1, 77, 255])
def test_a_mask_that_does_not_change_stays_whatever_the_image(value):
    values = np.full(GRID, value, np.uint8)
    assert (along_edges(values, noise(SIZE), TRANSFORM, STRIDE) == value).all()


@pytest.mark.parametrize("column", [77, 78, 79, 80])
def test_the_edge_is_where_the_image_has_it_to_the_pixel(column):
    image, values = stepped(column)
    # Blurred, as networks are near edges: by itself it does not know better than to a cell.
    blurred = values.copy()
    blurred[:, 1:-1] = values[:, :-2] // 4 + values[:, 1:-1] // 2 + values[:, 2:] // 4
    found = along_edges(blurred, image, TRANSFORM, STRIDE) >= 128
    assert (np.abs(found.argmax(axis=1) - column) <= 1).all()
    sharp = along_edges(blurred, image, TRANSFORM, STRIDE)[:, [column - 1, column]].astype(int)
    plain = TRANSFORM.mask_to_image(blurred, STRIDE)[:, [column - 1, column]].astype(int)
    assert (np.diff(sharp) > 2 * np.diff(plain)).all()


def test_of_a_flat_image_the_mask_is_its_mean_over_the_windows():
    values = noise(GRID)[..., 0]
    flat = np.full((*SIZE, 3), 90, np.uint8)
    found = along_edges(values, flat, TRANSFORM, STRIDE)
    padded = np.pad(values.astype(np.float64), 2 * RADIUS, mode="edge")
    side = 2 * RADIUS + 1
    for _ in range(2):
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
        padded = windows.mean(axis=(2, 3))
    expected = TRANSFORM.mask_to_image(padded.astype(np.float32), STRIDE)
    cells = 2 * RADIUS * STRIDE
    inner = np.s_[cells:-cells, cells:-cells]
    assert np.abs(found[inner] - expected[inner]).max() <= 1


def test_slopes_are_those_of_a_regression_on_colour():
    """He, Sun and Tang, ECCV 2010, equations 15 and 16, of one window."""
    guide = noise(GRID, 1).astype(np.float32)
    values = noise(GRID, 2)[..., 0].astype(np.float32)
    rows, columns = np.mgrid[: GRID[0], : GRID[1]]
    fits = np.zeros((*GRID, 4))
    for row, column in zip(rows.ravel(), columns.ravel(), strict=True):
        window = np.s_[
            np.clip(np.arange(row - RADIUS, row + RADIUS + 1), 0, GRID[0] - 1)[:, None],
            np.clip(np.arange(column - RADIUS, column + RADIUS + 1), 0, GRID[1] - 1),
        ]
        colours = guide[window].reshape(-1, 3).astype(np.float64)
        there = values[window].ravel().astype(np.float64)
        apart = colours - colours.mean(axis=0)
        spread = apart.T @ apart / len(apart) + SMOOTH * np.eye(3)
        slope = np.linalg.solve(spread, apart.T @ (there - there.mean()) / len(apart))
        fits[row, column] = (*slope, there.mean() - slope @ colours.mean(axis=0))
    found = np.dstack(_fitted(cv2.split(guide), values))
    middle = np.s_[2 * RADIUS : -2 * RADIUS, 2 * RADIUS : -2 * RADIUS]
    side = 2 * RADIUS + 1
    means = np.lib.stride_tricks.sliding_window_view(fits, (side, side), axis=(0, 1)).mean((3, 4))
    assert np.allclose(found[middle], means[RADIUS:-RADIUS, RADIUS:-RADIUS], rtol=1e-3, atol=1e-2)


def test_mirrored_it_is_mirrored():
    image, values = noise(SIZE, 3), noise(GRID, 4)[..., 0]
    found = along_edges(values, image, TRANSFORM, STRIDE).astype(int)
    other = along_edges(
        np.ascontiguousarray(values[:, ::-1]),
        np.ascontiguousarray(image[:, ::-1]),
        TRANSFORM,
        STRIDE,
    )
    assert np.abs(found[:, ::-1] - other).max() <= 1


def test_grey_images_have_an_answer():
    """Three channels that are one: their spread is a matrix that can hardly be inverted."""
    image = np.repeat(noise(SIZE, 5)[..., :1], 3, axis=2)
    values = noise(GRID, 6)[..., 0]
    found = along_edges(values, image, TRANSFORM, STRIDE)
    assert found.dtype == np.uint8
    assert 0 < found.std() < 128


@pytest.mark.parametrize("resize", ["stretch", LETTERBOX])
def test_outside_of_the_crop_nothing_is_said(resize):
    crop = Crop(10, 20, 120, 40)
    transform = ImageTransform.fit((100, 200), SIZE, crop, resize)
    found = along_edges(np.full(GRID, 255, np.uint8), noise((100, 200)), transform, STRIDE)
    inside = np.zeros((100, 200), bool)
    inside[20:60, 10:130] = True
    assert (found[inside] == 255).all()
    assert (found[~inside] == 0).all()


def test_the_image_may_be_larger_than_what_the_network_saw():
    image, values = stepped(79)
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    transform = ImageTransform.fit((192, 480), SIZE)
    found = along_edges(values, large, transform, STRIDE) >= 128
    assert np.abs(found.argmax(axis=1) - 3 * 79).max() <= 2
