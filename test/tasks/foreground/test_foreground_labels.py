# SPDX-License-Identifier: Apache-2.0
"""Pairs: what a world knows of them, what files hold, and how both pictures move together."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels.companions import companions_for, companions_of
from shared_encoder_perception.labels.view import view_sample
from shared_encoder_perception.tasks.foreground import labels
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES
from shared_encoder_perception.world.rendered import CLASSES, EMPTY
from shared_encoder_perception.world.synthetic import Drive, render_sample

SIZE = (96, 240)
NAME = "foreground"


def pair(seed=3, traffic=1.0):
    return render_sample(seed, SIZE, tasks=[NAME], traffic_probability=traffic)


def test_a_world_without_traffic_is_an_empty_pair():
    label = pair(traffic=0.0).labels[NAME]
    assert not (label.mask == YES).any()


def test_traffic_is_new_and_its_shadow_is_not():
    """Where the mask says no, the scene differs by shadows, light and mirror images alone."""
    for seed in range(4):
        drive = Drive(seed, SIZE, traffic_probability=1.0)
        full, empty = (
            one.render(0.0, (CLASSES, EMPTY)) for one in (drive, drive.without_traffic())
        )
        mask = labels.of_world(full).mask
        assert (mask == YES).any()
        # Same noise, same camera: the classes differ where the mask says so, and nowhere else.
        assert np.array_equal(full.classes[mask == NO], empty.classes[mask == NO])


def test_the_picture_before_is_another_one_of_the_same_place():
    label = pair(traffic=0.0).labels[NAME]
    image = pair(traffic=0.0).image
    assert not np.array_equal(image, label.background)
    one, other = (
        cv2.GaussianBlur(x, (0, 0), 4).astype(float).ravel() for x in (image, label.background)
    )
    assert np.corrcoef(one, other)[0, 1] > 0.9
    again = pair(traffic=0.0).labels[NAME]
    assert np.array_equal(label.background, again.background), "one seed, one picture"


def test_the_image_is_the_same_whether_or_not_a_pair_is_asked_for():
    drive = Drive(5, SIZE, traffic_probability=1.0)
    assert np.array_equal(drive.render(0.0).image, drive.render(0.0, (EMPTY,)).image)


@pytest.mark.parametrize("crop", [Crop(0, 0, 240, 96), Crop(31, 10, 150, 60)])
def test_the_background_is_seen_as_the_image_is(crop):
    """A pair of twice the same picture stays one, whatever happens to it."""
    sample = pair()
    same = replace(sample.labels[NAME], background=sample.image)
    twin = replace(sample, labels={NAME: same})
    view = view_sample(twin, ImageTransform.fit(SIZE, (64, 160), crop))
    assert np.array_equal(companions_of(view.labels)["background"], view.image)
    mirrored = labels.mirror(same, SIZE[1])
    assert np.array_equal(mirrored.background, sample.image[:, ::-1])


def test_augmentation_moves_both_and_lights_each_alone():
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    from shared_encoder_perception.training.augment import AugmentConfig, augment

    sample = pair()
    twin = replace(sample, labels={NAME: replace(sample.labels[NAME], background=sample.image)})
    still = dict.fromkeys(
        ("light", "hue", "resolution", "blur", "jpeg", "noise"), 0.0
    ) | dict.fromkeys(("shadow", "night", "fog", "rain", "snow"), 0.0)
    fit = ImageTransform.fit(SIZE, SIZE)
    for seed in range(6):
        view = augment(twin, fit, AugmentConfig(**still), seed)
        before = companions_of(view.labels)["background"]
        # Two libraries turn pictures: they agree within a grey level or two, but for the rim.
        apart = np.abs(view.image.astype(int) - before)[4:-4, 4:-4]
        assert np.quantile(apart, 0.99) <= 12
    lit = [
        augment(twin, fit, AugmentConfig(**{**still, "light": 1.0, "geometry": 0.0}), seed)
        for seed in range(4)
    ]
    gaps = [np.abs(v.image.astype(int) - companions_of(v.labels)["background"]).mean() for v in lit]
    assert max(gaps) > 8


def test_without_a_label_the_image_stands_for_its_own_background():
    image = pair().image
    assert companions_for(["background"], image, {})["background"] is image


def written(tmp_path, label):
    record = labels.write(label, tmp_path, Path("a.jpg"))
    return record, labels.read(record, tmp_path, SIZE)


def test_pictures_of_one_fixed_camera_share_their_background(tmp_path):
    label = pair().labels[NAME]
    first = labels.write(label, tmp_path, Path("a.jpg"))
    second = labels.write(label, tmp_path, Path("b.jpg"))
    assert first["background"] == second["background"]
    assert first["foreground"] != second["foreground"]
    one, other = (labels.read(record, tmp_path, SIZE)() for record in (first, second))
    assert one.background is other.background, "and it is read once"


def test_a_background_alone_is_no_label(tmp_path):
    record = {"background": "a.png"}
    assert not list(labels.faults(record, SIZE))
    read = labels.read(record, tmp_path, SIZE)
    assert read.nothing_known
    with pytest.raises(LabelError, match="cannot read the background: it is missing"):
        read()
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((*SIZE, 3), np.uint8))
    assert not labels.known(read()) and labels.known(pair().labels[NAME])
    assert list(labels.write(read(), tmp_path / "out", Path("a.jpg"))) == ["background"]
    assert labels.read({}, tmp_path, SIZE) is None


def test_a_mask_without_its_background_is_a_fault():
    (fault,) = labels.faults({"foreground": "foregrounds/a.png"}, SIZE)
    assert "background is missing, expected the picture that foreground is new against" in fault


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("background", np.zeros((48, 240, 3), np.uint8), "two pictures of one camera"),
        ("foreground", np.full(SIZE, 7, np.uint8), r"foreground has values \[7\], expected only"),
        ("foreground", np.zeros((*SIZE, 3), np.uint8), "foreground is uint8"),
        ("foreground", np.zeros(SIZE, np.uint16), "foreground is uint16"),
    ],
)
def test_files_that_make_no_pair_are_refused(tmp_path, key, content, message):
    record, read = written(tmp_path, pair().labels[NAME])
    cv2.imwrite(str(tmp_path / record[key]), content)
    with pytest.raises(LabelError, match=message):
        read()


def test_a_missing_background_is_named(tmp_path):
    record, read = written(tmp_path, pair().labels[NAME])
    (tmp_path / record["background"]).unlink()
    with pytest.raises(LabelError, match=r"backgrounds/.*cannot read the background"):
        read()


def test_merging_keeps_the_first_and_tells_what_differs():
    label = pair().labels[NAME]
    assert labels.merge(label, label) == (label, ())
    other = replace(label, mask=np.full(SIZE, NOT_KNOWN, np.uint8))
    assert labels.merge(label, other) == labels.merge(other, label) == (label, ())
    none = replace(label, mask=np.zeros(SIZE, np.uint8))
    assert labels.merge(label, none) == (label, (("foreground", None),))
    moved = Label(label.mask, np.roll(label.background, 1, axis=1))
    assert labels.merge(label, moved) == (label, (("background", None),))
