# SPDX-License-Identifier: Apache-2.0
"""Paths in native sets: nothing outside of a set is read, written or lost, whatever they say."""

import os

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from fuzzing import fuzz
from hostile_sets import FORMATS, convert, lines_of
from hypothesis import strategies as st
from labelled_set import HEIGHT, WIDTH, record, write_records, write_set

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.files.data_paths import LINKED
from shared_encoder_perception.labels import native

BAD_SOURCES = ("../../victim", "..", "a/../../../victim", "a\0b", "..\\..\\victim", "x" * 300)


@pytest.mark.parametrize("source", BAD_SOURCES, ids=range(len(BAD_SOURCES)))
def test_a_source_is_a_name_and_no_way_out(home, capsys, source):
    write_set(home / "set", 1, source=source)
    one, out = str(home / "set"), str(home / "in/out")
    commands = (
        ("dataset", "merge", one, "--out", out),
        ("dataset", "convert", "native", one, "--out", out),
        ("dataset", "label", one, "--out", out),
        ("mine", one, "--out", out),
        ("dataset", "stats", one),
    )
    for command in commands:
        assert main(list(command)) == 2, command
        assert "frames.jsonl, line 1: source is " in capsys.readouterr().err
    for options in ((), ("--labels-only",)):
        assert main(["dataset", "validate", one, *options]) == 1
        assert "line 1: source is " in capsys.readouterr().out


@pytest.mark.parametrize(
    "source", ["", "my set, 2024", "a/b", "BDD:100k", "https://x.org/set", "ü"]
)
def test_a_source_of_other_words_is_as_good_as_before(home, source):
    write_set(home / "set", 2, source=source)
    assert main(["dataset", "merge", str(home / "set"), "--out", str(home / "out")]) == 0
    assert main(["dataset", "validate", str(home / "out")]) == 0


def test_a_prefix_hides_no_absolute_path(home):
    hidden = f"images/road/{home / 'victim/000.png'}"
    write_set(home / "set", 1, image=hidden)
    assert main(["dataset", "merge", str(home / "set"), "--out", str(home / "out")]) == 0
    (line,) = lines_of(home / "out/frames.jsonl")
    assert (home / "out" / line["image"]).read_bytes() == (home / "set" / hidden).read_bytes()


@pytest.mark.parametrize("key", ["image", "mask", "mask_confidence"])
@pytest.mark.parametrize("is_folder", [True, False])
def test_links_out_of_a_set_are_refused_and_found(home, capsys, monkeypatch, key, is_folder):
    write_set(home / "set", 1)
    write_set(home / "theirs", 1)
    linked = (
        home / "theirs/masks/road/000.png"
        if key != "image"
        else home / "theirs/images/road/000.png"
    )
    if is_folder:
        (home / "set/link").symlink_to(linked.parent)
        name = "link/000.png"
    else:
        (home / "set/link.png").symlink_to(linked)
        name = "link.png"
    write_records(home / "set", [record(0, **{key: name})])
    one, out = str(home / "set"), str(home / "out")
    for command in (
        ("dataset", "merge", one, "--out", out),
        ("dataset", "convert", "native", one, "--out", out),
        ("dataset", "stats", one),
    ):
        assert main(list(command)) == 2
        assert f"frames.jsonl, line 1: {key} is '{name}', a link to " in capsys.readouterr().err
    assert main(["dataset", "validate", one]) == 1
    assert f"line 1: {key} is '{name}', a link to " in capsys.readouterr().out
    assert not (home / "out/frames.jsonl").exists()
    monkeypatch.setenv(LINKED, str(home / "theirs"))
    assert main(["dataset", "validate", one]) == 0
    assert main(["dataset", "merge", one, "--out", out]) == 0


@pytest.mark.parametrize("name", ["frames.jsonl", "images/road/000.png", "masks/road/000.png"])
def test_a_pipe_in_a_set_hangs_nothing(home, capsys, name):
    write_set(home / "set", 1)
    (home / "set" / name).unlink()
    os.mkfifo(home / "set" / name)
    one = str(home / "set")
    assert main(["dataset", "validate", one]) in (1, 2)
    assert main(["dataset", "merge", one, "--out", str(home / "out")]) == 2
    assert main(["predict", "--input", f"{one}/frames.jsonl", "--out", str(home / "out")]) == (
        0 if name.startswith("masks") else 2
    )
    told = capsys.readouterr()
    assert "pipe" in told.err + told.out


def test_links_within_a_set_and_a_linked_set_are_followed(home):
    write_set(home / "set", 1)
    (home / "set/link").symlink_to("images/road")
    write_records(home / "set", [record(0, image="link/000.png")])
    (home / "door").symlink_to(home / "set")
    assert main(["dataset", "validate", str(home / "door")]) == 0
    assert main(["dataset", "merge", str(home / "door"), "--out", str(home / "out")]) == 0
    assert not (home / "out/images/road/link/000.png").is_symlink()


def test_a_listed_picture_that_is_a_link_is_not_copied_from_elsewhere(home, capsys):
    for folder in ("set/train", "set/trainannot"):
        (home / folder).mkdir(parents=True)
    pixels = np.full((40, 60), 3, np.uint8)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(home / "set/trainannot" / name), pixels)
    cv2.imwrite(str(home / "set/train/a.png"), pixels)
    cv2.imwrite(str(home / "private.png"), pixels)
    (home / "set/train/b.png").symlink_to(home / "private.png")
    command = ["dataset", "convert", "camvid", str(home / "set"), "--out", str(home / "out")]
    assert main(command) == 1
    assert "b.png' is a link to" in capsys.readouterr().out
    assert len(lines_of(home / "out/frames.jsonl")) == 1


def test_pictures_whose_names_differ_in_the_suffix_keep_their_own_masks(home):
    write_set(home / "set", 2)
    first, second = (record(index) for index in range(2))
    (home / "set" / second["image"]).rename(home / "set/images/road/000.jpg")
    second["image"] = "images/road/000.jpg"
    mask = np.full((HEIGHT, WIDTH), 127, np.uint8)
    cv2.imwrite(str(home / "set" / second["mask"]), mask)
    write_records(home / "set", [first, second])
    for command in (["convert", "native"], ["merge"]):
        out = home / command[0]
        assert main(["dataset", *command, str(home / "set"), "--out", str(out)]) == 0
        one, other = lines_of(out / "frames.jsonl")
        assert one["mask"] == "masks/road/000.png"
        assert other["mask"] != one["mask"]
        assert np.array_equal(cv2.imread(str(out / other["mask"]), -1), mask)
        assert main(["dataset", "validate", str(out)]) == 0


def test_merge_gives_names_that_are_one_on_other_systems_another_one(home):
    write_set(home / "set", 3)
    records = [record(index) for index in range(3)]
    for item, name in zip(
        records, ("cafe\u0301.png", "caf\u00e9.png", "CAF\u00c9.png"), strict=True
    ):
        (home / "set" / item["image"]).rename(home / "set/images/road" / name)
        item["image"] = f"images/road/{name}"
    write_records(home / "set", records)
    assert main(["dataset", "merge", str(home / "set"), "--out", str(home / "out")]) == 0
    lines = lines_of(home / "out/frames.jsonl")
    names = {native.same_name(home / line[key]) for line in lines for key in ("image", "mask")}
    assert len(names) == 6


def test_validate_knows_a_picture_by_whatever_path(home, capsys):
    write_set(home / "set", 1)
    again = [record(0), record(0, image="./images//road/000.png")]
    write_records(home / "set", again)
    assert main(["dataset", "validate", str(home / "set")]) == 1
    assert "is also in line 1" in capsys.readouterr().out


def test_no_name_in_a_label_file_gets_out(home):
    (home / "set").mkdir()
    pieces = st.sampled_from(
        [
            "..",
            ".",
            "",
            "victim",
            "a.jpg",
            "clips",
            "\\",
            "C:",
            "\0",
            "\ud800",
            "~",
            "x" * 300,
            "\n",
        ]
    )
    names = st.lists(pieces, min_size=1, max_size=6).map("/".join)
    turn = iter(range(10**9))

    def check(command, name, source):
        out = f"in/{next(turn)}/out"
        if command in FORMATS:
            status = convert(home, command, name, out=out)
        else:
            write_records(home / "native", [record(0, image=name, source=source)])
            words = ["dataset", *command.split(), str(home / "native"), "--out", str(home / out)]
            status = main(words)
        assert status in (0, 1, 2)

    commands = st.sampled_from([*sorted(FORMATS), "convert native", "merge"])
    fuzz(150, check, command=commands, name=names, source=names)
    kept = {"set", "native", "in", "victim"}
    assert {path.name for path in home.iterdir()} <= kept
    assert not list((home / "set").rglob("images"))
