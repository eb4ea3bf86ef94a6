# SPDX-License-Identifier: Apache-2.0
"""How data sets with maps of class ids or colours keep them, and what their maps mean."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """How one data set keeps pictures and maps, and what its maps mean.

    Attributes:
        source: Name of the data set in our records.
        places: Pairs of folder patterns, of pictures and of their maps.
        renames: What changes from a picture's file name (without suffix) to its map's; the first
            map that exists is taken.
        ids: (drivable, ignored) class ids of maps with one channel or a palette.
        classes: Ids of such maps are below this, or ignored.
        colours: (drivable, ignored) RGB colours of three-channel maps.
        others: All their other colours; what is none of them is ignored, too.
        tables: Names of the tables of classes that ids, and that colours are of; empty for none.
        instances: What changes from a map's file name to that of its instances; empty for none.
        calibration: Folder of KITTI's calibration of each picture; empty for none.
        licence: In a few words.
    """

    source: str
    places: tuple[tuple[str, str], ...]
    renames: tuple[tuple[str, str], ...] = (("", ""),)
    ids: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    classes: int = 0
    colours: tuple[tuple[Colour, ...], tuple[Colour, ...]] = ((), ())
    others: tuple[Colour, ...] = ()
    tables: tuple[str, str] = ("", "")
    instances: tuple[str, str] = ("", "")
    calibration: str = ""
    licence: str = "non-commercial research"


CITYSCAPES_IDS: Final = ((7,), (0, 1, 2, 3, 6, 9))
"""Road; unlabelled, own car, border, out of region, ground and parking are ignored."""
CAMVID_OTHERS: Final = (
    *((64, 128, 64), (192, 0, 128), (0, 128, 192), (0, 128, 64), (128, 0, 0), (64, 0, 128)),
    *((64, 0, 192), (192, 128, 64), (192, 192, 128), (64, 64, 128), (128, 128, 64)),
    *((192, 0, 192), (128, 64, 64), (64, 192, 128), (64, 64, 0), (128, 128, 192), (0, 0, 192)),
    *((192, 128, 128), (128, 128, 128), (64, 128, 192), (0, 0, 64), (0, 64, 64), (192, 64, 128)),
    *((128, 128, 0), (192, 128, 192), (64, 0, 64), (192, 192, 0), (64, 192, 0)),
    *((60, 40, 222), (192, 192, 192)),
)
"""Animal to wall: the colours of the 32 classes but for road, lane markings and void. The last two
are pavement and pole, as the 12 classes are often drawn."""
LAYOUTS: Final = MappingProxyType(
    {
        "camvid": Layout(
            "camvid",
            (
                *((split, f"{split}annot") for split in ("train", "val", "test")),
                *((split, f"{split}_labels") for split in ("train", "val", "test")),
                ("701_StillsRaw_full", "LabeledApproved_full"),
                ("images", "labels"),
                ("images/*", "labels/*"),
            ),
            (("", ""), ("", "_L")),
            ids=((3,), (11,)),
            classes=12,
            colours=(
                ((128, 64, 128), (128, 0, 192), (192, 0, 64), (255, 69, 0)),
                ((0, 0, 0),),
            ),
            others=CAMVID_OTHERS,
            tables=("camvid11", "camvid32"),
        ),
        "cityscapes": Layout(
            "cityscapes",
            (("leftImg8bit/*/*", "gtFine/*/*"),),
            (("_leftImg8bit", "_gtFine_labelIds"),),
            ids=CITYSCAPES_IDS,
            classes=34,
            tables=("cityscapes34", ""),
            instances=("labelIds", "instanceIds"),
        ),
        "idd": Layout(
            "idd_lite",
            (("leftImg8bit/*/*", "gtFine/*/*"), ("images/*", "labels/*")),
            (("_image", "_label"), ("_leftImg8bit", "_label"), ("", "_label"), ("", "")),
            ids=((0,), (255,)),
            classes=7,
            tables=("idd7", ""),
        ),
        "kitti_road": Layout(
            "kitti_road",
            (("training/image_2", "training/gt_image_2"),),
            (("_", "_road_"),),
            colours=(((255, 0, 255),), ((0, 0, 0),)),
            others=((255, 0, 0),),
            calibration="training/calib",
        ),
        "kitti_semantics": Layout(
            "kitti_semantics",
            (("training/image_2", "training/semantic"),),
            ids=CITYSCAPES_IDS,
            classes=34,
            tables=("cityscapes34", ""),
        ),
    }
)
"""Name -> layout. CamVid's colours are Road and both lane marking classes, and Void; its ids are
those of the 12-class form. In KITTI road, red is labelled and not road, black is not labelled."""
