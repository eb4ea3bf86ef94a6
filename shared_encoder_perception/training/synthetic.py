"""A first synthetic road: random worlds whose labels are exact.

Numpy and OpenCV only, so that the demo can drive through a world without torch.

    Drive(seed).render(distance_m)   one world, seen after some distance: increasing it is a video
    render_sample(seed)              one image of one world
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import LaneId, Size
from shared_encoder_perception.training.sample import (
    MASK_DRIVABLE,
    MASK_NOT_DRIVABLE,
    Sample,
)
from shared_encoder_perception.training.world.dice import World, roll_world
from shared_encoder_perception.training.world.paint import paint_ground
from shared_encoder_perception.training.world.road import SPLIT_BEHIND_M, lane_line, see_ground
from shared_encoder_perception.training.world.scene import (
    Prop,
    Vehicle,
    develop,
    draw_backdrop,
    draw_prop,
    draw_vehicle,
    paint_sky,
    place,
)

CALIBRATION_SEED = 900_000_000
VALIDATION_SEED = 1_000_000_000
"""Worlds are trained on with seeds below the first, calibrated on from there, and scored on from
the second."""

VISIBLE_M = (4.0, 140.0)
"""Range in which upright things are drawn."""


class Drive:
    """One random world, immutable and decided by its seed, and the drive through it."""

    def __init__(
        self, seed: int, size: Size = (320, 800), *, split_probability: float = 0.25
    ) -> None:
        """Roll the dice of a world.

        Args:
            seed: Decides everything.
            size: ``(height, width)`` of the images.
            split_probability: Chance that a lane branches off within sight.
        """
        self._seed = seed
        self._world: World = roll_world(np.random.default_rng(seed), size, split_probability)

    @property
    def split_start_m(self) -> float:
        """Where the split begins to leave, or 100 without one."""
        split = self._world.road.split
        return 100.0 if split is None else max(split.start_m - SPLIT_BEHIND_M, 0.0)

    def render(self, distance_m: float = 0.0) -> Sample:
        """Render the view after ``distance_m`` along the ego lane, with its labels."""
        world = self._world
        road, camera = world.road, world.camera
        lateral, height = road.profile(distance_m)
        ground = see_ground(camera, lateral, height)
        image = paint_sky(camera.size, *world.sky, camera.centre_px[1], world.clouds, self._seed)
        draw_backdrop(image, camera.centre_px[1] + 2, world.backdrop_px, world.backdrop, self._seed)
        colours, asphalt = paint_ground(
            camera, road, ground, world.surface, world.markings, distance_m
        )
        haze = 1 - (1 - world.light.haze) ** (ground.z[ground.hit] / 100)
        image[ground.hit] = colours + haze[:, None] * (world.sky[1] - colours)
        mask = np.full(camera.size, MASK_NOT_DRIVABLE, np.uint8)
        mask[ground.hit] = np.where(asphalt, MASK_DRIVABLE, MASK_NOT_DRIVABLE)
        self._draw_upright(image, mask, distance_m)
        if world.bonnet_px:
            _draw_bonnet(image, mask, world.bonnet_px, world.bonnet)
        developed = develop(
            image, world.light, np.random.default_rng((self._seed, int(distance_m * 100)))
        )
        lanes = {lane: lane_line(camera, road, lane, distance_m) for lane in LaneId}
        return Sample(developed, lanes, mask, f"synthetic world {self._seed} at {distance_m:.1f} m")

    def _draw_upright(self, image: NDArray, mask: NDArray, distance_m: float) -> None:
        """Draw props and vehicles, far ones first (in place)."""
        things: list[tuple[float, Prop | Vehicle]] = []
        for prop in self._world.props:
            things.append(((prop.distance_m - distance_m) % self._world.loop_m, prop))
        for car in self._world.vehicles:
            ahead = car.distance_m + (car.speed - 1.0) * distance_m
            things.append((ahead % self._world.loop_m if car.speed < 1 else ahead, car))
        for ahead, thing in sorted(things, key=lambda item: -item[0]):
            if not VISIBLE_M[0] < ahead < VISIBLE_M[1]:
                continue
            point, scale = place(
                self._world.camera, self._world.road, distance_m, thing.offset_m, ahead
            )
            if isinstance(thing, Vehicle):
                draw_vehicle(image, mask, point, scale, thing)
            else:
                draw_prop(image, point, scale, thing)


def _draw_bonnet(
    image: NDArray[np.float32], mask: NDArray[np.uint8], height_px: float, colour: NDArray
) -> None:
    """Own bonnet at the bottom of the image (in place)."""
    rows, width = image.shape[0], image.shape[1]
    x = np.linspace(-1, 1, width)
    top = rows - height_px * (1 - 0.5 * x * x)
    below = np.arange(rows)[:, None] >= top[None, :]
    shade = np.linspace(1.2, 0.7, rows)[:, None, None] * np.ones((1, width, 1))
    image[below] = (np.float32(colour) * shade)[below]
    mask[below] = MASK_NOT_DRIVABLE


def render_sample(seed: int, size: Size = (320, 800)) -> Sample:
    """Render one image of one world, at a random distance into its drive; splits lie ahead."""
    drive = Drive(seed, size)
    return drive.render(float(np.random.default_rng((seed, 1)).uniform(0, drive.split_start_m)))
