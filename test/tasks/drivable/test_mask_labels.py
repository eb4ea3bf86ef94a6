# SPDX-License-Identifier: Apache-2.0
"""Labels of the drivable surface: what is outside is ignored, and weighs nothing."""

from pathlib import Path

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import LETTERBOX, Crop, ImageTransform
from shared_encoder_perception.tasks.drivable import labels
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.label_files import LabelError

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


ROAD = np.array([[0.0, -0.05, 20.0], [-0.05, 0.0, 2.0], [0.0, 0.01, 0.2]])
"""Of a camera that sees the road before it in 40 x 80 pixels."""


def with_homography(matrix=ROAD):
    return Label(np.full((40, 80), 255, np.uint8), homography=matrix)


def test_where_the_road_lies_is_written_once_and_read(tmp_path):
    with_homography().check((40, 80))
    records = [labels.write(with_homography(), tmp_path, Path(f"road/{name}.jpg")) for name in "ab"]
    assert records[0]["homography"] == records[1]["homography"]
    assert len(list((tmp_path / "homographies").iterdir())) == 1
    assert not list(labels.faults(records[0], (40, 80)))
    read = labels.read(records[0], tmp_path, (40, 80))()
    np.testing.assert_array_equal(read.homography, ROAD)
    assert "homography" not in labels.write(
        Label(np.zeros((40, 80), np.uint8)), tmp_path, Path("road/c.jpg")
    )


def test_only_a_picture_that_is_not_moved_keeps_where_the_road_lies():
    label, crop = with_homography(), Crop(4, 4, 40, 20)
    np.testing.assert_array_equal(labels.inside(label, crop).homography, ROAD)
    transform = ImageTransform.fit((40, 80), (20, 40), crop)
    assert labels.view(label, transform).homography is None
    assert labels.mirror(label, 80).homography is None


def test_a_homography_that_only_the_second_set_has_is_added():
    first, second = Label(with_homography().mask), with_homography()
    merged, lost = labels.merge(first, second)
    assert merged.homography is second.homography and not lost
    assert labels.merge(second, first) == (second, ())
    assert labels.merge(second, with_homography(2 * ROAD))[1] == (
        ("homography", (2 * ROAD).tolist()),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"homographies/a\.json: no homography of the road: FileNotFoundError"),
        ("{}", r"no homography of the road: has the keys \[\], expected homography"),
        ("[[1, 2], [3, 4]]", r"expected 3x3 numbers, got shape \(2, 2\)"),
        ("[[1, 0, 1000], [0, 1, 1000], [0, 0, 1]]", "shows nothing of the road"),
        (
            '{"homography": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "image_size": [720, 1280]}',
            r"it is for pictures of \[720, 1280\], this one is \[40, 80\]",
        ),
    ],
)
def test_a_broken_homography_is_named(tmp_path, content, message):
    record = labels.write(Label(np.zeros((40, 80), np.uint8)), tmp_path, Path("a.jpg"))
    if content is not None:
        (tmp_path / "homographies").mkdir()
        (tmp_path / "homographies" / "a.json").write_text(content)
    read = labels.read({**record, "homography": "homographies/a.json"}, tmp_path, (40, 80))
    with pytest.raises(LabelError, match=message):
        read()
