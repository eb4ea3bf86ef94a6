# SPDX-License-Identifier: Apache-2.0
"""dataset split: what is tested on lies apart from what is trained on, and nothing is lost."""

import json
import re
from itertools import pairwise

import cv2
import numpy as np
import pytest
from labelled_set import write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.split import LEFT_OUT, TEST, TRAIN, Stretches

NAMES = [f"{drive}/{drive}_{number * 30}" for drive in ("a", "b") for number in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two drives of 40 pictures; in the file they are mixed, and 100 comes before 20."""
    folder = tmp_path_factory.mktemp("set")
    lines = []
    for name in sorted(NAMES, key=lambda name: name[2:]):
        path = folder / "images/road" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((4, 6, 3), NAMES.index(name), np.uint8))
        image = path.relative_to(folder).as_posix()
        lines.append(json.dumps({"image": image, "size": [4, 6], "source": "road"}))
    (folder / "frames.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def split(folder, out, *words):
    return main(["dataset", "split", str(folder), "--out", str(out), *words])


def names(folder, side):
    lines = (folder / side / "frames.jsonl").read_text().splitlines()
    return [
        json.loads(line)["image"].removeprefix("images/road/").removesuffix(".png")
        for line in lines
    ]


def numbers(found, drive):
    """Where the frames of a drive are in it, in its order."""
    return sorted(NAMES.index(name) % 40 for name in found if name.startswith(drive))


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("gap", [0, 1, 5])
@pytest.mark.parametrize("count", [60, 71, 400])
def test_each_frame_of_a_drive_goes_to_one_place_and_blocks_lie_apart(count, gap, blocks):
    where = Stretches(0.2, gap, blocks).of_drive(count)
    assert len(where) == count
    assert where.count(TEST) == pytest.approx(0.2 * count, abs=blocks)
    tested = [at for at in range(count) if where[at] == TEST]
    assert sum(b - a > 1 for a, b in pairwise(tested)) == blocks - 1
    apart = min(abs(a - b) for a in tested for b in range(count) if where[b] == TRAIN)
    assert apart == gap + 1
    assert where.count(LEFT_OUT) == gap * (2 * blocks - 1)


def test_a_gap_never_eats_a_block():
    """However short the stretches between them are; then there is nothing left to train on."""
    where = Stretches(0.5, 20, 4).of_drive(40)
    assert where.count(TEST) == 20
    assert TRAIN not in where


def test_whole_drives_are_spread_and_make_up_the_share():
    counts = np.random.default_rng(0).integers(1, 9, 200).tolist()
    where = Stretches(0.2, whole=True).of_drives(counts)
    held = [count for count, kind in zip(counts, where, strict=True) if kind == TEST]
    assert sum(held) == pytest.approx(0.2 * sum(counts), abs=9)
    tested = [at for at, kind in enumerate(where) if kind == TEST]
    assert max(np.diff(tested)) < 30


def test_frames_are_held_out_in_the_order_of_the_drive(folder, tmp_path, capsys):
    assert split(folder, tmp_path, "--hold-out", "0.25", "--gap", "3") == 0
    for drive in "ab":
        assert numbers(names(tmp_path, TEST), drive) == list(range(30, 40))
        assert numbers(names(tmp_path, TRAIN), drive) == list(range(27))
    said = capsys.readouterr().out
    assert "a: 27 train, 10 test, 3 left out" in said
    assert "2 drives: 54 train, 20 test, 6 left out" in said


def test_pictures_are_copied_byte_by_byte(folder, tmp_path):
    split(folder, tmp_path)
    for side in (TRAIN, TEST):
        for name in names(tmp_path, side):
            path = f"images/road/{name}.png"
            assert (tmp_path / side / path).read_bytes() == (folder / path).read_bytes()


def test_only_the_drives_that_were_asked_for(folder, tmp_path):
    split(folder, tmp_path, "--drives", "b")
    assert {name[0] for side in (TRAIN, TEST) for name in names(tmp_path, side)} == {"b"}


def test_a_pattern_names_the_drives(folder, tmp_path):
    words = ("--drive-of", r"[ab]_(\d)", "--whole-drives", "--hold-out", "0.3")
    assert split(folder, tmp_path, *words) == 0
    drives = [{name[4] for name in names(tmp_path, side)} for side in (TRAIN, TEST)]
    assert not drives[0] & drives[1]
    assert len(names(tmp_path, TRAIN)) + len(names(tmp_path, TEST)) == len(NAMES)


def test_labels_go_along(tmp_path):
    write_set(tmp_path / "set", 20)
    split(tmp_path / "set", tmp_path / "out", "--gap", "1")
    lines = (tmp_path / "out/test/frames.jsonl").read_text().splitlines()
    assert len(lines) == 4
    for line in map(json.loads, lines):
        path = line["mask"]
        masks = [cv2.imread(str(tmp_path / one / path), -1) for one in ("set", "out/test")]
        assert np.array_equal(*masks)
        assert line["lanes"]["ego"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--hold-out", "1"), "--hold-out is 1, expected more than 0 and less than 1"),
        (("--gap", "-1"), "--gap is -1"),
        (("--blocks", "0"), "--blocks 0"),
        (("--gap", "50"), "the drive 'a' of 40 frames: nothing would be left for train"),
        (("--hold-out", "0.01"), "the drive 'a' of 40 frames: nothing would be left for test"),
        (("--drives", "c"), "has no drive 'c'"),
        (("--drive-of", "["), r"--drive-of is '\['"),
        (("--drive-of", "a_"), "expected a regular expression with a group"),
        (("--drive-of", "(x)"), r"'\(x\)' names no drive in"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(folder, tmp_path, words, message, capsys):
    assert split(folder, tmp_path / "out", *words) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_a_set_that_is_there_is_not_overwritten(folder, tmp_path, capsys):
    assert split(folder, tmp_path) == 0
    was = (tmp_path / TRAIN / "frames.jsonl").read_bytes()
    assert split(folder, tmp_path, "--drives", "a") == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / TRAIN / "frames.jsonl").read_bytes() == was
