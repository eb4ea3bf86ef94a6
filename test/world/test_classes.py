# SPDX-License-Identifier: Apache-2.0
"""Classes are written where colours are: another colour changes pixels of its class only."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.world.classes import (
    BARRIER,
    BUILDING,
    CLASSES,
    MARKING,
    OWN_VEHICLE,
    PAVEMENT,
    PERSON,
    POLE,
    ROAD,
    SIGN,
    SKY,
    TERRAIN,
    VEGETATION,
    VEHICLE,
)
from shared_encoder_perception.world.rendered import DRIVABLE
from shared_encoder_perception.world.sensor import Sensor
from shared_encoder_perception.world.synthetic import Drive
from shared_encoder_perception.world.vehicles import BODIES

SIZE = (160, 400)
PLAIN = Sensor((1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 0.0, 0, 0)
PAINT = (250.0, 10.0, 250.0)
SEEDS = range(24)


def drive(seed):
    """A world whose picture is what was painted: no lens, no noise, no water."""
    made = Drive(seed, SIZE)
    light = replace(made.world.ground_light, wet=0.0)
    air = replace(made.world.air, ambient=1.0, headlights=0.0, visibility_m=5000.0)
    made.world = replace(made.world, sensor=PLAIN, ground_light=light, air=air, lights=())
    return made


def grown(mask):
    """With the pixels around it, which edges are smoothed into."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def repainted_props(world, *kinds):
    props = [replace(p, colour=PAINT) if p.kind in kinds else p for p in world.props]
    return replace(world, props=tuple(props))


def repainted_vehicles(world, bodies):
    return replace(
        world,
        vehicles=tuple(
            replace(one, colour=PAINT) if (one.kind in BODIES) == bodies else one
            for one in world.vehicles
        ),
    )


def repainted_surface(world, **colours):
    return replace(world, surface=replace(world.surface, **colours))


CHANGES = {
    "trees": (lambda w: repainted_props(w, "tree", "bush"), {VEGETATION}),
    "houses": (lambda w: repainted_props(w, "house", "bridge"), {BUILDING}),
    "poles": (lambda w: repainted_props(w, "pole"), {POLE}),
    "signs": (lambda w: repainted_props(w, "sign", "gantry"), {SIGN}),
    "cones": (lambda w: repainted_props(w, "cone"), {BARRIER}),
    "rails": (
        lambda w: replace(w, rails=tuple(replace(r, colour=PAINT, top=PAINT) for r in w.rails)),
        {BARRIER, VEGETATION},
    ),
    "vehicles": (lambda w: repainted_vehicles(w, True), {VEHICLE}),
    "people": (lambda w: repainted_vehicles(w, False), {PERSON}),
    "bonnet": (lambda w: replace(w, bonnet=PAINT), {OWN_VEHICLE}),
    "terrain": (
        lambda w: repainted_surface(w, terrain=(PAINT, PAINT), median=PAINT),
        {TERRAIN, PAVEMENT},
    ),
    "pavement": (lambda w: repainted_surface(w, pavement=PAINT, kerb=PAINT), {PAVEMENT}),
    "shoulder": (lambda w: repainted_surface(w, shoulder=PAINT), {ROAD, MARKING}),
    "clouds": (
        lambda w: replace(w, sky=replace(w.sky, top=PAINT, low=PAINT, cloud=PAINT)),
        {SKY},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_colour_changes_pixels_of_its_class_only(name):
    change, classes = CHANGES[name]
    seen = stray = 0
    for seed in SEEDS:
        one = drive(seed)
        if name == "bonnet":
            one.world = replace(one.world, bonnet_px=40.0)
        before = one.render(0.0, {"classes"})
        one.world = change(one.world)
        after = one.render(0.0, {"classes"})
        np.testing.assert_array_equal(before.classes, after.classes)
        changed = np.abs(before.image.astype(int) - after.image).max(axis=2) > 2
        # Leaves let through a little of what is behind them.
        own = grown(np.isin(before.classes, [*classes, VEGETATION]))
        seen += int(changed.sum())
        stray += int((changed & ~own).sum())
        if seen > 1500:
            break
    assert seen > 100, "no world shows any"
    # Two thin things in one pixel, a pole before a window: one class, a little of both colours.
    assert stray < 0.03 * seen


def test_paint_is_marking_where_it_shows():
    """Other paint changes what is a marking, and hardly anything else."""
    right = wrong = missed = 0
    for seed in range(12):
        one = drive(seed)
        light = one.world.ground_light
        looks = []
        for colour in ((255.0, 0.0, 0.0), (0.0, 0.0, 255.0)):
            one.world = replace(one.world, ground_light=replace(light, white=colour, yellow=colour))
            looks.append(one.render(0.0, {"classes"}))
        apart = np.abs(looks[0].image.astype(int) - looks[1].image).max(axis=2)
        marking = looks[0].classes == MARKING
        right += int((marking & (apart > 40)).sum())
        wrong += int((marking & (apart <= 5)).sum())
        missed += int((~marking & (apart > 120)).sum())
    assert right > 1000
    assert wrong < 0.02 * right and missed < 0.05 * right


def test_the_picture_is_the_same_with_classes_and_without():
    for seed in range(4):
        one, other = (Drive(seed, SIZE).render(5.0, asked) for asked in ((), {"classes"}))
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.drivable, other.drivable)
        assert one.classes is None


def test_every_pixel_has_a_class_and_where_one_may_drive_it_is_road():
    counts = np.zeros(len(CLASSES), int)
    drivable = np.zeros(len(CLASSES), int)
    for seed in SEEDS:
        shown = Drive(seed, SIZE).render(0.0, {"classes"})
        counts += np.bincount(shown.classes.ravel(), minlength=len(CLASSES))
        can = shown.classes[shown.drivable == DRIVABLE]
        drivable += np.bincount(can, minlength=len(CLASSES))
    assert counts.all(), "some class is never seen"
    assert drivable[[ROAD, MARKING]].sum() > 0.998 * drivable.sum()
    assert drivable[ROAD] > 0.98 * counts[ROAD]
