"""Labels of the drivable surface: what is outside is ignored, and weighs nothing."""

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import LETTERBOX, Crop, ImageTransform
from shared_encoder_perception.tasks.drivable import labels
from shared_encoder_perception.tasks.drivable.labels import Label

SIZE = (40, 60)


@pytest.fixture
def label():
    mask = np.zeros(SIZE, np.uint8)
    mask[20:, 10:40] = 255
    mask[:5] = 127
    return Label(mask, np.full(SIZE, 200, np.uint8))


def test_ignored_pixels_weigh_nothing(label):
    weight = label.weight()
    assert set(np.unique(weight[label.mask == 127])) == {0}
    assert set(np.unique(weight[label.mask != 127])) == {200}
    assert set(np.unique(Label(label.mask).weight())) == {0, 255}


def test_bars_of_a_letterbox_are_ignored(label):
    transform = ImageTransform.fit(SIZE, (32, 96), Crop(0, 0, 60, 40), LETTERBOX)
    seen = labels.view(label, transform)
    content = transform.content
    outside = np.ones((32, 96), bool)
    outside[content.window] = False
    assert outside.any() and (seen.mask[outside] == 127).all()
    assert (seen.confidence[outside] == 0).all()
    assert set(np.unique(seen.mask[~outside])) == {0, 127, 255}
    assert (seen.confidence[~outside] == 200).all()


def test_what_lies_outside_of_a_crop_is_ignored(label):
    crop = Crop(5, 10, 20, 25)
    seen = labels.inside(label, crop)
    assert np.array_equal(seen.mask[crop.window], label.mask[crop.window])
    rest = seen.mask.copy()
    rest[crop.window] = 127
    assert (rest == 127).all()
    assert seen.confidence.astype(int).sum() == 200 * 20 * 25


def test_what_comes_in_from_outside_is_ignored(label):
    moved = labels.warp(label, np.array([[1.0, 0, 7], [0, 1, 0]]), SIZE)
    assert (moved.mask[:, :7] == 127).all() and (moved.confidence[:, :7] == 0).all()
    assert np.array_equal(moved.mask[:, 7:], label.mask[:, :-7])


def test_the_mirror_twice_is_the_identity(label):
    twice = labels.mirror(labels.mirror(label, SIZE[1]), SIZE[1])
    assert np.array_equal(twice.mask, label.mask)
    assert (labels.mirror(label, SIZE[1]).mask[30, 20:50] == 255).all()


def test_of_two_masks_the_first_is_kept(label):
    same, none = labels.merge(label, Label(label.mask.copy()))
    assert same is label and not none
    kept, conflicts = labels.merge(label, Label(np.zeros(SIZE, np.uint8)))
    assert kept is label and list(conflicts) == [("mask", None)]
