# SPDX-License-Identifier: Apache-2.0
"""Pictures and masks of one's own, as teams keep them, become a native set labelled by people."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import mask_of

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native

SIZE = (48, 80)
MEANT = np.zeros(SIZE, np.uint8)
MEANT[20:], MEANT[:4] = 255, 127
"""What the masks say: 255 drivable, 0 not, 127 unknown."""


def write(folder, name, mask=MEANT, suffix=".jpg"):
    """Write a picture and its mask."""
    for kind, ending, pixels in (
        ("images", suffix, np.full((*SIZE, 3), 90, np.uint8)),
        ("masks", ".png", mask),
    ):
        path = folder / kind / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)


def dataset(*words):
    return main(["dataset", *map(str, words)])


def convert(folder, *options):
    return dataset("convert", "masks", folder, "--out", folder.parent / "out", *options)


def masks_of(folder):
    return {frame.name: mask_of(frame) for frame in native.read(folder.parent / "out")}


@pytest.fixture
def mine(tmp_path):
    """A folder with two good pictures."""
    write(tmp_path / "mine", "a")
    write(tmp_path / "mine", "drive/b.c", suffix=".PNG")
    return tmp_path / "mine"


def test_labels_are_what_the_masks_say_and_by_people(mine):
    (mine / "images/._a.jpg").write_bytes(b"of a system")
    assert convert(mine) == 0
    found = list(native.read(mine.parent / "out"))
    assert [frame.name for frame in found] == ["images/mine/a.jpg", "images/mine/drive/b.c.PNG"]
    for frame in found:
        assert set(frame.labels) == {"drivable_surface"} and not frame.pseudo
        np.testing.assert_array_equal(mask_of(frame), MEANT)
    assert dataset("validate", mine.parent / "out") == 0
    parts = mine.parent / "parts"
    how = ("--whole-drives", "--hold-out", 0.5)
    assert dataset("split", mine.parent / "out", "--out", parts, *how) == 0
    assert all(len(list(native.read(parts / part))) == 1 for part in ("train", "test"))


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({255: 1, 0: 0, 127: 255}, ("--drivable-ids", 1, "--unknown-ids", 255)),
        ({255: 0, 0: 255, 127: 127}, ("--drivable-ids", 0, "--not-drivable-ids", 255)),
        (
            {255: 7, 0: 3, 127: 9},
            ("--drivable-ids", 6, 7, "--not-drivable-ids", 2, 3, "--unknown-ids", 9),
        ),
    ],
)
def test_other_values_are_named(tmp_path, values, options):
    table = np.zeros(256, np.uint8)
    table[list(values)] = list(values.values())
    write(tmp_path / "mine", "a", table[MEANT])
    assert convert(tmp_path / "mine", *options) == 0
    np.testing.assert_array_equal(masks_of(tmp_path / "mine")["images/mine/a.jpg"], MEANT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--drivable-ids", 0), "the value 0 of the masks cannot be drivable and not-drivable"),
        (("--unknown-ids", 255), "the value 255 of the masks cannot be drivable and unknown"),
        (("--not-drivable-ids", 256), "--not-drivable-ids has 256, expected values from 0 to 255"),
        (("--focal-px", 9), "the format 'masks' has no option 'focal_px'"),
    ],
)
def test_values_that_mean_nothing_or_two_things_are_refused(mine, capsys, options, message):
    assert convert(mine, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()  # without a bar that shows nothing
    assert line.startswith("error: ") and message in line


@pytest.mark.parametrize("form", ["tusimple", "carla"])
def test_other_formats_have_no_such_values(mine, capsys, form):
    out = mine.parent / "out"
    assert dataset("convert", form, mine, "--out", out, "--drivable-ids", 1) == 2
    assert f"the format '{form}' has no option 'drivable_ids'" in capsys.readouterr().err


def strange(mask):
    mask = mask.copy()
    mask[30, 5], mask[30, 6] = 254, 3
    return mask


BAD = {
    "value": (strange(MEANT), "the mask has the values 3, 254 in 0.05% of its pixels, expected"),
    "size": (MEANT[:-1], "the mask is 80x47, its picture 80x48"),
    "bits": (MEANT.astype(np.uint16), "the mask has 1 channel of 16 bits, expected one of 8 bits"),
    "colour": (np.dstack([MEANT] * 3), "the mask has 3 channels of 8 bits, expected one of 8"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_mask_that_says_something_else_is_named_and_left_out(mine, capsys, how):
    mask, message = BAD[how]
    write(mine, "bad", mask)
    assert convert(mine) == 1
    (fault,) = (mine.parent / "out/convert_faults.txt").read_text().splitlines()
    assert fault.startswith(f"{mine / 'masks/bad.png'}: {message}")
    assert fault in capsys.readouterr().out
    assert set(masks_of(mine)) == {"images/mine/a.jpg", "images/mine/drive/b.c.PNG"}


def test_what_has_no_counterpart_is_named_and_left_out(mine):
    for name in ("alone", "a"):
        write(mine, name, suffix=".png")  # a.jpg and a.png would share a mask
    (mine / "masks/alone.png").rename(mine / "masks/other.png")
    cv2.imwrite(str(mine / "masks/alone.jpg"), MEANT)
    assert convert(mine) == 1
    faults = (mine.parent / "out/convert_faults.txt").read_text().splitlines()
    expected = {
        "images/a.png": f"{mine / 'masks/a.png'} would be its mask, and is that of",
        "images/alone.png": f"its mask is missing: {mine / 'masks/alone.png'}",
        "masks/alone.jpg": "is no mask: expected .png",
        "masks/other.png": "there is no picture of this mask",
    }
    assert len(faults) == len(expected)
    for fault, (path, message) in zip(faults, expected.items(), strict=True):
        assert fault.startswith(f"{mine / path}: {message}")
    assert set(masks_of(mine)) == {"images/mine/a.jpg", "images/mine/drive/b.c.PNG"}


@pytest.mark.parametrize(("gone", "message"), [("images", "no pictures"), ("masks", "no masks")])
def test_a_folder_that_is_missing_is_named(mine, capsys, gone, message):
    (mine / gone).rename(mine / "gone")
    assert convert(mine) == 2
    assert capsys.readouterr().err.startswith(f"error: {mine}: {message}: expected ")


@pytest.mark.parametrize("action", ["validate", "stats", "merge"])
def test_readers_of_a_folder_that_is_no_set_say_what_to_do(mine, capsys, action):
    words = ("--out", mine.parent / "all") if action == "merge" else ()
    told = f"error: there is no frames.jsonl in {mine}: convert "
    for hint in (
        f"it first, e.g. dataset convert masks {mine} --out SET",
        "other data sets first; dataset convert --help lists their formats",
    ):
        assert dataset(action, mine, *words) == 2
        assert capsys.readouterr().err.splitlines() == [told + hint]
        (mine / "masks").rename(mine / "labels") if (mine / "masks").exists() else None


def test_a_set_that_was_not_finished_is_not_taken_for_a_folder_to_convert(mine, capsys):
    (mine / "frames.jsonl.part").touch()
    assert dataset("validate", mine) == 2
    assert "did not finish; run it again" in capsys.readouterr().err
