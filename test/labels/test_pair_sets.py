"""Native sets of pairs: rendered, made of composites, checked, merged, counted, looked at."""

import json

import cv2
import numpy as np
import pytest
from cutouts import PLACE, background, write_index

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.evaluation.labelled_images import open_set
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.composites.fold import Composites
from shared_encoder_perception.labels.statistics import _panels, count, plot, table
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.tasks.foreground.labels import Label, complete, merge
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
