# SPDX-License-Identifier: Apache-2.0
"""A drive through a random world, seen by all cameras of a rig, with what is true on the ground.

RigDrive(seed).render(distance_m)   one moment: increasing the distance is a video
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, YES, GroundLabel, GroundMap
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.alignment import Clothoids
from shared_encoder_perception.world.classes import OWN_VEHICLE
from shared_encoder_perception.world.depth import UNKNOWN
from shared_encoder_perception.world.dice import World, roll_world
from shared_encoder_perception.world.ground import DRIVABLE_SHARE, shade_ground
from shared_encoder_perception.world.markings import paint_lines
from shared_encoder_perception.world.pave import pave, shadow
from shared_encoder_perception.world.rendered import DRIVABLE, NOT_DRIVABLE
from shared_encoder_perception.world.rigs.canvas import Canvas
from shared_encoder_perception.world.rigs.course import Course
from shared_encoder_perception.world.rigs.dice_actors import roll_actors
from shared_encoder_perception.world.rigs.dice_rig import roll_rig
from shared_encoder_perception.world.rigs.ground_view import GroundView
from shared_encoder_perception.world.rigs.horizon import SkyView, panorama_of, roll_lights
from shared_encoder_perception.world.rigs.in_view import InView
from shared_encoder_perception.world.rigs.lens import Lens, lens_of
from shared_encoder_perception.world.rigs.own_body import paint_own
from shared_encoder_perception.world.rigs.roadside import Roadside
from shared_encoder_perception.world.rigs.round_atlas import RoundAtlas
from shared_encoder_perception.world.rigs.seen import RigView, SeenByCamera, shares_inside
from shared_encoder_perception.world.rigs.solids import Scene
from shared_encoder_perception.world.rigs.traffic import Actor, box_of
from shared_encoder_perception.world.sensor import Sensor, develop
from shared_encoder_perception.world.synthetic import SPLIT_PROBABILITY

RIG_SIZE: Final = (192, 480)
TRAFFIC_PROBABILITY: Final = 0.95
GRID: Final = BevGrid(-60.0, -60.0, 480, 480, 0.25)
"""Cells of the drivable ground's map."""
LABELLED_M: Final = 80.0
"""Distance up to which things are labelled."""
SIGHT_M: Final = 150.0
RIG_DICE, ACTOR_DICE, LIGHT_DICE, SENSOR_DICE = range(5, 9)
"""Beside the seed: dice that leave those of the world alone."""
CALM: Final = 0.4
"""Of the wander in the lane: traffic passes close by on both sides."""
DARKEST: Final = 0.12
"""Least brightness: to the sides and behind there are no headlights."""
ROUND_M: Final = np.concatenate(
    (np.arange(-180.0, -40, 7.0), np.arange(-40.0, 40, 2.0), np.arange(40.0, 188, 7.0))
)
FINE_ROUND_M: Final = np.arange(-184.0, 184.5, 1.0)


class RigDrive:
    """One random world on flat ground, traffic all round, and the drive through it.

    Attributes:
        world: What was rolled; its camera and its vehicles are not those that are seen.
        actors: Who is on the road instead.
        rig: The cameras.
        lights: Far away.
        yaw_rad: Heading of the vehicle against the road's direction, to the left.
    """

    def __init__(
        self,
        seed: int,
        rig: Rig | None = None,
        size: Size = RIG_SIZE,
        *,
        split_probability: float = SPLIT_PROBABILITY,
        traffic_probability: float = TRAFFIC_PROBABILITY,
        yaw_rad: float = 0.0,
    ) -> None:
        """Roll the dice of a world.

        Args:
            seed: Decides everything.
            rig: The cameras; ``None``: a random rig, see ``roll_rig``.
            size: ``(height, width)`` of a random rig's pictures.
            split_probability: Chance that a lane branches off within sight.
            traffic_probability: Chance of traffic, several of it near by; else nobody at all.
            yaw_rad: Heading of the vehicle against the road's direction, to the left.

        Raises:
            ValueError: A camera is not above the ground.
        """
        self._seed, self._rows = seed, size[0]
        self.rig = roll_rig(np.random.default_rng((seed, RIG_DICE)), size) if rig is None else rig
        for camera in self.rig.cameras:
            if camera.view.position[2] <= 0:
                raise ValueError(
                    f"camera {camera.name} is at a height of {camera.view.position[2]:g} m in the "
                    "vehicle's frame, whose z = 0 is the ground: expected above 0"
                )
        world = roll_world(np.random.default_rng(seed), size, split_probability)
        plain = world.road.alignment
        flat = Clothoids(plain.hills.knots_m, np.zeros_like(plain.hills.curvature))
        wander = replace(plain.wander, amplitude_m=CALM * plain.wander.amplitude_m)
        road = replace(world.road, alignment=replace(plain, hills=flat, wander=wander))
        air = replace(world.air, ambient=max(world.air.ambient, DARKEST))
        self.world: World = replace(
            world, road=road, air=air, vehicles=(), bonnet_px=0.0, lights=()
        )
        dice = np.random.default_rng((seed, ACTOR_DICE))
        self.actors: tuple[Actor, ...] = roll_actors(dice, self.world, traffic_probability)
        self.yaw_rad = yaw_rad
        lit = world.weather == "night"
        lights = roll_lights(np.random.default_rng((seed, LIGHT_DICE))) if lit else ()
        self.lights = lights
        turned = self.rig.turned(-yaw_rad) if yaw_rad else self.rig
        self._lenses = {camera.name: lens_of(camera.view) for camera in turned.cameras}
        self._grounds = {name: GroundView(lens) for name, lens in self._lenses.items()}
        self._skies = {name: SkyView(lens) for name, lens in self._lenses.items()}

    def render(self, distance_m: float = 0.0) -> RigFrame:
        """Render what all cameras see after ``distance_m`` along the ego lane, with its label."""
        return self.look(distance_m).frame

    def look(self, distance_m: float = 0.0) -> RigView:
        """Render the same, and what is known of each camera's pixels."""
        world = self.world
        course = Course.of(world.road.alignment, distance_m)
        atlas = self._atlas(course, distance_m)
        scene, boxes = self._scene(course, distance_m)
        seen: dict[str, SeenByCamera] = {}
        shares = np.zeros(len(boxes))
        things = [box.turned(self.yaw_rad) for box in boxes]
        in_view = InView(things)
        for index, camera in enumerate(self.rig.cameras):
            canvas, mask = self._painted(camera.name, atlas, scene, course, distance_m)
            lens = self._lenses[camera.name]
            own = ~lens.seen if camera.own is None else camera.own | ~lens.seen
            if own.any():
                paint_own(canvas.image, own, lens, world.bonnet)
                canvas.classes[own], canvas.depth[own], canvas.boxes[own] = OWN_VEHICLE, UNKNOWN, -1
                mask[own] = NOT_DRIVABLE
            shares = np.maximum(shares, self._visible(canvas, boxes))
            in_view.add(camera, self._grounds[camera.name], canvas.depth, canvas.boxes)
            image = self._developed(canvas.image, lens, index, distance_m)
            name = f"rig world {self._seed} at {distance_m:.1f} m, camera {camera.name}"
            seen[camera.name] = SeenByCamera(
                image, mask, lens, name, canvas.classes, canvas.depth, canvas.boxes, canvas.image
            )
        objects = tuple(
            replace(thing, visible=float(share))
            for thing, share in zip(things, shares, strict=True)
        )
        label = GroundLabel(objects, self._drivable(atlas, course), in_view.map())
        images = {name: one.image for name, one in seen.items()}
        name = f"rig world {self._seed} at {distance_m:.1f} m"
        return RigView(RigFrame(name, self.rig, images, label=label), seen)

    def _atlas(self, course: Course, distance_m: float) -> RoundAtlas:
        """Draw the ground."""
        world = self.world
        atlas = RoundAtlas(classes=True)
        pave(atlas, world.road, world.surface, distance_m, ROUND_M)
        paint_lines(atlas, world.road, world.lines, world.gore, distance_m, FINE_ROUND_M)
        for actor in self.actors:
            stand = actor.stand(course, distance_m)
            if abs(stand.x_m) > SIGHT_M:
                continue
            foot = course.road(box_of(stand, actor.kind).footprint())
            middle = foot.mean(axis=0)
            length, width, height = stand.size_m
            grown = middle + (foot - middle) * (1 + 0.2 / min(length, width))
            shadow(atlas, grown if width > 1 else foot, 0.75 if width > 1 else 0.5)
            if world.sun.strength > 0.1:
                shadow(atlas, world.sun.shadow(foot, 0.8 * height), world.sun.strength)
        return atlas

    def _scene(self, course: Course, distance_m: float) -> tuple[Scene, list[Box]]:
        """Everything that stands or drives, and boxes around who is near, in the road's frame."""
        world = self.world
        beside = Roadside(course, distance_m, world.road.crossing, world.air.ambient)
        solids = [solid for prop in world.props if (solid := beside.prop(prop)) is not None]
        solids += [piece for rail in world.rails for piece in beside.rail(rail)]
        boxes: list[Box] = []
        for actor in self.actors:
            stand = actor.stand(course, distance_m)
            away = np.hypot(stand.x_m, stand.y_m)
            if away <= LABELLED_M:
                boxes.append(box_of(stand, actor.kind))
            if away < SIGHT_M:
                solids.append(actor.solid(stand, len(boxes) - 1 if away <= LABELLED_M else -1))
        return Scene(solids), boxes

    def _painted(
        self, name: str, atlas: RoundAtlas, scene: Scene, course: Course, distance_m: float
    ) -> tuple[Canvas, NDArray[np.uint8]]:
        """One camera's picture before lens and sensor, and its mask of drivable ground."""
        world, lens, view = self.world, self._lenses[name], self._grounds[name]
        canvas = Canvas(lens, world.air)
        panorama = panorama_of(world.sky, self.lights)
        canvas.image, canvas.classes = panorama.look(self._skies[name])
        ground = view.ground(course)
        pixels, drivable, kinds = shade_ground(
            ground, atlas, world.surface, world.ground_light, world.air, distance_m
        )
        if world.ground_light.wet > 0.05:
            wet = world.ground_light.wet
            pixels = view.wetted(pixels, drivable, panorama, self._skies[name], wet)
        assert kinds is not None
        np.copyto(canvas.image[view.first :], pixels, where=ground.hit[..., None])
        np.copyto(canvas.classes[view.first :], kinds, where=ground.hit)
        np.copyto(canvas.depth[view.first :], view.reach, where=ground.hit)
        canvas.paint(scene)
        mask = np.full(lens.size, NOT_DRIVABLE, np.uint8)
        free = canvas.depth[view.first :] >= view.reach
        mask[view.first :] = (ground.hit & free & (drivable > DRIVABLE_SHARE)) * np.uint8(DRIVABLE)
        return canvas, mask

    def _visible(self, canvas: Canvas, boxes: list[Box]) -> NDArray[np.float64]:
        """Share of each box's thing that a camera sees."""
        alone = np.zeros(len(boxes))
        for index, pixels in canvas.alone.items():
            alone[index] = pixels
        left = np.bincount(canvas.boxes[canvas.boxes >= 0], minlength=len(boxes))[: len(boxes)]
        inside = shares_inside(canvas.lens, boxes, alone > 0)
        return np.minimum(left / np.maximum(alone, 1), 1.0) * inside

    def _drivable(self, atlas: RoundAtlas, course: Course) -> GroundMap:
        """Where one may drive, of the cells of ``GRID``."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        places = GRID.centres() @ np.array([[cos, sin], [-sin, cos]])
        share = atlas.drivable(course.road(places))
        return GroundMap(GRID, np.where(share > DRIVABLE_SHARE, YES, NO).astype(np.uint8))

    def _developed(
        self, image: NDArray[np.uint8], lens: Lens, index: int, distance_m: float
    ) -> NDArray[np.uint8]:
        """What the camera delivers: cameras of a rig are not quite alike."""
        rng = np.random.default_rng((self._seed, SENSOR_DICE, index))
        sensor = self.world.sensor
        gain = np.array(sensor.gain) * np.exp(rng.normal(0, 0.05)) * (1 + rng.normal(0, 0.01, 3))
        own = replace(
            sensor,
            gain=tuple(gain.tolist()),
            blur_px=sensor.blur_px * float(rng.uniform(0.7, 1.2)) * lens.size[0] / self._rows,
            noise=sensor.noise * float(rng.uniform(0.8, 1.2)),
            **self._sun(lens, sensor),
        )
        at = int(distance_m * 100)
        return develop(image, own, np.random.default_rng((self._seed, at, index)))

    def _sun(self, lens: Lens, sensor: Sensor) -> dict:
        """Glare where the camera looks towards the sun, from which shadows fall away."""
        sun = self.world.sun
        if not sensor.glare:
            return {}
        direction = np.array((-sun.ahead_m, sun.right_m, 1.0))
        place = lens.model.see(direction[None] @ lens.turn)[0]
        height, width = lens.size
        if np.isnan(place).any():
            return {"glare": 0.0}
        return {"sun": (float(place[0] / width), float(place[1] / height))}
