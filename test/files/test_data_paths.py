# SPDX-License-Identifier: Apache-2.0
"""Paths out of data name files of their own folder, and nothing is written over another file."""

import os
import resource
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from shared_encoder_perception.files.data_paths import (
    LINKED,
    PathError,
    inside,
    link_fault,
    path_fault,
    refuse_links_out,
    write_new,
)

GOOD = (
    *("a.jpg", "clips/0313-1/20/20.jpg", "./a.jpg", "a//b.jpg", "a b/ü.jpg", "..a/b..jpg"),
    *("...", "10:31:02.jpg", "a\\b.jpg", "-rf", "~", "x" * 255, "COM1.jpg"),
)
BAD = (
    *(None, 5, 1.5, True, [], {}, b"a.jpg", "", ".", "./", "/", "..", "../a.jpg", "a/../../b"),
    *("a/..", "/etc/passwd", "//host/share/a.jpg", "\\\\host\\share", "\\a.jpg", "C:\\a.jpg"),
    *("c:/a.jpg", "..\\..\\a.jpg", "a\\..\\..\\b", "a/..\\b", "a\0.jpg", "\ud800.jpg"),
    *("x" * 256, "ü" * 128, "a/" * 2048 + "b"),
)


@pytest.mark.parametrize("value", GOOD)
def test_a_path_of_a_set_is_its_file(tmp_path, value):
    assert inside(tmp_path, value, "image") == tmp_path / value


@pytest.mark.parametrize("value", BAD, ids=lambda value: repr(value)[:20])
def test_what_is_no_path_of_a_set_is_refused_with_its_place(tmp_path, value):
    with pytest.raises(PathError, match=r"^a\.json, line 3: raw_file is ") as caught:
        inside(tmp_path, value, "a.json, line 3: raw_file")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.fixture
def places(tmp_path):
    """A set, and what lies beside it."""
    for folder in ("set/images", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.jpg").write_bytes(folder.encode())
    return tmp_path / "set", tmp_path / "elsewhere"


def test_a_link_that_stays_in_its_set_is_followed(places):
    ours, _ = places
    (ours / "b.jpg").symlink_to("images/a.jpg")
    (ours / "more").symlink_to("images")
    assert inside(ours, "b.jpg", "image").read_bytes() == b"set/images"
    assert inside(ours, "more/a.jpg", "image").read_bytes() == b"set/images"


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_that_leaves_its_set_is_refused_until_its_place_is_trusted(
    places, monkeypatch, relative
):
    ours, theirs = places
    target = Path("../elsewhere") if relative else theirs
    (ours / "b.jpg").symlink_to((Path("..") / "set" / target if relative else target) / "a.jpg")
    (ours / "more").symlink_to(target)
    for name in ("b.jpg", "more/a.jpg"):
        with pytest.raises(PathError, match=f"a link to .*elsewhere/a.jpg.*{LINKED}"):
            inside(ours, name, "image")
    monkeypatch.setenv(LINKED, f"/nowhere{os.pathsep}{theirs}")
    assert inside(ours, "b.jpg", "image").read_bytes() == b"elsewhere"
    assert inside(ours, "more/a.jpg", "image").read_bytes() == b"elsewhere"


def test_a_folder_with_links_out_of_it_is_told_from_others(places):
    ours, theirs = places
    (ours / "last.jpg").symlink_to("images/a.jpg")
    (theirs / "door").symlink_to(ours)
    refuse_links_out(theirs / "door")
    refuse_links_out(ours / "nothing")
    (ours / "images/deep").mkdir()
    (ours / "images/deep/metrics").symlink_to(theirs / "a.jpg")
    for folder in (ours, theirs / "door"):
        with pytest.raises(PathError, match=r"deep/metrics' is a link to .*elsewhere"):
            refuse_links_out(folder)


def test_the_set_itself_may_be_a_link(places):
    ours, theirs = places
    (theirs / "mine").symlink_to(ours)
    assert inside(theirs / "mine", "images/a.jpg", "image").read_bytes() == b"set/images"
    assert write_new(theirs / "mine", "images/new.jpg", b"new") == theirs / "mine/images/new.jpg"


def test_a_folder_of_a_like_name_is_another_one(places):
    ours, _ = places
    (ours.parent / "settle").mkdir()
    (ours / "b").symlink_to(ours.parent / "settle")
    with pytest.raises(PathError, match="a link to"):
        inside(ours, "b/a.jpg", "image")


def test_links_that_lead_nowhere_or_in_circles_end_in_an_answer(places):
    ours, theirs = places
    (ours / "gone").symlink_to(theirs / "nothing.jpg")
    (ours / "round").symlink_to("round")
    with pytest.raises(PathError, match="a link to"):
        inside(ours, "gone", "image")
    with pytest.raises(OSError, match="symbolic links"):
        inside(ours, "round", "image").read_bytes()


def test_a_path_that_is_not_below_the_folder_is_seen_as_such(places, monkeypatch):
    ours, theirs = places
    monkeypatch.chdir(ours)
    for folder in (Path("."), ours, Path("../set")):
        assert not link_fault(folder, folder / "images/a.jpg")
        assert not link_fault(folder, ours / "images/a.jpg")
        assert not link_fault(folder, folder)
        for path in (theirs / "a.jpg", Path("../elsewhere/a.jpg"), Path("images/../../elsewhere")):
            assert "outside of" in link_fault(folder, path)


def test_no_message_steers_a_terminal(places):
    ours, theirs = places
    bad = "\x1b[2J\n"
    (theirs / bad).write_bytes(b"")
    (ours / "b.jpg").symlink_to(theirs / bad)
    (ours / f"{bad}.jpg").write_bytes(b"other")
    with pytest.raises(PathError) as first:
        inside(ours, "b.jpg", "image")
    with pytest.raises(PathError) as second:
        inside(ours, f"../{bad}", "image")
    with pytest.raises(FileExistsError) as third:
        write_new(ours, f"{bad}.jpg", b"ours")
    with pytest.raises(PathError) as fourth:
        refuse_links_out(ours)
    for caught in (first, second, third, fourth):
        assert str(caught.value).isprintable()


def test_a_pipe_is_no_picture(places):
    ours, _ = places
    os.mkfifo(ours / "b.jpg")
    with pytest.raises(PathError, match="a pipe"):
        inside(ours, "b.jpg", "image")


def test_nothing_is_written_over_another_file(places):
    ours, _ = places
    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        write_new(ours, "images/a.jpg", b"another")
    assert (ours / "images/a.jpg").read_bytes() == b"set/images"
    assert write_new(ours, "images/a.jpg", b"set/images").read_bytes() == b"set/images"


def test_a_full_disk_leaves_no_half_file(places):
    ours, _ = places
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            write_new(ours, "images/b.jpg", bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (ours / "images/b.jpg").exists()
    write_new(ours, "images/b.jpg", bytes(20_000))


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nothing_is_written_through_a_link(places, link):
    ours, theirs = places
    link(theirs / "a.jpg", ours / "images/b.jpg")
    with pytest.raises(FileExistsError):
        write_new(ours, "images/b.jpg", b"ours")
    assert (theirs / "a.jpg").read_bytes() == b"elsewhere"


def test_nothing_is_written_through_a_folder_that_is_a_link(places):
    ours, theirs = places
    (ours / "masks").symlink_to(theirs)
    for name in ("masks/new.png", "masks/deeper/new.png"):
        with pytest.raises(PathError, match="out of"):
            write_new(ours, name, b"ours")
    assert [path.name for path in theirs.iterdir()] == ["a.jpg"]


def test_a_link_to_nothing_is_not_written_through(places):
    ours, theirs = places
    (ours / "new.jpg").symlink_to(theirs / "new.jpg")
    with pytest.raises(FileExistsError):
        write_new(ours, "new.jpg", b"ours")
    assert not (theirs / "new.jpg").exists()


@pytest.mark.parametrize("value", [value for value in BAD if isinstance(value, str)])
def test_a_writer_refuses_by_itself_what_leaves_its_folder(places, value):
    ours, _ = places
    with pytest.raises(PathError):
        write_new(ours, value, b"ours")


def test_no_text_leaves_its_folder(tmp_path):
    root = tmp_path / "in/out"
    root.mkdir(parents=True)
    pieces = st.sampled_from(
        ["..", ".", "", "a", "b.jpg", "/", "\\", "C:", "~", "\0", "\ud800", "ü"]
    )
    names = st.one_of(
        st.text(), st.lists(pieces, max_size=6).map("/".join), st.lists(pieces).map("".join)
    )

    def check(name):
        if path_fault(name):
            with pytest.raises(PathError):
                write_new(root, name, b"x")
            return
        try:
            path = write_new(root, name, b"x")
        except OSError:  # a folder is there already, or a file where a folder must be
            return
        assert Path(os.path.realpath(path)).is_relative_to(root)

    fuzz(300, check, name=names)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in root.parent.iterdir()] == ["out"]
