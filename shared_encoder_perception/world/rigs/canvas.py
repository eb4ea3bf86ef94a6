# SPDX-License-Identifier: Apache-2.0
"""What a camera of a rig sees so far: colour, class, depth and owner of each pixel.

Solids come in any order and from every side, so each pixel keeps the nearest: a depth test, solid
by solid. Within one, faces that show their back are left out and far ones are painted first. A
polygon's edges are divided before the lens bends them; the depth of its pixels is exact, where
their rays meet its plane.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.classes import SKY
from shared_encoder_perception.world.depth import BEYOND, NEAREST_M
from shared_encoder_perception.world.rigs.lens import Lens
from shared_encoder_perception.world.rigs.solids import NO_BOX, Scene, Solid, Sprite
from shared_encoder_perception.world.view import Air, light_up

SHIFT: Final = 3
LIMIT_PX: Final = 6000.0
MOST_FACES: Final = 254
LAMP_M: Final = 0.5
"""A lamp shines although its body is nearer by this."""
LAMPS_REACH: Final = (0.2, 0.75, 0.1)
"""Own headlights: cosine against ahead at which, and below which, they fade; what is left."""


class Canvas:
    """The buffers, and how solids are painted on them.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        classes: (H, W) uint8, of ``classes.CLASSES``.
        depth: (H, W) float32 m along the optical axis; ``BEYOND`` for the sky.
        boxes: (H, W) int16, which box's pixel it is, or ``NO_BOX``.
        alone: Pixels that each box would have if nothing hid it, by its index.
    """

    def __init__(self, lens: Lens, air: Air) -> None:
        """Begin with nothing."""
        self.lens, self.air = lens, air
        self.image: NDArray[np.uint8] = np.zeros((*lens.size, 3), np.uint8)
        self.classes: NDArray[np.uint8] = np.full(lens.size, SKY, np.uint8)
        self.depth: NDArray[np.float32] = np.full(lens.size, BEYOND, np.float32)
        self.boxes: NDArray[np.int16] = np.full(lens.size, NO_BOX, np.int16)
        self.alone: dict[int, int] = {}
        self._bare = self.depth

    def paint(self, scene: Scene) -> None:
        """Paint all solids, far ones first, so that smooth edges mix with what is behind."""
        lens = self.lens
        self._bare = self.depth.copy()
        corners, distance = scene.turned_to(lens.position, lens.focal_px)
        placed = lens.placed(corners)
        shown = np.flatnonzero(scene.seen_from(lens.position))
        counts = np.diff(np.r_[scene.starts, len(placed)])
        taken = np.repeat(np.isin(np.arange(len(counts)), shown), counts)
        starts = np.cumsum(counts[shown]) - counts[shown]
        outlines = lens.outlines(placed[taken], starts)
        faces = shown[outlines.face]
        normals, ats, nears, fars = _planes(placed, scene.starts)
        colours = self._seen(scene)
        base = scene.base[faces]
        order = np.lexsort((faces, -distance[base], scene.owner[faces]))
        bounds = np.searchsorted(scene.owner[faces][order], np.arange(len(scene.solids) + 1))
        near = np.full(len(scene.solids), np.inf)
        np.minimum.at(near, scene.owner, distance)
        for index, solid in enumerate(scene.solids):
            if solid.sprite is not None:
                near[index] = float(np.hypot(*(solid.sprite.foot - lens.position)[:2]))
        for index in np.argsort(-near, kind="stable"):
            solid = scene.solids[index]
            if solid.sprite is not None:
                self._stamp(solid.sprite, solid.kind, float(near[index]))
                continue
            mine = order[bounds[index] : bounds[index + 1]]
            if len(mine):
                which = faces[mine]
                planes = (normals[which], ats[which], nears[which], fars[which])
                polygons = [outlines.points[one] for one in mine]
                self._fill(solid, polygons, colours[which], scene.solid[which], planes)
        for solid in scene.solids:
            for glow in solid.glows:
                self._glow(glow.place, glow.towards, glow.radius_m, glow.colour, glow.strength)

    def _seen(self, scene: Scene) -> NDArray[np.float64]:
        """(F, 3) colours of faces in the light and haze of their distance."""
        air = self.air
        # As of the ground: ahead or to the side, whichever is more.
        distance = np.abs(scene.centre[:, :2] - self.lens.position[:2]).max(axis=1)
        light = air.ambient + air.headlights * (14.0 / distance.clip(6.0)).clip(0, 1) * ahead_share(
            scene.centre
        )
        veil = 1 - np.exp(-distance / air.visibility_m)
        lit = np.minimum(scene.colour * (light * scene.shade)[:, None], 255.0)
        return np.asarray(lit * (1 - veil[:, None]) + np.array(air.haze) * veil[:, None])

    def _fill(
        self,
        solid: Solid,
        polygons: list[NDArray[np.float64]],
        colours: NDArray[np.float64],
        is_solid: NDArray[np.bool_],
        planes: tuple[NDArray, NDArray, NDArray, NDArray],
    ) -> None:
        """Paint one solid's faces in their order where nothing is nearer."""
        bounds = np.array([(*one.min(axis=0), *one.max(axis=0)) for one in polygons])
        part = self._part(bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0))
        if part is None:
            return
        x0, y0 = part[1].start, part[0].start
        colour = self.image[part].copy()
        face = np.zeros(colour.shape[:2], np.uint8)
        kept = [0]
        for number, polygon in enumerate(polygons):
            fixed = np.clip((polygon - (x0, y0)) * (1 << SHIFT), -LIMIT_PX * 8, LIMIT_PX * 8)
            corners = [np.round(fixed).astype(np.int32)]
            cv2.fillPoly(colour, corners, colours[number].tolist(), cv2.LINE_AA, SHIFT)
            if is_solid[number] and len(kept) <= MOST_FACES:
                cv2.fillPoly(face, corners, len(kept), cv2.LINE_8, SHIFT)
                kept.append(number)
        drawn = face > 0
        if not drawn.any():
            return
        normals, ats, nears, fars = (values[kept] for values in planes)
        slopes = self.lens.slopes[part]
        which = normals.astype(np.float32)[face]
        slope = which[..., 0] * slopes[..., 0] + which[..., 1] * slopes[..., 1] + which[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = ats.astype(np.float32)[face] / slope
        far = fars.astype(np.float32)[face]
        # Where a ray runs along the plane, only an edge of it is seen.
        reach = np.where(reach > 0, reach, far)
        reach = np.clip(reach, nears.astype(np.float32)[face], far, dtype=np.float32)
        if solid.box != NO_BOX:
            seen = drawn & self.lens.seen[part] & (reach < self._bare[part])
            self.alone[solid.box] = self.alone.get(solid.box, 0) + int(np.count_nonzero(seen))
        nearer = drawn & (reach < self.depth[part])
        cv2.copyTo(colour, nearer.view(np.uint8), self.image[part])
        self._write(part, nearer, reach, solid.kind, solid.box)

    def _write(
        self,
        part: tuple[slice, slice],
        where: NDArray[np.bool_],
        reach: NDArray[np.float32],
        kind: int,
        box: int,
    ) -> None:
        """Write depth, class and owner of pixels."""
        np.copyto(self.depth[part], reach, where=where)
        self.classes[part][where] = kind
        self.boxes[part][where] = box

    def _part(self, low: NDArray, high: NDArray) -> tuple[slice, slice] | None:
        """Return the part of the picture between two corners, with a rim; ``None`` for none."""
        rows, columns = self.lens.size
        low, high = np.clip(low, -LIMIT_PX, LIMIT_PX), np.clip(high, -LIMIT_PX, LIMIT_PX)
        x0, y0 = max(int(low[0]) - 1, 0), max(int(low[1]) - 1, 0)
        x1, y1 = min(int(high[0]) + 3, columns), min(int(high[1]) + 3, rows)
        return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))

    def _stamp(self, sprite: Sprite, kind: int, distance: float) -> None:
        """Blend in a picture that is turned to the camera: each pixel's ray meets its plane."""
        lens = self.lens
        away = (sprite.foot - lens.position)[:2]
        if distance < 1.0:
            return
        ahead = away / distance
        right = np.array((ahead[1], -ahead[0]))
        half = right * sprite.width_m / 2
        low, high = sprite.foot[2], sprite.foot[2] + sprite.height_m
        foot = sprite.foot[:2]
        corners = [(*(foot + s * half), z) for s, z in ((-1, low), (1, low), (1, high), (-1, high))]
        outlines = lens.outlines(lens.placed(np.array(corners)), np.zeros(1, np.intp))
        if not outlines.points:
            return
        points = outlines.points[0]
        part = self._part(points.min(axis=0), points.max(axis=0))
        if part is None:
            return
        rays = lens.directions[part]
        along = rays[..., 0] * np.float32(ahead[0]) + rays[..., 1] * np.float32(ahead[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.asarray(np.float32(distance) / along, np.float32)
            x = reach * (rays[..., 0] * np.float32(right[0]) + rays[..., 1] * np.float32(right[1]))
            z = reach * rays[..., 2] + np.float32(lens.position[2] - low)
        picture = _shrunk(sprite, distance, lens.focal_px)
        rows, columns = picture.shape[:2]
        u = (x * np.float32(1 / sprite.width_m) + np.float32(0.5)) * columns - np.float32(0.5)
        v = (1 - z * np.float32(1 / sprite.height_m)) * rows - np.float32(0.5)
        u[~(along > 0)] = -9
        seen = cv2.remap(
            picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0,) * 4
        )
        air = self.air
        lamps = air.headlights * min(14.0 / max(distance, 6.0), 1.0)
        light = min(air.ambient + lamps * float(ahead_share(sprite.foot[None])[0]), 1.3)
        veil = air.veil(distance)
        haze = np.array(air.haze, np.float32) * veil
        colour = seen[..., :3] * np.float32(light * (1 - veil)) + haze
        nearer = reach < self.depth[part]
        alpha = (seen[..., 3] * nearer).astype(np.float32)[..., None] * np.float32(1 / 255)
        target = self.image[part]
        target[:] = (target + alpha * (colour - target)).clip(0, 255).astype(np.uint8)
        self._write(part, (seen[..., 3] > 127) & nearer, reach, kind, NO_BOX)

    def _glow(
        self,
        place: NDArray[np.float64],
        towards: NDArray[np.float64],
        radius_m: float,
        colour: tuple[float, float, float],
        strength: float,
    ) -> None:
        """Add the light of a lamp that is turned to us and not hidden."""
        ray = self.lens.position - place
        if towards.any() and ray @ towards <= 0.1 * np.linalg.norm(ray):
            return
        placed = self.lens.placed(place[None])
        if placed[0, 2] < NEAREST_M:
            return
        pixel = self.lens.model.see(placed)[0]
        if np.isnan(pixel).any():
            return
        column, row = np.rint(pixel).astype(int)
        rows, columns = self.lens.size
        if not (0 <= row < rows and 0 <= column < columns):
            return
        if self.depth[row, column] > placed[0, 2] - LAMP_M:
            radius = radius_m * self.lens.focal_px / float(np.linalg.norm(ray))
            light_up(self.image, pixel, radius, np.array(colour, np.float32) * strength)


def ahead_share(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of the own headlights' light comes to (N, 3) places around the vehicle, 0 to 1."""
    start, width, least = LAMPS_REACH
    cosine = places[:, 0] / np.hypot(places[:, 0], places[:, 1]).clip(1e-6)
    return np.asarray(((cosine + start) / width).clip(least, 1.0))


def _planes(
    placed: NDArray[np.float64], starts: NDArray[np.intp]
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Planes of polygons in the camera's frame: normals, their product with it, near and far."""
    counts = np.diff(np.r_[starts, len(placed)])
    after = np.arange(1, len(placed) + 1)
    after[starts + counts - 1] = starts
    normal = np.add.reduceat(np.cross(placed, placed[after]), starts, axis=0)
    centre = np.add.reduceat(placed, starts, axis=0) / counts[:, None]
    near = np.minimum.reduceat(placed[:, 2], starts).clip(NEAREST_M)
    far = np.maximum.reduceat(placed[:, 2], starts).clip(NEAREST_M)
    return normal, (normal * centre).sum(axis=1), near, far


def _shrunk(sprite: Sprite, distance: float, focal_px: float) -> NDArray[np.uint8]:
    """The picture about as fine as it is seen: where it is far it does not flicker."""
    picture = sprite.picture
    seen_px = max(sprite.height_m * focal_px / distance, 1.0)
    for _ in range(int(np.clip(np.log2(picture.shape[0] / seen_px), 0, 4))):
        size = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture
