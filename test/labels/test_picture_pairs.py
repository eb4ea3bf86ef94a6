# SPDX-License-Identifier: Apache-2.0
"""Published sets of pairs, written here as they are laid out, become native ones."""

import re

import cv2
import numpy as np
import pytest
from cutouts import background

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.adapters.picture_pairs import read_mask
from shared_encoder_perception.labels.formats import read
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.tasks.label_files import LabelError

SIZE = (64, 64)
MASK = np.zeros(SIZE, np.uint8)
MASK[16:48, 24:38] = 255
MASK[40:48, 38:52] = 255
FLIP = MASK[:, ::-1]


def put(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])


def composite(index, mask=MASK):
    picture = background(index, SIZE)
    picture[mask > 0] = (20, 40, 230)
    return picture


def eva4_in_folders(root):
    """As their scripts write them: a name says background and number, the folder all else."""
    for place in (1, 2):
        put(root / f"bg/{place}_bg.jpg", background(place, SIZE))
        for number in (1, 12):
            name = f"{place}_bg_{number}_fg.jpg"
            put(root / f"zipFiles/batch_1/bg_fg_1/{name}", composite(place))
            put(root / f"zipFiles/batch_1/bg_fg_mask_1/{name}", MASK)
            put(root / f"zipFiles/batch_1/bg_fgFlip_1/{name}", composite(place, FLIP))
            put(root / f"zipFiles/batch_1/bg_fgFlip_mask_1/{name}", FLIP)
            depth = cv2.applyColorMap(np.arange(4096, dtype=np.uint16).astype(np.uint8), 2)
            put(root / f"zipFiles/batch_1/depthMap/{name}", depth.reshape(*SIZE, 3))
    return 8


def eva4_by_names(root):
    """As their table of names has them: all in one folder, the background beside."""
    for place in (3, 4):
        put(root / f"out/{place}_bg.jpg", background(place, SIZE))
        for flip in ("", "Flip"):
            mask = FLIP if flip else MASK
            put(root / f"out/{place}_bg_7_fg{flip}.jpg", composite(place, mask))
            put(root / f"out/{place}_bg_7_fg{flip}_mask.jpg", mask)
    return 4


def eva4_with_masks_below(root):
    """All composites in the set's root, masks in folders of their own below."""
    for place in (5, 6):
        put(root / f"{place}_bg.jpg", background(place, SIZE))
        for flip, mask in (("", MASK), ("Flip", FLIP)):
            put(root / f"{place}_bg_7_fg{flip}.jpg", composite(place, mask))
            put(root / f"masks{flip}/{place}_bg_7_fg{flip}.jpg", mask)
    return 4


def modest(root):
    lines = []
    for place in (1, 2):
        put(root / f"bg/bg{place:03d}.jpeg", background(place, SIZE))
        for number in (1, 40):
            name = f"bg{place:03d}_fg007_{number:02d}"
            put(root / f"bg_fg/{name}.jpeg", composite(place))
            put(root / f"bg_fg_mask/{name}_mask.jpeg", MASK)
            put(root / f"bg_fg_depth_map/{name}_depth_map.jpeg", MASK // 2 + 40)
            lines.append(f"bg{place:03d}\t{name}\t{name}_mask\t{name}_depth_map\n")
    (root / "file_map.txt").write_text("".join(lines))
    return 4


LAYOUTS = {"folders": ("eva4", eva4_in_folders), "names": ("eva4", eva4_by_names)}
LAYOUTS["below"] = ("eva4", eva4_with_masks_below)
LAYOUTS["modest"] = ("modest", modest)


def convert(name, root, out):
    return main(["dataset", "convert", name, str(root), "--out", str(out)])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_set_becomes_native_pixel_for_pixel(layout, tmp_path, capsys):
    form, make = LAYOUTS[layout]
    count = make(tmp_path / "set")
    assert convert(form, tmp_path / "set", tmp_path / "out") == 0
    frames = list(native.read(tmp_path / "out"))
    assert len(frames) == count
    assert not any(faults for _, faults in find_faults(tmp_path / "out"))
    for frame in frames:
        assert set(frame.labels) == {"foreground"} and frame.source == form
        label = frame.labels["foreground"]()
        truth = FLIP if "Flip" in frame.name else MASK
        known = label.mask != 127
        np.testing.assert_array_equal(label.mask[known], truth[known])
        assert known.mean() > 0.6 and (label.mask == 255).sum() > 100
        image = frame.load().image.astype(int)
        new = np.abs(image - label.background).mean(2)
        assert new[label.mask == 255].mean() > 30 and new[label.mask == 0].mean() < 8
    assert f"{count} frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("layout", "note", "times"),
    [
        ("folders", "the depth map has colours: a picture of depth, and no depth; left out", 4),
        ("modest", "the depth map is a teacher's, in grey: nobody says whether bright is near", 4),
    ],
)
def test_depth_that_is_none_is_left_out_and_said(layout, note, times, tmp_path, capsys):
    form, make = LAYOUTS[layout]
    make(tmp_path / "set")
    assert convert(form, tmp_path / "set", tmp_path / "out") == 0
    said = [line for line in capsys.readouterr().out.splitlines() if note in line]
    assert len(said) == 1 and said[0].endswith(f": {times}")


def test_what_a_jpeg_leaves_of_a_mask_is_not_known(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    put(tmp_path / "mask.png", values)
    plane = read_mask(tmp_path / "mask.png", (16, 16))
    assert plane[0, 0] == 0 and plane[15, 15] == 255
    assert (plane.ravel()[1:255] == 127).all()
    put(tmp_path / "three.jpg", np.repeat(MASK[:, :, None], 3, axis=2))
    assert set(np.unique(read_mask(tmp_path / "three.jpg", SIZE))) <= {0, 127, 255}


def colour_mask(root):
    put(root / "bg_fg_mask/bg001_fg007_01_mask.jpeg", background(5, SIZE))


def other_background(root):
    put(root / "bg/bg001.jpeg", background(1, (64, 80)))


def cut_off_mask(root):
    path = root / "bg_fg_mask/bg001_fg007_01_mask.jpeg"
    path.write_bytes(path.read_bytes()[:-20])


def no_background(root):
    (root / "bg/bg001.jpeg").unlink()


LEFT_OUT = [
    (colour_mask, 1, r"the mask is uint8 \(64, 64, 3\), expected uint8 \(64, 64\) in grey"),
    (other_background, 2, r"the background is 80x64, its composite 64x64"),
    (cut_off_mask, 1, r"cannot read the mask: it is truncated"),
    (no_background, 2, r"bg001\.jpeg: there is no such picture"),
]


@pytest.mark.parametrize(
    ("damage", "count", "message"), LEFT_OUT, ids=lambda one: getattr(one, "__name__", "")
)
def test_what_cannot_be_used_is_left_out_and_listed(damage, count, message, tmp_path):
    whole = modest(tmp_path / "set")
    damage(tmp_path / "set")
    assert convert("modest", tmp_path / "set", tmp_path / "out") == 1
    assert len(list(native.read(tmp_path / "out"))) == whole - count
    listed = (tmp_path / "out/convert_faults.txt").read_text()
    assert len(listed.splitlines()) == count
    assert re.search(message, listed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bg001\tbg001_fg007_01\n", r"line 1: 2 names, expected those in bg, bg_fg, "),
        ("../bg\tx\ty\tz\n", r"line 1: bg is 'bg/\.\./bg', which leaves the folder"),
        ("\n", r"no composites: expected file_map\.txt with lines"),
    ],
)
def test_a_file_map_that_makes_no_sense_is_refused(text, message, tmp_path):
    modest(tmp_path)
    (tmp_path / "file_map.txt").write_text(text)
    with pytest.raises(LabelError, match=message):
        list(read("modest", tmp_path))


def test_a_set_that_is_none_is_refused(tmp_path):
    put(tmp_path / "a.jpg", composite(1))
    with pytest.raises(LabelError, match=r"no composites: expected N_bg_M_fg\.jpg in folders"):
        list(read("eva4", tmp_path))
    with pytest.raises(LabelError, match=r"file_map\.txt: there is no such file"):
        list(read("modest", tmp_path))


def test_nothing_is_taken_from_beside_the_set(tmp_path):
    """Masks of another set, which has pictures of the same names."""
    put(tmp_path / "set/1_bg.jpg", background(1, SIZE))
    put(tmp_path / "set/1_bg_7_fg.jpg", composite(1))
    put(tmp_path / "other_masks/1_bg_7_fg.jpg", MASK)
    with pytest.raises(LabelError, match=r"its mask is missing: .*set/1_bg_7_fg_mask\.jpg"):
        list(read("eva4", tmp_path / "set"))


@pytest.mark.parametrize("folder", ["set/masksFlip", "set/zip/masksFlip"])
def test_a_mirrored_mask_is_not_that_of_the_picture_as_it_is(tmp_path, folder):
    put(tmp_path / "set/1_bg.jpg", background(1, SIZE))
    put(tmp_path / "set/1_bg_7_fg.jpg", composite(1))
    put(tmp_path / folder / "1_bg_7_fg.jpg", FLIP)
    with pytest.raises(LabelError, match="its mask is missing"):
        list(read("eva4", tmp_path / "set"))


def test_a_composite_without_a_mask_is_named(tmp_path):
    eva4_by_names(tmp_path)
    (tmp_path / "out/3_bg_7_fg_mask.jpg").unlink()
    with pytest.raises(LabelError, match=r"3_bg_7_fg\.jpg: its mask is missing: .*3_bg_7_fg_mask"):
        list(read("eva4", tmp_path))
