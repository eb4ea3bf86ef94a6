# SPDX-License-Identifier: Apache-2.0
"""Native sets of pairs: rendered, made of composites, checked, merged, counted, looked at."""

import cv2
import numpy as np
import pytest
from cutouts import write_index

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.composites.fold import Composites
from shared_encoder_perception.labels.statistics import _panels, count, plot, table
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.tasks.foreground.statistics import Counts

KEY = "foreground"


def dataset(*words):
    return main(["dataset", *map(str, words)])


def frames(path):
    return list(native.read(path))


def faults_of(path):
    return [fault for _, faults in find_faults(path) for fault in faults]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    root = tmp_path_factory.mktemp("composites")
    return write_index(root, backgrounds=12, things=16, held_out=0.3, empty=0.3)


@pytest.fixture(scope="module")
def pairs(index, tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs") / "set"
    words = ("--composites", index, "--fold", "held_out", "--count", 12, "--out", out)
    assert dataset("render", *words) == 0
    return out


# ---- written ------------------------------------------------------------------------------------


def test_composites_become_a_native_set(index, pairs):
    composites = Composites(index, "held_out")
    found = frames(pairs)
    assert len(found) == 12 and not faults_of(pairs)
    for frame in found[:4]:
        number = int(frame.name.split("/")[-1].removesuffix(".jpg"))
        image, before, mask = composites.pair(number)
        label = frame.labels[KEY]()
        np.testing.assert_array_equal(label.mask, mask)
        np.testing.assert_array_equal(label.background, before)
        assert np.abs(frame.load().image.astype(int) - image).mean() < 6  # a JPEG
        assert frame.source == "composites_held_out"
    assert {frame.name for frame in found} == {
        f"images/composites_held_out/{composites.spread(at):09d}.jpg" for at in range(12)
    }


def test_rendered_traffic_is_a_set_of_pairs(tmp_path, capsys):
    words = ("--count", 3, "--traffic", 1, "--tasks", KEY, "--out", tmp_path / "w")
    assert dataset("render", *words) == 0
    assert not faults_of(tmp_path / "w")
    for frame in frames(tmp_path / "w"):
        assert set(frame.labels) == {KEY}
        label = frame.labels[KEY]()
        assert 0 < (label.mask == 255).mean() < 0.5
        assert not np.array_equal(label.background, frame.load().image)
    assert dataset("render", "--count", 1, "--traffic", 0, "--out", tmp_path / "all") == 0
    (frame,) = frames(tmp_path / "all")
    assert KEY in frame.labels and len(frame.labels) > 3
    assert not frame.labels[KEY]().mask.any()


def test_without_traffic_no_place_is_painted_twice(tmp_path):
    assert dataset("render", "--count", 1, "--out", tmp_path / "w") == 0
    (frame,) = frames(tmp_path / "w")
    assert KEY not in frame.labels and len(frame.labels) > 2
    assert not (tmp_path / "w/backgrounds").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tasks", "foregroud"), "did you mean 'foreground'"),
        (("--fold", "train"), "--fold is for --composites, which is not given"),
        (("--composites", "INDEX", "--seed", 3), "--seed is for worlds"),
        (("--composites", "INDEX", "--traffic", 1), "--traffic is for worlds"),
        (("--composites", "INDEX", "--fold", "test"), "no fold 'test'"),
        (
            ("--composites", "INDEX", "--count", 10**6),
            "--count is 1000000, all folds together have 1152",
        ),
        (("--count", 0), "--count is 0, expected 1 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(index, tmp_path, capsys, words, message):
    words = [index if word == "INDEX" else word for word in words]
    assert dataset("render", "--out", tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_is_one_data_set(index, capsys):
    assert dataset("render", "--composites", index, "--count", 1, "--out", index.parent) == 2
    assert "holds an index of composites" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["validate", "stats", "view"])
def test_an_index_is_no_native_set_and_what_to_do_is_said(index, tmp_path, capsys, action):
    more = ("--out", tmp_path / "x.png") if action == "view" else ()
    for path in (index, index.parent):
        assert dataset(action, path, *more) == 2
        assert "an index of composites, expected a native set: write" in capsys.readouterr().err


# ---- checked ------------------------------------------------------------------------------------


# ---- merged, counted, looked at -----------------------------------------------------------------


def test_merged_sets_keep_their_pairs(pairs, tmp_path):
    assert dataset("render", "--count", 2, "--out", tmp_path / "w") == 0
    assert dataset("merge", pairs, tmp_path / "w", pairs, "--out", tmp_path / "all") == 0
    assert not faults_of(tmp_path / "all")
    found = frames(tmp_path / "all")
    assert len(found) == 14
    same = {frame.name: frame for frame in frames(pairs)}
    for frame in found:
        if frame.name in same:
            first, second = frame.labels[KEY](), same[frame.name].labels[KEY]()
            np.testing.assert_array_equal(first.mask, second.mask)
            np.testing.assert_array_equal(first.background, second.background)


def test_pairs_are_counted_and_the_empty_ones_apart(pairs, capsys):
    empty = sum(not frame.labels[KEY]().mask.any() for frame in frames(pairs))
    assert 0 < empty < 12
    assert dataset("stats", pairs) == 0
    lines = capsys.readouterr().out.splitlines()
    names, row = (next(line for line in lines if line.startswith(k)) for k in ("source ", "compo"))
    found = dict(zip(names.split()[:5], row.split()[:5], strict=True))
    assert (found["pairs"], found["empty"]) == ("12", str(empty))
    statistics = count(frames(pairs), pictures=False)
    assert table(statistics).splitlines()[1].split()[-1] == "-"
    assert plot(count(frames(pairs))).ndim == 3


def test_what_nobody_labelled_is_not_told_of(pairs, capsys):
    statistics = count(frames(pairs))
    assert [panel.title for panel in _panels(statistics)] == ["new share of a picture"]
    names, row, *_ = table(statistics).splitlines()
    assert names.split() == ["source", "frames", "pairs", "empty"]
    assert len(row) == len(names) < 60
    assert plot(statistics).shape[0] == 400, "one row of panels"


def test_shares_are_of_the_labelled_pixels():
    counts, mask = Counts(), np.zeros((10, 10), np.uint8)
    mask[:5] = 127
    mask[5, :1] = 255
    counts.count(mask)
    assert counts.shares[0] == 1 and counts.empty == 0
    mask[5:] = 255
    counts.count(mask)
    assert counts.shares[-1] == 1
    mask[5:] = 0
    counts.count(mask)
    assert counts.empty == 1 and counts.shares.sum() == 2


def test_a_sheet_shows_the_background_below_its_picture(pairs, tmp_path):
    out = tmp_path / "sheet.png"
    assert dataset("view", pairs, "--out", out, "--count", 2) == 0
    sheet = cv2.imread(str(out))
    first = frames(pairs)[0].load()
    below = sheet[288 : 2 * 288, :480]
    expected = cv2.resize(first.labels[KEY].background, (480, 288), interpolation=cv2.INTER_AREA)
    assert np.abs(below.astype(int) - expected).mean() < 8
