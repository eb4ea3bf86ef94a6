# SPDX-License-Identifier: Apache-2.0
"""Paths in public label files: what is converted stays in the new set, and overwrites nothing."""

import os
from contextlib import suppress

import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from hostile_sets import FORMATS, PICTURE, convert, lines_of
from labelled_set import write_set

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["../victim/a.jpg", "b/../../a.jpg", "..\\victim\\a.jpg"])
def test_convert_follows_no_path_out_of_the_set(home, capsys, form, name):
    assert convert(home, form, name) == 2
    error = capsys.readouterr().err
    assert "line 1: " in error
    assert "leaves the folder" in error


@pytest.mark.parametrize("form", ["tusimple", "bdd100k"])
def test_convert_follows_no_absolute_path(home, capsys, form):
    assert convert(home, form, str(home / "victim/a.jpg")) == 2
    error = capsys.readouterr().err
    assert "line 1: " in error
    assert "expected a path relative to it" in error


def test_convert_writes_no_absolute_path_of_the_reader(home):
    with native.Writer(home / "out") as writer:
        for name in (str(home / "victim/a.jpg"), "../../victim/a.jpg", "../victim/a.jpg", ".."):
            frame = LabelledFrame(name, home / "victim/a.jpg", (720, 1280), source="tusimple")
            with pytest.raises(ValueError, match="leaves the folder"):
                writer.write(frame, encoded=PICTURE)
            with pytest.raises(ValueError, match="leaves the folder"):
                writer.write(frame, pictures=False)


def test_a_name_that_comes_twice_loses_no_picture_and_is_told(home, capsys):
    (home / "set/tusimple/clips").mkdir(parents=True)
    (home / "set/tusimple/clips/1.jpg").write_bytes(PICTURE)
    names = ("clips/1.jpg", "clips/1.jpg", "./clips//1.jpg")
    assert convert(home, "tusimple", *names, out="out") == 1
    assert len(lines_of(home / "out/frames.jsonl")) == 1
    assert "2 frames could not be converted" in capsys.readouterr().out
    told = (home / "out/convert_faults.txt").read_text().splitlines()
    assert "label_data_1.json, line 2: " in told[0]
    assert all("is in line 1 already" in line for line in told)


def test_no_file_that_was_there_is_overwritten(home, capsys):
    (home / "set/tusimple/clips").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        (home / "set/tusimple/clips" / name).write_bytes(PICTURE)
    theirs = home / "out/images/tusimple/clips/1.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"another picture")
    assert convert(home, "tusimple", "clips/1.jpg", "clips/2.jpg", out="out") == 1
    assert theirs.read_bytes() == b"another picture"
    assert [line["image"] for line in lines_of(home / "out/frames.jsonl")] == [
        "images/tusimple/clips/2.jpg"
    ]
    assert "nothing is overwritten" in (home / "out/convert_faults.txt").read_text()


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize(
    "planted",
    ["frames.jsonl.part", "merge_report.jsonl", "images/road/000.png", "masks/road/000.png"],
)
def test_links_in_the_folder_of_the_new_set_are_not_written_through(home, link, planted):
    write_set(home / "set", 1)
    place = home / "out" / planted
    place.parent.mkdir(parents=True)
    link(home / "victim/secret.txt", place)
    status = main(["dataset", "merge", str(home / "set"), "--out", str(home / "out")])
    assert status == (2 if planted.endswith(".png") else 0)


def test_a_set_that_broke_off_is_written_again_with_other_options(home):
    write_set(home / "set", 3)
    frames = list(native.read(home / "set"))
    with suppress(KeyError), native.Writer(home / "out") as writer:
        for frame in frames[:2]:
            writer.write(frame)
        raise KeyError
    (home / "out/images/road/002.png").write_bytes(b"half of it")  # by a kill
    (home / "out/images/road/other.png").write_bytes(b"theirs")
    with (home / "out/frames.jsonl.part").open("a") as part:
        part.write('{"image": "../victim/a.jpg"}\n{"image": "images/road/other.png\n[]\n')
    with native.Writer(home / "out") as writer:
        for frame in frames[1:]:
            writer.write(frame, encoded=PICTURE)
    left = {path.relative_to(home / "out").as_posix() for path in (home / "out").rglob("*.*")}
    named = {line[key] for line in lines_of(home / "out/frames.jsonl") for key in ("image", "mask")}
    assert left == named | {"frames.jsonl", "images/road/other.png"}


@pytest.mark.parametrize("planted", ["images", "masks", "images/road"])
def test_a_linked_folder_in_the_new_set_is_not_written_into(home, planted):
    write_set(home / "set", 1)
    place = home / "out" / planted
    place.parent.mkdir(parents=True)
    place.symlink_to(home / "victim")
    assert main(["dataset", "merge", str(home / "set"), "--out", str(home / "out")]) == 2


def test_the_new_sets_folder_itself_may_be_a_link(home):
    write_set(home / "set", 1)
    (home / "big disk").mkdir()
    (home / "out").symlink_to(home / "big disk")
    assert main(["dataset", "merge", str(home / "set"), "--out", str(home / "out")]) == 0
    assert main(["dataset", "validate", str(home / "out")]) == 0


# ---- native sets ---------------------------------------------------------------------------------
