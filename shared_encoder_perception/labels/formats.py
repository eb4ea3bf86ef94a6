# SPDX-License-Identifier: Apache-2.0
"""Every format that can be read, in one literal table; its module is imported when it is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.tasks.label_files import LabelError

PACKAGE: Final = "shared_encoder_perception.labels"
FORMATS: Final = MappingProxyType(
    {
        "native": ("native", {}, "our own: frames.jsonl"),
        "tusimple": ("adapters.tusimple", {}, "TuSimple: label_data_*.json"),
        "culane": ("adapters.culane", {}, "CULane: *.lines.txt"),
        "curvelanes": ("adapters.curvelanes", {}, "CurveLanes: *.lines.json"),
        "bdd100k": ("adapters.scalabel", {}, "BDD100K and Scalabel: poly2d, every release"),
        "camvid": (
            "adapters.label_ids",
            {"layout": "camvid"},
            "CamVid: colours, 12-class ids",
        ),
        "cityscapes": ("adapters.label_ids", {"layout": "cityscapes"}, "Cityscapes: labelIds"),
        "idd": ("adapters.label_ids", {"layout": "idd"}, "IDD lite: label ids"),
        "kitti_road": ("adapters.label_ids", {"layout": "kitti_road"}, "KITTI road: gt_image_2"),
        "kitti_semantics": ("adapters.label_ids", {"layout": "kitti_semantics"}, "KITTI semantics"),
        "masks": ("adapters.masks", {}, "images/ and masks/: where one may drive, by people"),
        "planes": ("adapters.planes", {}, "images/ and a folder of masks for each class"),
        "kitti_depth": (
            "adapters.depth_maps",
            {"layout": "kitti_depth"},
            "KITTI depth completion: image/, groundtruth_depth/, intrinsics/",
        ),
        "kitti_lidar": (
            "adapters.kitti_lidar",
            {},
            "KITTI object detection: the depth of the lidar's points",
        ),
        "nyu_depth": (
            "adapters.depth_maps",
            {"layout": "nyu_depth"},
            "NYU: *_colors.png, *_depth.png",
        ),
        "vkitti_depth": (
            "adapters.depth_maps",
            {"layout": "vkitti_depth"},
            "Virtual KITTI 2: rgb and depth",
        ),
        "carla_depth": (
            "adapters.depth_maps",
            {"layout": "carla_depth"},
            "CARLA: rgb/ and depth/ of one camera",
        ),
        "relative_depth": (
            "adapters.depth_maps",
            {"layout": "relative_depth"},
            "a teacher's inverse depth: images/, depth/",
        ),
        "eva4": (
            "adapters.picture_pairs",
            {"layout": "eva4"},
            "EVA4 session 15: N_bg_M_fg and their masks, bg/: things pasted on backgrounds",
        ),
        "modest": (
            "adapters.picture_pairs",
            {"layout": "modest"},
            "MODEST Museum: file_map.txt, bg/, bg_fg/, bg_fg_mask/: the same",
        ),
        "yolo": ("adapters.yolo", {}, "YOLO polygons, as Roboflow and Ultralytics lay them out"),
        "cvat": ("adapters.cvat", {}, "CVAT for images 1.1, of dataset export, corrected"),
        "labelme": ("adapters.labelme", {}, "Labelme, of dataset export, corrected"),
        "coco": ("adapters.coco", {}, "COCO instances, of dataset export, corrected"),
    }
)
"""Name -> (module, arguments of its ``read``, what it is)."""
RIG_FORMATS: Final = MappingProxyType(
    {
        "nuscenes": ("adapters.nuscenes", "nuScenes: samples/ and tables v1.0-*/: labelled rigs"),
        "carla": ("adapters.carla_rig", "CARLA: frames/*.json, cameras and actors: labelled rigs"),
    }
)
"""Name -> (module, what it is), of sets whose moments are those of several cameras."""


def read(name: str, path: Path, **options: Any) -> Iterator[LabelledFrame | LabelError]:
    """Read a data set frame by frame.

    Args:
        name: A key of ``FORMATS``.
        path: Its folder or label file, as the format's module says.
        options: Passed to the module's ``read``.

    Yields:
        Each frame, or what is wrong with its picture, which is no reason to end.

    Raises:
        ValueError: An unknown format.
        LabelError: A faulty label, with file and line.
    """
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}: use one of {list(FORMATS)}")
    module, arguments, _ = FORMATS[name]
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    reader = import_module(f"{PACKAGE}.{module}").read
    for option in options:
        if option not in signature(reader).parameters:
            raise ValueError(f"the format {name!r} has no option {option!r}")
    frames: Iterator[LabelledFrame | LabelError] = reader(path, **arguments, **options)
    return frames


def read_rigs(name: str, path: Path) -> Iterator[RigRecord | LabelError]:
    """Read a data set of several cameras, moment by moment.

    Args:
        name: A key of ``RIG_FORMATS``.
        path: Its folder.

    Yields:
        Each moment, or what is wrong with it, which is no reason to end.

    Raises:
        FileNotFoundError: There is no such folder.
        LabelError: A faulty label, with file and line.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    reader = import_module(f"{PACKAGE}.{RIG_FORMATS[name][0]}").read
    records: Iterator[RigRecord | LabelError] = reader(path)
    return records
