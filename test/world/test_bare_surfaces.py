# SPDX-License-Identifier: Apache-2.0
"""Carriageways that nobody gets who does not ask: what changes with them, and what must not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.world.atlas import COLOUR, WHITE
from shared_encoder_perception.world.bare_surfaces import SURFACES
from shared_encoder_perception.world.choice import Choice
from shared_encoder_perception.world.dice import roll_world
from shared_encoder_perception.world.rendered import DISTANCES, DRIVABLE
from shared_encoder_perception.world.sensor import Sensor
from shared_encoder_perception.world.synthetic import Drive

SIZE = (80, 200)
FAULTLESS = Sensor(
    gain=(1.0, 1.0, 1.0),
    gamma=1.0,
    contrast=0.0,
    vignette=0.0,
    noise=0.0,
    blur_px=0.0,
    motion_px=0,
    jpeg=0,
    glare=0.0,
    sun=(0.5, 0.0),
    rain=0.0,
    drops=0,
    flakes=0,
)
SEEDS = range(6)


def drive_on(seed, *names):
    return Drive(seed, SIZE, choice=Choice(surfaces=names))


def redness(world):
    """By how much each lane is more red than blue."""
    return [lane[2] - lane[0] for lane in world.surface.lanes]


@pytest.mark.parametrize("name", SURFACES)
def test_shape_labels_and_all_that_stands_stay_as_they_were(name):
    for seed in SEEDS:
        plain, other = (
            one.render(5.0, (DISTANCES,)) for one in (Drive(seed, SIZE), drive_on(seed, name))
        )
        assert np.array_equal(plain.drivable, other.drivable)
        assert np.array_equal(plain.depth, other.depth, equal_nan=True)
        assert plain.centre_lines.keys() == other.centre_lines.keys()
        for lane, points in plain.centre_lines.items():
            assert np.array_equal(points, other.centre_lines[lane])


@pytest.mark.parametrize("name", SURFACES)
def test_the_road_looks_otherwise_and_the_rest_as_it_did(name):
    """By a lens without faults: blur, water and compression carry colours over the border."""
    for seed in SEEDS:
        pictures = []
        for drive in (Drive(seed, SIZE), drive_on(seed, name)):
            light = replace(drive.world.ground_light, wet=0.0)
            drive.world = replace(drive.world, ground_light=light, sensor=FAULTLESS)
            pictures.append(drive.render())
        changed = (pictures[0].image != pictures[1].image).any(axis=2)
        road = (pictures[0].drivable == DRIVABLE).astype(np.uint8)
        beside = cv2.dilate(road, np.ones((9, 9), np.uint8)) == 0
        assert changed[road > 0].mean() > 0.9
        assert changed[beside].mean() < 0.02  # leaves and snow that lay along the edge


def test_the_same_seed_gives_the_same_surface_and_another_one_another():
    first, again, other = (drive_on(seed, "gravel").world.surface for seed in (3, 3, 4))
    assert first.lanes == again.lanes
    assert first.lanes != other.lanes


def test_the_dice_never_give_clay():
    """Its redness begins above all that 400 worlds have."""
    worlds = [roll_world(np.random.default_rng(seed), SIZE, 0.25) for seed in range(400)]
    reddest = max(value for world in worlds for value in redness(world))
    clay = [value for seed in range(40) for value in redness(drive_on(seed, "red clay").world)]
    assert min(clay) > reddest + 5


def test_the_dice_never_give_such_coarse_gravel():
    worlds = [roll_world(np.random.default_rng(seed), SIZE, 0.25) for seed in range(400)]
    coarsest = max(world.surface.roughness for world in worlds)
    assert min(drive_on(seed, "gravel").world.surface.roughness for seed in range(40)) > coarsest


def test_slabs_have_joints_and_keep_their_paint():
    for seed in SEEDS:
        plain, slabs = Drive(seed, SIZE).world, drive_on(seed, "concrete slabs").world
        assert slabs.lines == plain.lines
        white = [
            sum(one.layer == WHITE for one in world.surface.decals) for world in (plain, slabs)
        ]
        assert white[0] == white[1]
        joints = [one.at_m for one in slabs.surface.decals if one.layer == COLOUR]
        assert np.allclose(np.diff(joints), 5.0)
        assert len(joints) == 80


@pytest.mark.parametrize("name", ["red clay", "gravel"])
def test_what_is_not_paved_has_no_paint(name):
    for seed in SEEDS:
        world = drive_on(seed, name).world
        assert world.lines == ()
        assert world.gore is None
        assert not any(one.layer in (WHITE, COLOUR) for one in world.surface.decals)


def test_of_several_each_is_seen():
    seen = {drive_on(seed, *SURFACES).world.surface.roughness > 0.25 for seed in range(30)}
    assert seen == {True, False}
