# SPDX-License-Identifier: Apache-2.0
"""Masks by others: what cannot be probabilities is refused, and what was found is said."""

import re

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import mask_of, write_set

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.probability_planes import (
    described,
    histogram,
    why_no_probabilities,
)

SIZE = (180, 320)
RNG = np.random.default_rng(5)


def patches(*ids, size=SIZE):
    """A map of class ids: upright stripes, and a patch of the last one."""
    columns = np.array(ids)[np.arange(size[1]) * len(ids) // size[1]]
    plane = np.broadcast_to(columns, size).astype(np.uint8)
    plane[size[0] // 2 :, : size[1] // 3] = ids[-1]
    return plane


def road(size=SIZE):
    """A hard mask of a road."""
    plane = np.zeros(size, np.uint8)
    points = np.array([[0, 1], [0.45, 0.3], [0.55, 0.3], [1, 1]]) * (size[1] - 1, size[0] - 1)
    cv2.fillPoly(plane, [points.round().astype(np.int32)], 255)
    return plane


def soft(size=SIZE, sigma=6.0, noise=0.0):
    """A probability map of a road, as a network paints it."""
    plane = cv2.GaussianBlur(road(size).astype(np.float64), (0, 0), sigma)
    return np.clip(plane + RNG.normal(0, noise, size) if noise else plane, 0, 255).astype(np.uint8)


IDS = {
    "0 1": patches(0, 1),
    "1 only": patches(1, 1),
    "0 1 2": patches(0, 1, 2),
    "1 2": patches(1, 2),
    "train ids": patches(0, 1, 2, 5, 8, 10, 13, 255),
    "label ids": patches(3, 4, 7, 8, 11, 17, 21, 22, 23, 24, 26, 33),
    "ids and ignore": patches(0, 1, 255),
    "ids and unsure": patches(0, 1, 2, 3, 127),
    "many ids": patches(0, 3, 7, 12, 43, 66, 87, 93, 120, 149, 255),
    "another scale": patches(0, 100),
    "one id": patches(0, 20),
    "percent": (soft() / 255.0 * 100).round().astype(np.uint8),
}
PROBABILITIES = {
    "binary": road(),
    "nothing": np.zeros(SIZE, np.uint8),
    "everything": np.full(SIZE, 255, np.uint8),
    "soft": soft(),
    "small and soft": soft((40, 60), 1.0),
    "noisy": soft(noise=2.0),
    "cut out": np.where(road() > 0, 242, 0).astype(np.uint8),
    "three levels": patches(0, 128, 255),
    "our own labels": patches(0, 127),
    "some noise at 1": (RNG.random(SIZE) < 0.005).astype(np.uint8),
    "faded": (soft() * 0.9).astype(np.uint8),
    "through JPEG": cv2.imdecode(
        cv2.imencode(".jpg", road(), (cv2.IMWRITE_JPEG_QUALITY, 80))[1], cv2.IMREAD_GRAYSCALE
    ),
}


@pytest.mark.parametrize("name", IDS)
def test_class_ids_and_other_scales_are_refused(name):
    plane = IDS[name]
    why = why_no_probabilities(plane, histogram(plane))
    assert "expected" in why.lower() and str(plane.max()) in why


@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_are_taken(name):
    plane = PROBABILITIES[name]
    assert why_no_probabilities(plane, histogram(plane)) == ""


def label_with(folder, planes, capsys, *options):
    """Label pictures by masks with the command; return its status, what it printed, the set."""
    pictures = write_set(folder / "set", len(planes), lanes=None, mask=None)
    masks, out = folder / "masks", folder / "out"
    masks.mkdir()
    for index, plane in enumerate(planes):
        cv2.imwrite(str(masks / f"{index:03d}.png"), plane)
    command = ["dataset", "label", str(pictures), "--drivable", str(masks), "--out", str(out)]
    command += options
    status = main(command)
    printed = capsys.readouterr()
    return status, printed.out + printed.err, out


@pytest.mark.parametrize("name", IDS)
def test_the_command_labels_nothing_by_class_ids(tmp_path, capsys, name):
    status, printed, out = label_with(tmp_path, [IDS[name]], capsys)
    assert status == 2 and "no image has a usable mask" in printed
    assert "values" in printed and not (out / "frames.jsonl").exists()


def test_one_mask_of_ids_is_left_out_and_listed(tmp_path, capsys):
    status, printed, out = label_with(tmp_path, [road(), IDS["0 1 2"]], capsys)
    assert status == 1 and "1 frames left out" in printed
    assert "has the values 0, 1, 2: class ids?" in (out / "label_faults.txt").read_text()
    (frame,) = native.read(out)
    assert frame.name.endswith("000.png")


def test_a_picture_without_a_road_is_labelled_where_the_others_are_probabilities(tmp_path, capsys):
    dark = cv2.GaussianBlur(RNG.random(SIZE), (0, 0), 9) * 4 + 1
    dark = dark.astype(np.uint8)  # 2 and 3: as ids would be, were it alone
    status, _, out = label_with(tmp_path, [soft(), soft(sigma=20), dark], capsys)
    assert status == 0
    assert (mask_of(list(native.read(out))[2]) == 0).all()
    status, printed, _ = label_with(tmp_path / "alone", [dark], capsys)
    assert status == 2 and "class ids?" in printed


def test_the_command_says_what_values_it_found(tmp_path, capsys):
    status, printed, _ = label_with(tmp_path, [road(), road()], capsys)
    assert status == 0
    assert f"masks of {tmp_path / 'masks'}: {described(histogram(road()))}" in printed
    assert "values 0, 255; 6" in printed and "at 255, 0% between" in printed


def test_class_maps_label_where_their_ids_are_named(tmp_path, capsys):
    ids = patches(0, 1, 2, 3, 127)
    options = ("--drivable-ids", "1", "3", "--unknown-ids", "127", "--border", "0")
    status, printed, out = label_with(tmp_path, [ids], capsys, *options)
    assert status == 0 and "ids 0 (10%), 1 (13%), 2 (20%), 3 (20%), 127 (37%)" in printed
    (frame,) = native.read(out)
    expected = np.select([np.isin(ids, (1, 3)), ids == 127], [255, 127], 0)
    np.testing.assert_array_equal(mask_of(frame), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drivable-ids", "256"], r"class ids are \[256\], expected some of 0 to 255"),
        (["--drivable-ids", "1", "--unknown-ids", "1"], "class id 1 cannot be meant and unknown"),
        (["--unknown-ids", "127"], "say which ids are meant, too"),
        (["--markings-ids", "3"], "--markings-ids are for --markings, which is not given"),
    ],
)
def test_ids_that_cannot_be_are_refused(tmp_path, capsys, options, message):
    status, printed, out = label_with(tmp_path, [patches(0, 1, 2)], capsys, *options)
    assert status == 2 and re.search(message, printed)
    assert not (out / "frames.jsonl").exists()


@pytest.mark.parametrize("most", [1, 7])
def test_a_confidence_on_another_scale_is_refused(tmp_path, most):
    key = "confidence/road/000.png"
    folder = write_set(tmp_path, 1, mask_confidence=key)
    (folder / key).parent.mkdir(parents=True)
    cv2.imwrite(str(folder / key), np.where(road() > 0, most, 0))
    (frame,) = native.read(folder)
    with pytest.raises(LabelError, match=f"mask_confidence has values up to {most} only"):
        frame.load()
    assert main(["dataset", "validate", str(folder)]) == 1
