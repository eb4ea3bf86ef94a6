# SPDX-License-Identifier: Apache-2.0
"""What hides the ground: vehicles by their classes, anything nearer by its depth; else 15 m."""

import numpy as np
import pytest
from driven_bags import straight_path
from test_footprint import AHEAD, SIZE, WIDTH_M, lens

from shared_encoder_perception import tasks
from shared_encoder_perception.adapt.footprint import Strip
from shared_encoder_perception.adapt.hiding import NEAR_ONLY_M, rule_of
from shared_encoder_perception.spec import blocks
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

ALL = ("lanes", "drivable_surface", "semantic", "depth")


@pytest.fixture(scope="module")
def footprint():
    """Return ground driven over, 4 to 30 m ahead."""
    return Strip(straight_path(), WIDTH_M).seen(10**9, lens(), AHEAD, 4.0, 30.0)


def test_classes_are_asked_before_depth_and_depth_before_nobody():
    assert rule_of(blocks(*ALL)).task == "semantic"
    assert rule_of(blocks("drivable_surface", "depth")).task == "depth"
    alone = rule_of(blocks("drivable_surface"))
    assert (alone.task, alone.far_m) == ("", NEAR_ONLY_M)


def test_classes_without_categories_tell_nothing():
    named = blocks("drivable_surface", "semantic")
    block = named["semantic"]
    plain = tuple(type(one)(one.id, one.name, "", one.colour, False) for one in block.classes)
    assert rule_of(named | {"semantic": type(block)(plain)}).task == ""


def test_where_nobody_tells_only_near_ground_is_used(footprint):
    left = rule_of(blocks("drivable_surface")).cut(footprint, lens(), Perception(SIZE, {}))
    kept = left.plane == YES
    assert kept.any()
    assert footprint.away[kept].max() <= NEAR_ONLY_M
    assert (footprint.plane[~kept] == YES).sum() > 100


def test_ground_behind_a_vehicle_is_not_known_and_the_rest_stays(footprint):
    rule = rule_of(blocks("drivable_surface", "semantic"))
    classes = blocks("semantic")["semantic"].classes
    ids = {one.name: one.id for one in classes}
    seen = np.full(SIZE, ids["road"], np.uint8)
    seen[70:100, 140:180] = ids["vehicle"]
    answer = tasks.part("semantic", "answer").Answer(seen, np.full(SIZE, 255, np.uint8), classes)
    left = rule.cut(footprint, lens(), Perception(SIZE, {"semantic": answer}))
    assert (left.plane[70:100, 140:180] == NOT_KNOWN).all()
    below = footprint.plane[110:] == YES
    assert below.any()
    assert (left.plane[110:][below] == YES).all()


def depths(footprint, at_m=None, kind="metric", scale=1.0):
    """Return the depth of the ground, with a wall in it at some distance."""
    flat = np.where(np.isnan(footprint.depth), np.float32(50), footprint.depth)
    if at_m is not None:
        flat[:100] = np.minimum(flat[:100], at_m)
    focal = float("nan") if kind == "relative" else 300.0
    depth = (flat * scale).astype(np.float32)
    return tasks.part("depth", "answer").Answer(depth, kind=kind, focal_px=focal)


@pytest.mark.parametrize(("kind", "scale"), [("metric", 1.0), ("relative", 0.01)])
def test_ground_behind_something_nearer_is_not_known(footprint, kind, scale):
    rule = rule_of(blocks("drivable_surface", "depth"))
    free, wall = (
        rule.cut(
            footprint, lens(), Perception(SIZE, {"depth": depths(footprint, at_m, kind, scale)})
        ).plane
        for at_m in (None, 8.0)
    )
    assert np.array_equal(free, footprint.plane)
    with np.errstate(invalid="ignore"):
        behind = (footprint.depth > 10.1) & (np.arange(SIZE[0]) < 100)[:, None]
    assert behind.any()
    assert (wall[behind] == NOT_KNOWN).all()
    assert (wall[100:] == footprint.plane[100:]).all()
