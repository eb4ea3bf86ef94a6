# SPDX-License-Identifier: Apache-2.0
"""Public sets with depth, written here as they are laid out, become native ones."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.adapters.depth_maps import carla_depth
from shared_encoder_perception.labels.adapters.kitti_lidar import sparse_depth
from shared_encoder_perception.labels.dataset import add_arguments, run
from shared_encoder_perception.labels.formats import read
from shared_encoder_perception.tasks.depth.depth_msg import pinhole
from shared_encoder_perception.tasks.label_files import LabelError

SWEEPS = Path(__file__).parents[2].parent / "shared/data/kitti_lidar"
SIZE = (24, 48)
TRUTH = np.full(SIZE, 12.5, np.float32)
TRUTH[:4] = np.nan
TRUTH[4:8] = 40.0


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    assert cv2.imwrite(str(path), noise)


def steps(path, scale, values=TRUTH):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.nan_to_num(values * scale).astype(np.uint16))


def kitti(root):
    name = "2011_09_26_drive_0002_sync_{}_0000000005_image_02"
    picture(root / "image" / f"{name.format('image')}.png")
    steps(root / "groundtruth_depth" / f"{name.format('groundtruth_depth')}.png", 256)
    path = root / "intrinsics" / f"{name.format('image')}.txt"
    path.parent.mkdir()
    path.write_text("700.5 0 20 0 701.5 10 0 0 1\n")
    return 701.5


def nyu(root):
    picture(root / "bedroom/00001_colors.png")
    steps(root / "bedroom/00001_depth.png", 1000)
    return 518.86 * SIZE[1] / 640


def vkitti(root):
    folder = root / "Scene01/clone/frames"
    picture(folder / "rgb/Camera_0/rgb_00001.jpg")
    steps(folder / "depth/Camera_0/depth_00001.png", 100)
    return 725.0087 * SIZE[1] / 1242


def carla(root):
    picture(root / "rgb/000001.png")
    code = np.round(np.nan_to_num(TRUTH).astype(float) / 1000 * (256**3 - 1)).astype(np.int64)
    planes = [code >> 16, (code >> 8) & 255, code & 255]
    (root / "depth").mkdir()
    bgra = np.stack([*planes, np.full(SIZE, 255)], axis=-1).astype(np.uint8)
    cv2.imwrite(str(root / "depth/000001.png"), bgra)
    return 300.0


SETS = {"kitti_depth": kitti, "nyu_depth": nyu, "vkitti_depth": vkitti, "carla_depth": carla}


def convert(name, root, out, *more):
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(["convert", name, str(root), "--out", str(out), *more]))


@pytest.mark.parametrize("name", SETS)
def test_a_set_becomes_native_metre_for_metre(name, tmp_path):
    focal = SETS[name](tmp_path / "set")
    more = ("--focal-px", "300") if name == "carla_depth" else ()
    assert convert(name, tmp_path / "set", tmp_path / "out", *more) == 0
    (frame,) = native.read(tmp_path / "out")
    label = frame.labels["depth"]()
    np.testing.assert_allclose(label.depth, TRUTH, atol=0.006)
    assert label.focal_px == pytest.approx(focal, abs=1e-3)
    assert frame.source == name


def test_a_teachers_inverse_depth_is_relative(tmp_path):
    picture(tmp_path / "set/images/a.jpg")
    steps(tmp_path / "set/depth/a.png", 65535, np.nan_to_num(1 / TRUTH))
    assert convert("relative_depth", tmp_path / "set", tmp_path / "out") == 0
    (frame,) = native.read(tmp_path / "out")
    label = frame.labels["depth"]()
    assert label.kind == "relative" and math.isnan(label.focal_px)
    np.testing.assert_allclose(label.depth, TRUTH, rtol=5e-3)


def test_a_camera_that_nobody_describes_is_asked_for(tmp_path):
    carla(tmp_path)
    with pytest.raises(LabelError, match="give --focal-px"):
        list(read("carla_depth", tmp_path))


def test_maps_of_another_kind_are_refused(tmp_path):
    nyu(tmp_path)
    cv2.imwrite(str(tmp_path / "bedroom/00001_depth.png"), np.full(SIZE, 9, np.uint8))
    (frame,) = read("nyu_depth", tmp_path)
    with pytest.raises(LabelError, match=r"uint8 .*expected uint16"):
        frame.labels["depth"]()


def test_a_picture_without_its_map_is_named(tmp_path):
    picture(tmp_path / "a/00002_colors.png")
    with pytest.raises(LabelError, match=r"its depth map is missing: .*00002_depth\.png"):
        list(read("nyu_depth", tmp_path))
    with pytest.raises(LabelError, match="no pictures"):
        list(read("vkitti_depth", tmp_path))


def test_carlas_code_is_along_the_axis_and_its_end_is_beyond():
    code = np.array([[[0, 0, 0], [255, 255, 255], [0, 1, 0], [1, 0, 0]]], np.uint8)
    unknown, beyond, green, blue = carla_depth(code)[0]
    assert math.isnan(unknown) and math.isinf(beyond)
    assert green == pytest.approx(256 / (256**3 - 1) * 1000)
    assert blue == pytest.approx(65536 / (256**3 - 1) * 1000)


def test_the_nearest_point_of_a_pixel_is_seen():
    camera = pinhole(40.0, SIZE)
    middle = np.array([0.0, 0.0, 1.0])
    points = np.array([middle * 9, middle * 5, middle * 7, [0, 0, -4.0], [50.0, 0, 5.0]])
    depth = sparse_depth(points, camera)
    assert np.nanmin(depth) == np.nanmax(depth) == 5.0 and np.isfinite(depth).sum() == 1


@pytest.mark.skipif(not SWEEPS.is_dir(), reason=f"there are no frames of KITTI in {SWEEPS}")
def test_kittis_sweeps_are_sparse_depth():
    """On real frames: depth of a few percent of the pixels, up to 80 m."""
    frames = list(read("kitti_lidar", SWEEPS))
    assert len(frames) == 3
    for frame in frames:
        label = frame.labels["depth"]()
        known = np.isfinite(label.depth)
        assert 0.01 < known.mean() < 0.1 and 60 < label.depth[known].max() < 90
        assert label.focal_px == pytest.approx(721.5, abs=20)
