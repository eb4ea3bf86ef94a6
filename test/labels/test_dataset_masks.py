# SPDX-License-Identifier: Apache-2.0
"""Mask data sets in their public formats, written here: id maps, colour maps, polygons."""

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import lanes_of, mask_of

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import formats, native
from shared_encoder_perception.labels.adapters.label_ids import read
from shared_encoder_perception.labels.adapters.layouts import LAYOUTS
from shared_encoder_perception.tasks.label_files import LabelError

SIZE = (40, 60)
EXPECTED = np.zeros(SIZE, np.uint8)
EXPECTED[20:] = 255
EXPECTED[:, :5] = 127


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def id_map(drivable, ignored, rest):
    return np.select([EXPECTED == 255, EXPECTED == 127], [drivable, ignored], rest).astype(np.uint8)


def colour_map(drivable, ignored, rest):
    """RGB colours -> a BGR picture."""
    pixels = np.empty((*SIZE, 3), np.uint8)
    for value, colour in ((255, drivable), (127, ignored), (0, rest)):
        pixels[value == EXPECTED] = colour[::-1]
    return pixels


CITYSCAPES = id_map(7, 9, 8)
SETS = {
    "camvid ids": ("camvid", "train/a.png", "trainannot/a.png", id_map(3, 11, 4)),
    "camvid colours": (
        *("camvid", "images/a.png", "labels/a_L.png"),
        colour_map((128, 64, 128), (0, 0, 0), (0, 0, 192)),
    ),
    "cityscapes": (
        "cityscapes",
        "leftImg8bit/train/ulm/ulm_1_leftImg8bit.png",
        "gtFine/train/ulm/ulm_1_gtFine_labelIds.png",
        CITYSCAPES,
    ),
    "idd": (
        *("idd", "leftImg8bit/val/12/007_image.jpg", "gtFine/val/12/007_label.png"),
        id_map(0, 255, 1),
    ),
    "kitti_road": (
        *("kitti_road", "training/image_2/um_000003.png", "training/gt_image_2/um_road_000003.png"),
        colour_map((255, 0, 255), (0, 0, 0), (255, 0, 0)),
    ),
    "kitti_semantics": (
        *("kitti_semantics", "training/image_2/1_10.png", "training/semantic/1_10.png"),
        CITYSCAPES,
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_maps_become_masks(tmp_path, name):
    layout, image, label, pixels = SETS[name]
    save(tmp_path / image, np.zeros((*SIZE, 3), np.uint8))
    save(tmp_path / label, pixels)
    (frame,) = formats.read(layout, tmp_path)
    assert np.array_equal(mask_of(frame), EXPECTED)
    assert (frame.name, frame.size, lanes_of(frame)) == (image, SIZE, {})
    out = tmp_path / "native"
    assert main(["dataset", "convert", layout, str(tmp_path), "--out", str(out)]) == 0
    (again,) = native.read(out)
    assert np.array_equal(mask_of(again), EXPECTED)
    assert main(["dataset", "validate", str(out)]) == 0


def test_colours_that_a_map_should_not_have_are_no_negatives(tmp_path):
    """A few, as of smoothed borders, are ignored and counted; many are no map of this set."""
    layout, image, label, pixels = SETS["camvid colours"]
    save(tmp_path / image, np.zeros((*SIZE, 3), np.uint8))
    strange = pixels.copy()
    strange[19:21, 10:40] = (1, 2, 3)
    save(tmp_path / label, strange)
    (frame,) = formats.read(layout, tmp_path)
    expected = EXPECTED.copy()
    expected[19:21, 10:40] = 127
    assert np.array_equal(mask_of(frame), expected)
    assert frame.notes == ("the map has colours that the data set does not have: ignored",)
    strange[:20, 10:] = (1, 2, 3)
    save(tmp_path / label, strange)
    (frame,) = formats.read(layout, tmp_path)
    with pytest.raises(LabelError, match=r"% of the map has colours that camvid.*\[3, 2, 1\]"):
        mask_of(frame)


def test_every_layout_is_tested():
    assert {layout for layout, *_ in SETS.values()} == set(LAYOUTS)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((9, 9), np.uint8), "the map is .9, 9"),
        (np.zeros(SIZE, np.uint16), "uint16"),
        (np.zeros((*SIZE, 3), np.uint8), "has colours, cityscapes has one channel"),
        (np.full(SIZE, 40, np.uint8), r"class ids \[40\]: cityscapes has 34"),
    ],
)
def test_wrong_maps_are_named(tmp_path, pixels, message):
    _, image, label, _ = SETS["cityscapes"]
    save(tmp_path / image, np.zeros((*SIZE, 3), np.uint8))
    save(tmp_path / label, pixels)
    (frame,) = formats.read("cityscapes", tmp_path)
    with pytest.raises(LabelError, match=rf"ulm_1_gtFine_labelIds\.png: .*{message}"):
        mask_of(frame)


def test_instances_of_cityscapes_come_along(tmp_path):
    """Values below 1000 are classes without a single object; a set without the files has none."""
    _, image, label, ids = SETS["cityscapes"]
    save(tmp_path / image, np.zeros((*SIZE, 3), np.uint8))
    save(tmp_path / label, ids)
    (frame,) = formats.read("cityscapes", tmp_path)
    assert frame.labels["semantic"]().instances is None
    pixels = np.full(SIZE, 26, np.uint16)
    pixels[:, :40], pixels[:, 40:50] = 26000, 26001
    path = tmp_path / label.replace("labelIds", "instanceIds")
    save(path, pixels)
    for classes in ("", "cityscapes19"):
        (frame,) = formats.read("cityscapes", tmp_path, classes=classes)
        read = frame.labels["semantic"]()
        assert read.instances.dtype == np.uint16
        np.testing.assert_array_equal(read.instances, np.where(pixels < 1000, 0, pixels))
    save(path, pixels.astype(np.uint8))
    (frame,) = formats.read("cityscapes", tmp_path)
    with pytest.raises(LabelError, match=r"instanceIds\.png: the map of instances is uint8"):
        frame.labels["semantic"]()


def test_missing_maps_and_layouts_are_named(tmp_path):
    _, image, label, _ = SETS["kitti_road"]
    with pytest.raises(LabelError, match=r"no pictures with maps: expected training/image_2"):
        list(formats.read("kitti_road", tmp_path))
    save(tmp_path / image, np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / label).parent.mkdir(parents=True)
    with pytest.raises(LabelError, match=r"its map is missing: um_road_000003\.png"):
        list(formats.read("kitti_road", tmp_path))
    with pytest.raises(ValueError, match=r"'mapillary'.*camvid"):
        list(read(tmp_path, "mapillary"))
    with pytest.raises(ValueError, match=r"unknown format 'mapillary'"):
        formats.read("mapillary", tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no"):
        formats.read("camvid", tmp_path / "none")


@pytest.mark.parametrize("road", [(128, 64, 128), (1, 2, 3)])
def test_palettes_are_ids_or_colours(tmp_path, road):
    """Ids with CamVid's colours as palette are read by colour, with any other palette by id."""
    save(tmp_path / "train/a.png", np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "trainannot").mkdir()
    ids = Image.fromarray(id_map(3, 11, 4)).convert("P")
    palette = np.full((256, 3), 60, np.uint8)
    palette[3], palette[11] = road, 0
    ids.putpalette(palette.tobytes())
    ids.save(tmp_path / "trainannot/a.png")
    (frame,) = formats.read("camvid", tmp_path)
    assert np.array_equal(mask_of(frame), EXPECTED)


def test_pictures_without_any_map_are_named(tmp_path):
    """A split whose folder of maps is missing must not vanish, but for `test`."""
    for split in ("train", "test"):
        save(tmp_path / f"leftImg8bit/{split}/1/a_image.jpg", np.zeros((*SIZE, 3), np.uint8))
    save(tmp_path / "gtFine/train/1/a_label.png", id_map(0, 255, 1))
    assert len(list(formats.read("idd", tmp_path))) == 1
    save(tmp_path / "leftImg8bit/val/1/a_image.jpg", np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(LabelError, match=r"val/1: the maps of these pictures are missing"):
        list(formats.read("idd", tmp_path))


# ---- YOLO ----------------------------------------------------------------------------------------


def yolo(folder, label, names="['car', 'Road-Segmentation']"):
    (folder / "data.yaml").write_text(f"names: {names}\nnc: 2\n")
    save(folder / "train/images/a.jpg", np.zeros((*SIZE, 3), np.uint8))
    if label is not None:
        (folder / "train/labels").mkdir()
        (folder / "train/labels/a.txt").write_text(label)


@pytest.mark.parametrize("names", ["['car', 'Road-Segmentation']", "{0: car, 1: road}"])
def test_yolo_polygons_become_masks(tmp_path, names):
    yolo(tmp_path, "1 0 0.5 1 0.5 1 1 0 1\n0 0 0 1 0 1 0.2 0 0.2\n\n", names)
    (frame,) = formats.read("yolo", tmp_path)
    mask = mask_of(frame)
    assert (mask[21:] == 255).all()
    assert (mask[:19] == 0).all()


def test_pictures_are_turned_as_exif_says(tmp_path):
    """The label's coordinates belong to the picture as every viewer shows it."""
    yolo(tmp_path, "1 0 0.5 1 0.5 1 1 0 1\n")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (SIZE[1], SIZE[0])).save(tmp_path / "train/images/a.jpg", exif=exif)
    (frame,) = formats.read("yolo", tmp_path)
    assert frame.size == SIZE[::-1]
    assert frame.load().image.shape[:2] == frame.size


def test_overlapping_polygons_do_not_cancel(tmp_path):
    whole = "0 0 1 0 1 1 0 1"
    yolo(tmp_path, f"1 {whole}\n1 {whole}\n")
    (frame,) = formats.read("yolo", tmp_path)
    assert (mask_of(frame) == 255).mean() > 0.9


@pytest.mark.parametrize("label", [None, ""])
def test_yolo_without_polygons_has_nothing_drivable(tmp_path, label):
    yolo(tmp_path, label)
    (frame,) = formats.read("yolo", tmp_path)
    assert (mask_of(frame) == 0).all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0.5 0.5 0.1 0.1", "a box, expected a polygon"),
        ("1 0.5 0.5 0.1 0.1 0.7", "5 numbers"),
        ("1 0.5 0.5 0.1 x 0.7 0.7", "are numbers"),
        ("1 0.5 0.5 0.1 7 0.7 0.7", "from 0 to 1"),
        ("road 0 0 1 1 0 1", "class is 'road'"),
        ("2 0 0 1 1 0 1", r"class is '2', expected one of data.yaml's: \[0, 1\]"),
    ],
)
def test_yolo_faults(tmp_path, line, message):
    yolo(tmp_path, f"1 0 0 1 0 1 1\n{line}\n")
    with pytest.raises(LabelError, match=rf"a\.txt, line 2: .*{message}"):
        list(formats.read("yolo", tmp_path))


def test_yolo_classes_must_name_a_road(tmp_path):
    yolo(tmp_path, None, "['car', 'tree']")
    with pytest.raises(LabelError, match=r"data\.yaml: none of the classes \['car', 'tree'\]"):
        list(formats.read("yolo", tmp_path))
    (tmp_path / "data.yaml").write_text("names: [\n")
    with pytest.raises(LabelError, match=r"data\.yaml, line \d: not YAML"):
        list(formats.read("yolo", tmp_path))
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(LabelError, match="no such file"):
        list(formats.read("yolo", tmp_path))


CALIBRATION = """P2: 100 0 30 0 0 100 10 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_cam_to_road: 1 0 0 0 0 1 0 -1.65 0 0 1 0
"""


def test_kitti_road_says_where_the_road_lies(tmp_path):
    """Pixel (30, 10 + 165 / 10) shows the road 10 m ahead, one to the left of it lies left."""
    _, image, label, pixels = SETS["kitti_road"]
    save(tmp_path / image, np.zeros((*SIZE, 3), np.uint8))
    save(tmp_path / label, pixels)
    (frame,) = formats.read("kitti_road", tmp_path)
    assert frame.labels["drivable_surface"]().homography is None
    path = tmp_path / "training/calib/um_000003.txt"
    path.parent.mkdir()
    path.write_text(CALIBRATION)
    (frame,) = formats.read("kitti_road", tmp_path)
    read = frame.labels["drivable_surface"]()
    read.check(SIZE)
    matrix = read.homography
    for pixel, metres in (((30, 26.5), (10, 0)), ((10, 26.5), (10, 2)), ((30, 18.25), (20, 0))):
        x, y, scale = matrix @ (*pixel, 1)
        np.testing.assert_allclose((x / scale, y / scale), metres, atol=1e-9)
    path.write_text("P2: 1")
    (frame,) = formats.read("kitti_road", tmp_path)
    with pytest.raises(LabelError, match=r"um_000003\.txt: P2 has 1 numbers, expected 12"):
        frame.labels["drivable_surface"]()
