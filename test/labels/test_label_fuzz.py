# SPDX-License-Identifier: Apache-2.0
"""Label files of every format, damaged at random: an answer or one line, and no invented "no".

What is written is a valid set, and nothing is written beside it.
"""

import json
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from fuzzing import fuzz
from hypothesis import strategies as st
from labelled_set import lanes_of, mask_of
from valid_sets import BDD_LIST, NATIVE, PICTURE, ROAD, SIZE, encoded
from valid_sets import SETS as OTHERS

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import formats, native
from shared_encoder_perception.labels.mask_files import MaskValues
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.tasks.label_files import LabelError

SETS = {
    **OTHERS,
    "masks": ("masks", {"images/a.png": PICTURE}, {"masks/a.png": encoded(ROAD * 255)}),
}
ODD = (
    *(None, True, False, 0, -1, 1.5, 1e9, -1e300, 1e308, 10**400, float("nan"), float("inf")),
    *("", "x", "../x", "/etc/passwd", "a/../../x", "\x1b[31m\n", "\u202e", "1e999", "a" * 300),
    *([], {}, [[]], [1], {"x": 1}, [[1, 2]], [None], "\ud800"),
)
WORDS = ("unknown", "area/unknown", "lane/x", "vertical", "xyz", "", "drivable zone", "\x1b", "0")


def as_bytes(content):
    if isinstance(content, (dict, list)):
        return json.dumps(content).encode()
    return content.encode() if isinstance(content, str) else content


def damaged_bytes(content, chance):
    """Change, drop, double or cut off some bytes."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 1, 2, 8, 64))
        how = chance.randrange(4)
        if how == 0:
            data[at : at + length] = bytes(chance.randrange(256) for _ in range(length))
        elif how == 1:
            del data[at : at + length]
        elif how == 2:
            data[at:at] = data[at : at + length]
        else:
            data[at : at + 1] = chance.choice((b"-", b"9", b" ", b"\n", b'"', b"e99", b"nan", b"."))
    return bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.1 else data)


def spots(tree, path=()):
    """Yield the way to every value of JSON."""
    yield path
    for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(child, (dict, list)):
            yield from spots(child, (*path, key))
        else:
            yield (*path, key)


def replaced(tree, path, value):
    """Return JSON with one value replaced."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


def damaged_tree(tree, chance):
    """Replace some values of JSON by odd ones."""
    for _ in range(chance.randint(1, 2)):
        if not isinstance(tree, (dict, list)):
            break
        tree = replaced(tree, chance.choice(list(spots(tree))), chance.choice(ODD))
    return tree


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content))


def contents(folder):
    """Everything below a folder but for the set that is written."""
    return {
        path: path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and "out" not in path.relative_to(folder).parts[:1]
    }


def convert(folder, name):
    """Read a set and write it; return why it is refused, if it is."""
    try:
        with native.Writer(folder / "out") as writer:
            for frame in formats.read(name, folder / "source"):
                if isinstance(frame, LabelError):
                    assert "\n" not in str(frame)
                    continue
                try:
                    writer.write(frame)
                except (OSError, ValueError):
                    continue
    except (LabelError, FileNotFoundError) as error:
        return str(error)
    faults = [found for _, found in find_faults(folder / "out") if found]
    if name != "tusimple":  # whose pictures here are smaller than its labels say
        assert faults == []
    return ""


def check(name, seed):
    chance = random.Random(seed)
    layout, pictures, labels = SETS[name]
    labels = dict(labels)
    victim = chance.choice(sorted(labels))
    is_tree = isinstance(labels[victim], (dict, list)) and chance.random() < 0.7
    damage = damaged_tree if is_tree else damaged_bytes
    content = labels[victim] if is_tree else as_bytes(labels[victim])
    damaged = damage(content, chance)
    labels[victim] = damaged if isinstance(damaged, bytes) else json.dumps(damaged).encode()
    with TemporaryDirectory() as folder:
        folder = Path(folder)
        write(folder / "source", {**pictures, **labels})
        before = contents(folder)
        assert "\n" not in convert(folder, layout)
        assert contents(folder) == before


def test_damaged_labels_end_in_an_answer_or_one_line():
    fuzz(150, check, name=st.sampled_from(sorted(SETS)), seed=st.integers(0, 1 << 32))


def check_words(name, seed, word):
    """Replace a word of a label by another one that nobody knows."""
    chance = random.Random(seed)
    layout, pictures, labels = SETS[name]
    ((file, tree),) = labels.items()
    places = [
        path
        for path in spots(tree)
        if path and path[-1] in ("category", "areaType", "laneTypes", "laneDirection", "direction")
    ]
    with TemporaryDirectory() as folder:
        folder = Path(folder)
        write(folder / "source", {**pictures, file: tree})
        (true,) = formats.read(layout, folder / "source")
        write(folder / "source", {file: replaced(tree, chance.choice(places), word)})
        try:
            (found,) = formats.read(layout, folder / "source")
        except LabelError:
            return
        mask = mask_of(found)
        assert mask is None or not (mask[mask_of(true) == 255] == 0).any()
        for lane, points in lanes_of(true).items():
            if points is not None and "vertical" not in word:
                assert lanes_of(found).get(lane, points) is not None


def test_words_that_nobody_knows_are_no_negatives():
    words = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
    names = st.sampled_from(("bdd file", "bdd list"))
    fuzz(80, check_words, name=names, seed=st.integers(0, 1 << 16), word=words)


def check_pixels(name, seed):
    """Change pixels of a map to values at random."""
    chance = np.random.default_rng(seed)
    layout, pictures, labels = SETS[name]
    ((file, content),) = labels.items()
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    where = chance.random(SIZE) < chance.choice((0.001, 0.05, 0.5))
    changed = pixels.copy()
    changed[where] = chance.integers(0, 256, changed[where].shape)
    with TemporaryDirectory() as folder:
        write(Path(folder), {**pictures, file: encoded(changed)})
        (found,) = formats.read(layout, Path(folder))
        try:
            mask = mask_of(found)
        except LabelError:
            return
        different = (changed != pixels).reshape(*SIZE, -1).any(axis=2)
        assert np.array_equal(mask[~different], np.where(ROAD > 0, 255, 0)[~different])
        if name == "kitti":
            red = (changed == (0, 0, 255)).all(axis=2)
            assert not (mask[different & ~red] == 0).any()


def test_map_values_that_nobody_knows_are_no_negatives():
    names = st.sampled_from(("camvid", "kitti", "masks"))
    fuzz(40, check_pixels, name=names, seed=st.integers(0, 1 << 32))


@pytest.mark.parametrize("number", [10**400, "1e999", float("nan")])
def test_a_number_that_is_none_is_a_fault_of_its_line(tmp_path, number):
    record = {**NATIVE, "lanes": {"ego": [[64, number], [64, 30]]}}
    write(tmp_path, {"frames.jsonl": json.dumps(record) + "\n"})
    with pytest.raises(LabelError, match=r"frames\.jsonl, line 1: lane ego "):
        list(native.read(tmp_path))


DEEP = "[" * 100_000
LONG = "9" * 10_000


@pytest.mark.parametrize("number", [DEEP, LONG], ids=["deep", "long"])
@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("bdd100k", "a.json", '[{"name": "a", "labels": %s}]'),
        ("bdd100k", "a.json", '{"frames": [{"name": "a", "labels": %s}]}'),
        ("tusimple", "label_data_1.json", '{"raw_file": "a.png", "lanes": %s}'),
        ("curvelanes", "labels/a.lines.json", '{"Lines": %s}'),
        ("native", "frames.jsonl", '{"image": "a.png", "size": [1, 1], "lanes": %s}'),
        ("yolo", "data.yaml", "names: %s"),
    ],
)
def test_json_that_is_too_deep_or_too_long_keeps_its_line(tmp_path, number, name, file, text):
    write(tmp_path, {"images/a.png": PICTURE, file: text % number})
    with pytest.raises(LabelError, match=rf"{file}(, line 1)?: "):
        list(formats.read(name, tmp_path))


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path, capsys, name, what):
    layout, pictures, labels = SETS[name]
    write(tmp_path / "source", {**pictures, **labels})
    for file in labels:
        (tmp_path / "source" / file).unlink()
        (os.mkfifo if what == "pipe" else os.mkdir)(tmp_path / "source" / file)
    source, out = str(tmp_path / "source"), str(tmp_path / "out")
    assert main(["dataset", "convert", layout, source, "--out", out]) == 2
    (line,) = (text for text in capsys.readouterr().err.splitlines() if "source" in text)
    assert "Traceback" not in line


def test_more_lines_than_a_road_has_are_not_paired_for_hours(tmp_path):
    lane = BDD_LIST[0]["labels"][2]
    record = {**BDD_LIST[0], "labels": [lane] * 20_000}
    write(tmp_path, {"a.png": PICTURE, "a.json": [record]})
    (frame,) = formats.read("bdd100k", tmp_path)
    assert lanes_of(frame) == {}
    assert frame.notes == ("more lines than a road has: lanes are not known",)


def check_mask(seed):
    """Damage the file of a mask by another network."""
    chance = random.Random(seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(damaged_bytes(encoded(ROAD * 255), chance))
        try:
            found = MaskValues().read(path, SIZE, path.parent)
        except LabelError as error:
            assert path.name in str(error)  # noqa: PT017
        else:
            assert np.array_equal(found, ROAD * 255)


def test_a_damaged_mask_of_a_teacher_is_refused_or_what_it_was():
    fuzz(60, check_mask, seed=st.integers(0, 1 << 32))
