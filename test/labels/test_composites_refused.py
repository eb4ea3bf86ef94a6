# SPDX-License-Identifier: Apache-2.0
"""Composites refused: pictures, indexes and options that cannot be used, each with its reason."""

import json
import re

import cv2
import numpy as np
import pytest
from cutouts import compose, cutout, write_index, write_pictures

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.composites.fold import Composites
from shared_encoder_perception.labels.composites.index import (
    Index,
    PictureFile,
    Pictures,
)
from shared_encoder_perception.labels.composites.make import make_index
from shared_encoder_perception.tasks.label_files import LabelError


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return write_index(tmp_path_factory.mktemp("composites"))


# ---- what is refused ----------------------------------------------------------------------------


def jpeg_thing(root):
    cv2.imwrite(str(root / "things/a.jpg"), cutout(1)[..., :3])


def no_alpha(root):
    cv2.imwrite(str(root / "things/a.png"), cutout(1)[..., :3])


def grey(root):
    cv2.imwrite(str(root / "things/a.png"), cutout(1)[..., 0])


def all_transparent(root):
    pixels = cutout(1)
    pixels[..., 3] //= 3
    cv2.imwrite(str(root / "things/a.png"), pixels)


def nowhere_transparent(root):
    pixels = cutout(1)
    pixels[..., 3] = 255
    cv2.imwrite(str(root / "things/a.png"), pixels)


def one_pixel(root):
    pixels = np.zeros((40, 24, 4), np.uint8)
    pixels[20, 12] = 255
    cv2.imwrite(str(root / "things/a.png"), pixels)


def line_of_pixels(root):
    pixels = np.zeros((40, 24, 4), np.uint8)
    pixels[5:35, 10:17] = 255
    cv2.imwrite(str(root / "things/a.png"), pixels)


def gif(root):
    (root / "things/a.gif").write_bytes(b"GIF89a")


def heic(root):
    (root / "places/a.HEIC").write_bytes(b"no matter what")


def nothing_but_gifs(root):
    no_pictures(root)
    (root / "places/a.gif").write_bytes(b"GIF89a")


def cut_off(root):
    (root / "things/a.png").write_bytes((root / "things/000.png").read_bytes()[:-30])


def text(root):
    (root / "places/a.jpg").write_text("no picture")


def small(root):
    cv2.imwrite(str(root / "places/a.png"), np.zeros((32, 200, 3), np.uint8))


def no_pictures(root):
    for path in (root / "places").iterdir():
        path.unlink()


def no_folder(root):
    (root / "things").rename(root / "things_of_others")


REFUSED = [
    (jpeg_thing, r"a\.jpg is a JPEG: expected a PNG with an alpha channel, transparent around"),
    (no_alpha, r"a\.png has no alpha channel: expected a PNG with an alpha"),
    (grey, r"a\.png has no alpha channel"),
    (all_transparent, r"a\.png is transparent all over, alpha is at most 85"),
    (nowhere_transparent, r"a\.png is transparent nowhere, alpha is at least 255"),
    (one_pixel, r"a\.png shows a thing of 1x1 pixels, expected 8 or more each way"),
    (line_of_pixels, r"a\.png shows a thing of 7x30 pixels, expected 8 or more each way"),
    (gif, r"1 of 6 .*\n  \S+a\.gif is of a kind that is not read \(\.gif\): save it as PNG\n"),
    (heic, r"a\.HEIC is of a kind that is not read"),
    (nothing_but_gifs, r"1 of 1 pictures cannot be backgrounds"),
    (cut_off, r"a\.png is truncated"),
    (text, r"a\.jpg cannot be decoded: it is not an image"),
    (small, r"a\.png is 200x32 pixels, expected 64 or more each way"),
    (no_pictures, r"places has no pictures: expected backgrounds in it"),
    (no_folder, r"things is no folder: expected one of cut-outs"),
]


@pytest.mark.parametrize(
    ("damage", "message"), REFUSED, ids=lambda one: getattr(one, "__name__", "")
)
def test_pictures_that_cannot_be_used_are_named(tmp_path, capsys, damage, message):
    write_pictures(tmp_path)
    damage(tmp_path)
    assert compose(tmp_path) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    places, things = write_pictures(tmp_path)
    for number in range(7):
        cv2.imwrite(str(things / f"b{number}.png"), cutout(number)[..., :3])
    with pytest.raises(ValueError, match=r"7 of 12 pictures cannot be cut-outs") as error:
        make_index(places, things, tmp_path / "compose.json")
    assert str(error.value).count("has no alpha channel") == 5
    assert "and 2 more" in str(error.value)


def test_each_fault_has_a_line_and_no_name_makes_one(tmp_path, capsys):
    """Nor steers a name the terminal."""
    write_pictures(tmp_path)
    for name in ("a\nerror: all is well.png", "b\x1b[2J.png"):
        cv2.imwrite(str(tmp_path / "x.png"), cutout(1)[..., :3])
        (tmp_path / "x.png").rename(tmp_path / "things" / name)
    assert compose(tmp_path) == 2
    _, said = capsys.readouterr().err.split("error: ", 1)  # behind the progress bar
    head, *lines = said.splitlines()
    assert head == "2 of 7 pictures cannot be cut-outs; mend or remove them:"
    assert len(lines) == 2 and all(line.startswith(f"  {tmp_path}") for line in lines)
    assert r"a\nerror: all is well.png has no alpha" in lines[0] and r"\x1b[2J.png" in lines[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--places", "0"), "places are 0"),
        (("--seed", "-1"), "seed is -1"),
        (("--held-out", "1"), "held_out is 1, expected 0 to less than 1"),
        (("--empty", "-0.1"), "empty is -0.1, expected 0 to less than 1"),
        (("--foregrounds", "places"), "lie in one another"),
        (("--sheet", "places/sheet.png"), "--sheet places/sheet.png is inside of the"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, capsys, monkeypatch, more, message):
    write_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    folders = ["--backgrounds", "places", "--foregrounds", "things", "--out", "out"]
    assert main(["dataset", "compose", *folders, *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(tmp_path, capsys):
    write_pictures(tmp_path)
    assert compose(tmp_path, "--held-out", "0", out="a.json") == 0
    assert (tmp_path / "a.json").is_file()
    assert compose(tmp_path, "--held-out", "0", out="a.json") == 2
    assert "a.json exists already: remove it, or choose another --out" in capsys.readouterr().err
    (tmp_path / "set").mkdir()
    (tmp_path / "set/frames.jsonl").write_text("")
    assert compose(tmp_path, "--held-out", "0", out="set") == 2
    assert "holds a native set" in capsys.readouterr().err


def test_a_picture_that_is_not_what_it_was_is_refused(tmp_path):
    index = write_index(tmp_path, empty=0.0)
    composites = Composites(index)
    path = tmp_path / "places/000.png"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(LabelError, match=r"000\.png: the picture has changed since the index was"):
        composites.pair(0)
    path.write_bytes(content + b"x")
    with pytest.raises(LabelError, match=rf"the picture has {len(content) + 1} bytes, it had "):
        Composites(index)
    path.unlink()
    with pytest.raises(
        LabelError,
        match=r'000\.png: .* is missing, which .*, correct "folder" there, which is .*places.*make',
    ):
        Composites(index)


def changed(raw, **keys):
    return {**raw, **keys}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: [], "is no index of composites of version 1"),
        (lambda raw: changed(raw, version=2), "is no index of composites of version 1"),
        (lambda raw: changed(raw, colour=1), "unknown key 'colour'"),
        (lambda raw: changed(raw, places="many"), "places is 'many', expected a whole number"),
        (lambda raw: changed(raw, places=0), "places 0, expected at least 0 and 1"),
        (lambda raw: changed(raw, empty=1.5), "empty is 1.5, expected 0 to less than 1"),
        (
            lambda raw: changed(raw, backgrounds={"folder": "x", "files": []}),
            "backgrounds has no files",
        ),
        (lambda raw: renamed(raw, "../../etc/passwd"), "name is '../../etc/passwd', which leaves"),
        (lambda raw: twice(raw, name="000.png"), "backgrounds: '000.png' is there twice, expect"),
        (lambda raw: twice(raw, name="./000.png"), "backgrounds: '000.png' is there twice"),
        (lambda raw: twice(raw, name="x.png", sha256=None), "is there twice, expected every pic"),
        (lambda raw: of_first(raw, size=[0, 0]), "size is [0, 0] and bytes are"),
        (lambda raw: of_first(raw, size=[96, 63]), "expected [height, width] of 64 or more"),
        (lambda raw: renamed(raw, "/etc/passwd"), "name is '/etc/passwd', which leaves"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(index, tmp_path, change, message):
    path = tmp_path / "compose.json"
    path.write_text(json.dumps(change(json.loads(index.read_text()))))
    with pytest.raises(ValueError, match=r"compose\.json") as error:
        Composites(path)
    assert message in str(error.value)


def of_first(raw, kind="backgrounds", **keys):
    """The index with other words about its first picture."""
    first, *others = raw[kind]["files"]
    return changed(raw, **{kind: {**raw[kind], "files": [{**first, **keys}, *others]}})


def twice(raw, **keys):
    """The index with its first background once more: its name or its content."""
    first, *others = raw["backgrounds"]["files"]
    again = {**first, "sha256": "0" * 64, **keys}
    again["sha256"] = again["sha256"] or first["sha256"]
    files = [first, again, *others]
    return changed(raw, backgrounds={**raw["backgrounds"], "files": files})


def test_a_size_that_is_not_the_pictures_is_refused(tmp_path):
    index = write_index(tmp_path)
    index.write_text(json.dumps(of_first(json.loads(index.read_text()), size=[160, 96])))
    with pytest.raises(
        LabelError, match=r"picture is 160x96 pixels, .*compose\.json says 96x160: "
    ):
        Composites(index)


def renamed(raw, name):
    files = [{**raw["backgrounds"]["files"][0], "name": name}]
    return changed(raw, backgrounds={"folder": "places", "files": files})


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    index = write_index(tmp_path)
    path = tmp_path / "places/000.png"
    path.rename(tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(LabelError, match="a link to"):
        Composites(index)


def test_a_sheet_shows_image_background_and_mask(tmp_path):
    write_pictures(tmp_path)
    assert compose(tmp_path, "--held-out", "0", "--sheet", str(tmp_path / "sheet.png")) == 0
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] > 1900
    row = sheet[:190, :960]
    mask = row[:, 644:956]
    assert ((mask < 16) | (mask > 239)).mean() > 0.95


def test_a_file_says_of_itself_whether_it_is_held_out():
    low, high = (PictureFile("a.png", 1, (1, 1), "0" * 56 + tail) for tail in ("0" * 8, "f" * 8))
    assert low.is_held_out(0.01) and not high.is_held_out(0.99)
    both = Pictures("x", (low, high))
    assert both.split(0.5, True) == (low,) and both.split(0.5, False) == (high,)
    assert Index(1, 0, 1, False, 0.0, 0.5, both, both).of_fold("held_out") == ((low,), (low,))
