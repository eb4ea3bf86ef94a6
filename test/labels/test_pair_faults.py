# SPDX-License-Identifier: Apache-2.0
"""Sets of pairs: what is wrong with a pair, and a background alone."""

import json

import cv2
import numpy as np
import pytest
from cutouts import PLACE, background
from test_pair_sets import KEY, dataset, faults_of, frames

from shared_encoder_perception.evaluation.labelled_images import open_set
from shared_encoder_perception.tasks.foreground.labels import Label, complete, merge


@pytest.fixture
def one(tmp_path):
    """A set of one pair, and its line."""
    for folder in ("images", "foregrounds", "backgrounds"):
        (tmp_path / folder).mkdir()
    mask = np.zeros(PLACE, np.uint8)
    mask[20:40, 30:60] = 255
    mask[40:44] = 127
    cv2.imwrite(str(tmp_path / "images/a.png"), background(0))
    cv2.imwrite(str(tmp_path / "backgrounds/a.png"), background(1))
    cv2.imwrite(str(tmp_path / "foregrounds/a.png"), mask)
    line = {
        "image": "images/a.png",
        "size": list(PLACE),
        "foreground": "foregrounds/a.png",
        "background": "backgrounds/a.png",
    }
    write(tmp_path, line)
    return tmp_path, line


def write(folder, line):
    (folder / "frames.jsonl").write_text(json.dumps(line) + "\n")


def test_a_pair_without_faults_has_none(one):
    assert faults_of(one[0]) == []


def without_background(folder, line):
    del line["background"]
    write(folder, line)


def missing_background(folder, line):
    (folder / "backgrounds/a.png").unlink()


def missing_mask(folder, line):
    (folder / "foregrounds/a.png").unlink()


def other_size(folder, line):
    cv2.imwrite(str(folder / "backgrounds/a.png"), background(1, (64, 160)))


def mask_of_other_size(folder, line):
    cv2.imwrite(str(folder / "foregrounds/a.png"), np.zeros((96, 100), np.uint8))


def three_channels(folder, line):
    cv2.imwrite(str(folder / "foregrounds/a.png"), np.zeros((*PLACE, 3), np.uint8))


def zero_and_one(folder, line):
    mask = np.zeros(PLACE, np.uint8)
    mask[4:9] = 1
    cv2.imwrite(str(folder / "foregrounds/a.png"), mask)


def cut_off(folder, line):
    path = folder / "backgrounds/a.png"
    path.write_bytes(path.read_bytes()[:-40])


def elsewhere(folder, line):
    line["background"] = "../a.png"
    write(folder, line)


FAULTS = [
    (without_background, "background is missing, expected the picture that foreground is new"),
    (missing_background, "cannot read the background: it is missing"),
    (missing_mask, "cannot read the foreground: it is missing"),
    (other_size, "background is uint8 (64, 160, 3), expected uint8 (96, 160, 3): two pictures of"),
    (mask_of_other_size, "the foreground is uint8 (96, 100), expected uint8 (96, 160)"),
    (three_channels, "the foreground is uint8 (96, 160, 3), expected uint8 (96, 160)"),
    (zero_and_one, "the foreground has values [1], expected only (0, 127, 255)"),
    (cut_off, "cannot read the background: it is truncated"),
    (elsewhere, "background is '../a.png', which leaves the folder it is relative to"),
]


@pytest.mark.parametrize(
    ("damage", "message"), FAULTS, ids=lambda one: getattr(one, "__name__", "")
)
def test_what_is_wrong_with_a_pair_is_said_with_its_line(one, capsys, damage, message):
    damage(*one)
    assert dataset("validate", one[0]) == 1
    said = capsys.readouterr()
    (line,) = [text for text in (said.out + said.err).splitlines() if "line 1:" in text]
    assert message in line
    assert "1 frames, 1 faulty" in said.out


@pytest.fixture
def alone(one):
    """A set of one picture that names a background, and no mask."""
    folder, line = one
    del line["foreground"]
    write(folder, line)
    return folder, line


def test_a_background_alone_labels_nothing(alone):
    folder, line = alone
    assert faults_of(folder) == []
    (frame,) = frames(folder)
    assert not frame.known() and not frame.load().labels
    label = frame.labels[KEY]()
    assert (label.mask == 127).all() and not label.weight().any()
    np.testing.assert_array_equal(label.background, background(1))
    assert complete(line) is False
    with pytest.raises(ValueError, match="has 1 frames and no label to score against"):
        open_set(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing_background, "cannot read the background: it is missing"),
        (other_size, "background is uint8 (64, 160, 3), expected uint8 (96, 160, 3): two pictures"),
        (cut_off, "cannot read the background: it is truncated"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_background_alone_is_looked_at(alone, damage, message):
    damage(*alone)
    (fault,) = faults_of(alone[0])
    assert message in fault


@pytest.mark.parametrize("words", [("merge",), ("convert", "native")])
def test_a_background_alone_is_kept(alone, tmp_path, words):
    out = tmp_path / "out"
    assert dataset(*words, alone[0], "--out", out) == 0
    line = json.loads((out / "frames.jsonl").read_text())
    assert KEY not in line and not faults_of(out)
    np.testing.assert_array_equal(cv2.imread(str(out / line["background"])), background(1))
    assert not (out / "foregrounds").exists()


def test_a_mask_joins_the_same_background_and_none_takes_it_away():
    empty, new, other = (np.full(PLACE, value, np.uint8) for value in (127, 255, 0))
    alone, full, against = (Label(mask, background(1)) for mask in (empty, new, other))
    assert merge(alone, full) == (full, ())
    assert merge(full, alone) == (full, ())
    assert merge(alone, Label(empty, background(1))) == (alone, ())
    assert merge(full, against) == (full, (("foreground", None),))
    assert merge(alone, Label(new, background(2))) == (alone, (("background", None),))


def test_a_background_alone_is_no_pair_in_statistics(alone, capsys):
    assert dataset("stats", alone[0]) == 0
    said = capsys.readouterr().out.splitlines()
    names, row = (next(x for x in said if x.startswith(k)) for k in ("source ", "images "))
    found = dict(zip(names.split(), row.split(), strict=False))
    assert (found["pairs"], found["empty"]) == ("0", "0")
