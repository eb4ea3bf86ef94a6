# SPDX-License-Identifier: Apache-2.0
"""A synthetic road: random worlds that know exactly what they show.

Numpy and OpenCV only, so that the demo can drive through a world without torch.

    Drive(seed).render(distance_m)   one world, seen after some distance: increasing it is a video
    render_sample(seed)              one image of one world, with the exact labels of every task
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.alignment import FAR_M, Profile
from shared_encoder_perception.world.atlas import Atlas
from shared_encoder_perception.world.bare_surfaces import resurfaced
from shared_encoder_perception.world.camera import Camera, see_ground
from shared_encoder_perception.world.choice import ANY, Choice
from shared_encoder_perception.world.depth import Depth
from shared_encoder_perception.world.dice import World, roll_world
from shared_encoder_perception.world.dice_traffic import with_traffic
from shared_encoder_perception.world.ground import DRIVABLE_SHARE, reflect, shade_ground
from shared_encoder_perception.world.markings import paint_lines
from shared_encoder_perception.world.pair import PAIR_DICE, taken_before
from shared_encoder_perception.world.pave import LOOP_M, pave, shadow
from shared_encoder_perception.world.rendered import (
    CLASSES,
    DISTANCES,
    DRIVABLE,
    EMPTY,
    NOT_DRIVABLE,
    Rendered,
)
from shared_encoder_perception.world.road import SPLIT_BEHIND_M, centre_lines
from shared_encoder_perception.world.roadside import RAIL_PIECES_M, draw_prop, draw_rail
from shared_encoder_perception.world.sensor import develop
from shared_encoder_perception.world.sky import paint_sky
from shared_encoder_perception.world.vehicles import NEAREST_M, Vehicle, draw_vehicle
from shared_encoder_perception.world.view import View

CALIBRATION_SEED: Final = 900_000_000
VALIDATION_SEED: Final = 1_000_000_000
"""Worlds are trained on with seeds below the first, calibrated on from there, and scored on from
the second."""
SPLIT_PROBABILITY: Final = 0.25
"""Chance that a lane branches off within sight, where nothing else is asked for."""
NEAR_TRAFFIC_M: Final = (6.0, 45.0)
"""Distances ahead between which somebody is seen in a world with traffic."""
TRAFFIC_DICE, SURFACE_DICE = 2, 9
"""Beside the seed: dice that leave those of the world alone."""
BEHIND_M: Final = {"house": 20.0, "bridge": 12.0}
"""How far the near end of something long may be behind us while we still see its far end."""
PROP_M: Final = 2.5
"""Nearest distance at which other things beside the road are drawn."""


class Drive:
    """One random world, decided by its seed, and the drive through it.

    Attributes:
        world: What was rolled.
        stood_m: How far we had come while we stand, see ``parked``: it decides about the noise.
    """

    def __init__(
        self,
        seed: int,
        size: Size = (320, 800),
        *,
        split_probability: float = SPLIT_PROBABILITY,
        traffic_probability: float | None = None,
        choice: Choice = ANY,
    ) -> None:
        """Roll the dice of a world.

        Args:
            seed: Decides everything.
            size: ``(height, width)`` of the images.
            split_probability: Chance that a lane branches off within sight.
            traffic_probability: Chance that somebody is seen near by when the drive begins; else
                there is nobody at all. ``None``: as the dice fall, nobody in most worlds. The rest
                of the world is the same.
            choice: What it is to be like.
        """
        self._seed, self.stood_m = seed, 0.0
        dice = np.random.default_rng(seed)
        world = roll_world(dice, size, split_probability, choice.places, choice.weathers)
        if choice.surfaces:
            world = resurfaced(np.random.default_rng((seed, SURFACE_DICE)), world, choice.surfaces)
        if traffic_probability is not None:
            dice = np.random.default_rng((seed, TRAFFIC_DICE))
            was = (world.road, world.place, world.vehicles)
            vehicles = with_traffic(dice, *was, traffic_probability, NEAR_TRAFFIC_M)
            world = replace(world, vehicles=vehicles)
        self.world: World = world

    def without_traffic(self) -> Drive:
        """Return the same drive where nobody drives, stands or walks, seen by the same camera.

        The picture's noise is the same, too: what differs is the traffic, its shadows, its mirror
        images in a wet road and the light of its lamps.
        """
        empty = copy(self)
        empty.world = replace(self.world, vehicles=())
        return empty

    @property
    def split_start_m(self) -> float:
        """Where the branch begins to leave, or 100 without one."""
        branch = self.world.road.branch
        return 100.0 if branch is None else max(branch.start_m - SPLIT_BEHIND_M, 0.0)

    def render(self, distance_m: float = 0.0, asked: Collection[str] = ()) -> Rendered:
        """Render the view after ``distance_m`` along the ego lane.

        Args:
            distance_m: Where we are.
            asked: What else is to be known of it: ``CLASSES``, ``DISTANCES`` and ``EMPTY`` of
                ``rendered``.
        """
        world = self.world
        profile = world.road.alignment.ahead(distance_m)
        ids = np.empty(world.camera.size, np.uint8) if CLASSES in asked else None
        depth = Depth(world.camera) if DISTANCES in asked else None
        image, mask = self._painted(profile, distance_m, ids, depth)
        at = int((distance_m + self.stood_m) * 100)
        developed = develop(image, world.sensor, np.random.default_rng((self._seed, at)))
        empty = None
        if EMPTY in asked:
            scene, _ = self.without_traffic()._painted(profile, distance_m, None, None)
            dice = np.random.default_rng((self._seed, PAIR_DICE, at))
            empty = taken_before(scene, world.sensor, dice)
        lines = centre_lines(world.camera, world.road, profile, distance_m)
        name = f"synthetic world {self._seed} at {distance_m:.1f} m"
        values = None if depth is None else depth.values
        return Rendered(developed, lines, mask, world.camera, name, ids, values, empty)

    def _painted(
        self,
        profile: Profile,
        distance_m: float,
        classes: NDArray[np.uint8] | None,
        depth: Depth | None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The scene before lens and sensor, and the mask; ``classes`` and ``depth`` in place."""
        world = self.world
        image, mask = self._ground(profile, distance_m, classes, depth)
        view = View(world.camera, profile, world.air, image, mask, classes, depth)
        for light in world.lights:
            centre = np.array((light.column_px, world.camera.horizon_px - light.above_px))
            view.glow(centre, light.radius_px, light.colour, 0.9)
        self._draw_upright(view, distance_m)
        if world.bonnet_px:
            view.bonnet(world.bonnet_px, world.bonnet)
        return image, mask

    def _ground(
        self,
        profile: Profile,
        distance_m: float,
        classes: NDArray[np.uint8] | None,
        depth: Depth | None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Sky and ground, and the mask; ``classes`` and ``depth`` in place."""
        world = self.world
        camera = world.camera
        ground = see_ground(camera, profile)
        if depth is not None:
            depth.ground(ground)
        atlas = Atlas(classes is not None)
        pave(atlas, world.road, world.surface, distance_m)
        paint_lines(atlas, world.road, world.lines, world.gore, distance_m)
        for vehicle in world.vehicles:
            ahead = _ahead(vehicle, distance_m)
            if ahead < FAR_M:
                shadow(atlas, vehicle.footprint(ahead, 0.1), 0.75)
                if world.sun.strength > 0.1:
                    cast = world.sun.shadow(vehicle.footprint(ahead), 0.8 * vehicle.size_m[2])
                    shadow(atlas, cast, world.sun.strength)
        pixels, drivable, kinds = shade_ground(
            ground, atlas, world.surface, world.ground_light, world.air, distance_m
        )
        tilt = float(np.tan(camera.roll_rad))
        far = paint_sky(world.sky, camera.size, camera.horizon_px, tilt, classes)
        image = far.clip(0, 255).astype(np.uint8)
        if world.ground_light.wet > 0.05:
            reflect(image, pixels, drivable, camera, ground.first, world.ground_light.wet)
        hit = ground.hit.view(np.uint8)
        cv2.copyTo(pixels, hit, image[ground.first :])
        if classes is not None and kinds is not None:
            cv2.copyTo(kinds, hit, classes[ground.first :])
        mask = np.full(camera.size, NOT_DRIVABLE, np.uint8)
        mask[ground.first :] = (hit & (drivable > DRIVABLE_SHARE)) * DRIVABLE
        return image, mask

    def _draw_upright(self, view: View, distance_m: float) -> None:
        """Draw what stands and drives, far things first (in place)."""
        world = self.world
        things: list[tuple[float, Callable[[], None]]] = []
        for prop in world.props:
            behind = BEHIND_M.get(prop.kind, -PROP_M)
            ahead = (prop.at_m - distance_m + behind) % LOOP_M - behind
            if ahead < FAR_M and (ahead < 5 or view.stands(ahead)):
                things.append((ahead, partial(draw_prop, view, prop, ahead)))
        for vehicle in world.vehicles:
            ahead = _ahead(vehicle, distance_m)
            if NEAREST_M < ahead < FAR_M and view.stands(ahead):
                things.append((ahead, partial(draw_vehicle, view, vehicle, ahead)))
        for rail in world.rails:
            for start, end in RAIL_PIECES_M:
                if view.stands(start):
                    piece = partial(draw_rail, view, rail, start, end, distance_m)
                    things.append(((start + end) / 2, piece))
        for _, draw in sorted(things, key=lambda thing: -thing[0]):
            draw()


def _ahead(vehicle: Vehicle, distance_m: float) -> float:
    """Distance to a vehicle's near end; whoever is not as fast as we are comes back."""
    ahead = vehicle.at_m + (vehicle.speed - 1.0) * distance_m
    return ahead if vehicle.speed == 1.0 else ahead % LOOP_M


PICTURE: Final = (320, 800)
"""``(height, width)`` of a camera's picture unless somebody says otherwise: more than most networks
take, as cameras' are."""


def render_sample(
    seed: int,
    size: Size = PICTURE,
    split_probability: float = SPLIT_PROBABILITY,
    camera: Callable[[Camera], Camera] | None = None,
    tasks: Collection[str] | None = None,
    traffic_probability: float | None = None,
    choice: Choice = ANY,
) -> Sample:
    """Render one image of one world with the labels of tasks; see ``render_world``."""
    world = render_world(seed, size, split_probability, camera, tasks, traffic_probability, choice)
    return label_world(world, tasks)


def render_world(
    seed: int,
    size: Size = PICTURE,
    split_probability: float = SPLIT_PROBABILITY,
    camera: Callable[[Camera], Camera] | None = None,
    tasks: Collection[str] | None = None,
    traffic_probability: float | None = None,
    choice: Choice = ANY,
) -> Rendered:
    """Render one image of one world, at a random distance into its drive; splits lie ahead.

    Args:
        seed: As of ``Drive``, like what follows.
        size: ``(height, width)`` of the image.
        split_probability: Chance that a lane branches off within sight.
        camera: Makes the camera that sees it of the one that was rolled.
        tasks: Whose labels are wanted, ``None`` for all: what none of them needs is not painted.
            The image is the same.
        traffic_probability: As of ``Drive``; then the image is of the drive's beginning.
        choice: As of ``Drive``.
    """
    drive = Drive(
        seed,
        size,
        split_probability=split_probability,
        traffic_probability=traffic_probability,
        choice=choice,
    )
    if camera is not None:
        drive.world = replace(drive.world, camera=camera(drive.world.camera))
    distance_m = float(np.random.default_rng((seed, 1)).uniform(0, drive.split_start_m))
    if traffic_probability is not None:
        distance_m = 0.0
    rooms = table.parts("labels", tasks).values()
    wanted = {what for room in rooms for what in getattr(room, "OF_WORLD", ())}
    return drive.render(distance_m, wanted)


def label_world(rendered: Rendered, tasks: Collection[str] | None = None) -> Sample:
    """Return an image of a world with the label of each of the tasks, or of all, that knows one."""
    labels = {task: room.of_world(rendered) for task, room in table.parts("labels", tasks).items()}
    known = {task: label for task, label in labels.items() if label is not None}
    return Sample(rendered.image, known, rendered.name)
