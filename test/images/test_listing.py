# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are pictures: the user's, not those that systems leave behind."""

from pathlib import PurePath

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.listing import (
    IMAGE_SUFFIXES,
    beside,
    counting,
    files_matching,
    is_left_behind,
    pictures_in,
)
from shared_encoder_perception.images.sources import SourceError, open_source

PIXELS = np.full((16, 16, 3), 99, np.uint8)
LEFT_BEHIND = (
    *("._a.jpg", "Thumbs.db", ".DS_Store", ".thumbnails/a.jpg", "__MACOSX/._a.jpg"),
    *("@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/a.jpg", ".@__thumb/a.jpg", ".git/a.png"),
    *("@Recycle/a.jpg", "$RECYCLE.BIN/a.jpg", "clips/.ipynb_checkpoints/a-checkpoint.png"),
    *("System Volume Information/a.jpg", "lost+found/a.jpg", "clips/@EADIR/a.jpg"),
)


def test_numbers_in_names_count_as_numbers():
    names = ("10.png", "2.png", "a9/1.png", "a10/1.png", "a9/b.png", "02.png", "b", "a9.png")
    ordered = sorted(map(PurePath, names), key=counting)
    assert [path.as_posix() for path in ordered] == [
        *("02.png", "2.png", "10.png", "a9/1.png", "a9/b.png", "a9.png", "a10/1.png", "b")
    ]


def fill(folder):
    """The user's pictures, and everything else."""
    for name in ("a.jpg", "b.PNG", "clips/c.Webp", "clips/d.txt", *LEFT_BEHIND):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_what_systems_leave_behind_is_no_picture(tmp_path):
    fill(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in pictures_in(tmp_path, below=True)]
    assert found == ["a.jpg", "b.PNG", "clips/c.Webp"]
    assert [path.name for path in pictures_in(tmp_path)] == ["a.jpg", "b.PNG"]
    assert [path.name for path in files_matching(tmp_path, "clips/*.txt", "**/*.txt")] == ["d.txt"]


def test_a_folder_that_is_hidden_itself_may_be_asked_for(tmp_path):
    fill(tmp_path / ".cache/@eaDir")
    assert len(pictures_in(tmp_path / ".cache/@eaDir", below=True)) == 3


def test_sources_see_the_users_pictures_only(tmp_path):
    fill(tmp_path)
    for path in pictures_in(tmp_path, below=True):
        path.write_bytes(cv2.imencode(path.suffix.lower(), PIXELS)[1].tobytes())
    opened = open_source(tmp_path)
    assert [frame.name for frame in opened] == ["a.jpg", "b.PNG", "clips/c.Webp"]
    assert len(opened) == 3


def test_a_folder_of_leftovers_holds_no_images(tmp_path):
    (tmp_path / "._a.jpg").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"holds no images: .*\.jpg.* do not count"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_every_name_that_systems_give_is_known(name):
    assert is_left_behind(PurePath(name))


@pytest.mark.parametrize("name", ["a.b.jpg", "_a.jpg", "eaDir/a.jpg", "thumbs/a.jpg", "../a.jpg"])
def test_names_that_users_give_are_kept(name):
    assert not is_left_behind(PurePath(name))


@pytest.mark.parametrize("suffix", [s for s in IMAGE_SUFFIXES if s not in (".jp2", ".jfif")])
def test_every_suffix_is_of_a_format_that_opencv_reads(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    gray = suffix in (".pgm", ".pbm")
    assert cv2.imwrite(str(path), PIXELS[:, :, 0] if gray else PIXELS)
    assert cv2.imread(str(path), cv2.IMREAD_COLOR).shape == PIXELS.shape


def test_a_picture_is_found_by_its_name_without_suffix(tmp_path):
    for name in ("a.JPG", "a.webp", "a.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in beside(tmp_path / "a")] == ["a.JPG", "a.webp"]
    assert not list(beside(tmp_path / "b"))
