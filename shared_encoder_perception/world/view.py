# SPDX-License-Identifier: Apache-2.0
"""Drawing upright things: where they appear, how light and haze change them, what they hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.alignment import DEPTHS_M, Profile
from shared_encoder_perception.world.atlas import Colour
from shared_encoder_perception.world.camera import Camera, crest_mask
from shared_encoder_perception.world.classes import OWN_VEHICLE
from shared_encoder_perception.world.depth import UNKNOWN, Depth, Plane
from shared_encoder_perception.world.rendered import NOT_DRIVABLE

SHIFT: Final = 3
LIMIT_PX: Final = 6000.0


@dataclass(frozen=True, eq=False)
class Air:
    """What lies between a thing and the camera.

    Attributes:
        haze: Colour of the air, BGR 0 to 255.
        visibility_m: Distance at which 1 - 1/e of a thing's colour has become haze.
        ambient: Brightness of what no lamp lights; 1 by day.
        headlights: Brightness our own lamps add near by; 0 by day.
    """

    haze: Colour
    visibility_m: float
    ambient: float
    headlights: float

    def light(self, ahead_m: float) -> float:
        """Brightness of something upright at a distance."""
        return self.ambient + self.headlights * float(np.clip(14.0 / max(ahead_m, 6.0), 0, 1))

    def veil(self, ahead_m: float) -> float:
        """Share of haze in the colour of something at a distance."""
        return 1.0 - float(np.exp(-ahead_m / self.visibility_m))

    def seen(self, colour: Colour, ahead_m: float, shade: float = 1.0) -> Colour:
        """The colour of something at a distance; ``shade`` is the share of light it gets."""
        veil, light = self.veil(ahead_m), self.light(ahead_m) * shade
        blue, green, red = (
            min(c * light, 255.0) * (1 - veil) + h * veil
            for c, h in zip(colour, self.haze, strict=True)
        )
        return blue, green, red


class View:
    """The picture so far, its mask, classes and depth, and how to draw on all of them."""

    def __init__(
        self,
        camera: Camera,
        profile: Profile,
        air: Air,
        image: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        classes: NDArray[np.uint8] | None = None,
        depth: Depth | None = None,
    ) -> None:
        """Draw on ``image`` (H, W, 3) BGR, cut out of ``mask`` (H, W), write ``classes`` (H, W).

        And ``depth``, all in place.
        """
        self.camera, self.profile, self.air = camera, profile, air
        self.image, self.mask, self.classes, self.depth = image, mask, classes, depth
        self._hidden = np.cumsum(~crest_mask(camera, profile))

    def stands(self, ahead_m: float) -> bool:
        """Whether the ground at a distance is seen, not hidden behind a crest."""
        index = int(np.searchsorted(DEPTHS_M, ahead_m).clip(0, len(DEPTHS_M) - 1))
        return bool(self._hidden[index] == self._hidden[max(index - 3, 0)])

    def bonnet(self, height_px: float, colour: Colour) -> None:
        """Draw our own bonnet at the bottom of the image."""
        rows, width = self.image.shape[:2]
        first = max(rows - int(height_px) - 1, 0)
        x = np.linspace(-1, 1, width)
        top = rows - height_px * (1 - 0.5 * x * x)
        below = np.arange(first, rows)[:, None] >= top[None, :]
        shade = np.linspace(1.25, 0.75, rows - first)[:, None, None] * np.ones((1, width, 1))
        painted = np.clip(np.array(colour) * shade, 0, 255).astype(np.uint8)
        self.image[first:][below] = painted[below]
        self.mask[first:][below] = NOT_DRIVABLE
        if self.classes is not None:
            self.classes[first:][below] = OWN_VEHICLE
        if self.depth is not None:
            self.depth.values[first:][below] = UNKNOWN

    def pixels(self, points: NDArray) -> NDArray[np.float64]:
        """(..., 3) offset, height above the road, distance ahead; m. Returns (..., 2) pixels."""
        placed = self._placed(points)
        return self.camera.project(placed[..., 0], placed[..., 1], placed[..., 2])

    def facing(self, foot: NDArray) -> Plane | None:
        """Return the upright plane across the road through a (3,) point; ``None`` without depth."""
        if self.depth is None:
            return None
        offset, height, ahead = foot
        corners = [(offset + x, height + y, ahead) for x, y in ((-2, 0), (2, 0), (2, 4), (-2, 4))]
        return self.depth.plane(self._placed(np.array(corners)))

    def fill(
        self, polygons: Sequence[NDArray], colour: Colour, kind: int, plane: Plane | None
    ) -> None:
        """Fill (N, 2) pixel polygons of a class, all in one plane; they hide the road.

        Without a plane they are as far away as what they are painted on.
        """
        fixed = _fixed(polygons)
        cv2.fillPoly(self.image, fixed, colour, cv2.LINE_AA, SHIFT)
        cv2.fillPoly(self.mask, fixed, NOT_DRIVABLE, cv2.LINE_8, SHIFT)
        if self.classes is not None:
            cv2.fillPoly(self.classes, fixed, kind, cv2.LINE_8, SHIFT)
        if self.depth is not None and plane is not None:
            self.depth.fill(fixed, SHIFT, plane)

    def face(self, corners: NDArray, colour: Colour, kind: int, shade: float = 1.0) -> None:
        """Fill a polygon of (N, 3) points in road coordinates, in the light of its distance."""
        self.faces([(corners, colour, shade)], kind)

    def faces(self, faces: Sequence[tuple[NDArray, Colour, float]], kind: int) -> None:
        """Fill several of one class in their order; projected at once, which is what takes time."""
        placed = self._placed(np.concatenate([corners for corners, _, _ in faces]))
        points = self.camera.project(placed[:, 0], placed[:, 1], placed[:, 2])
        first = 0
        for corners, colour, shade in faces:
            last = first + len(corners)
            ahead = float(corners[:, 2].sum()) / len(corners)
            plane = None if self.depth is None else self.depth.plane(placed[first:last])
            self.fill([points[first:last]], self.air.seen(colour, ahead, shade), kind, plane)
            first = last

    def bend(self, corners: NDArray) -> None:
        """Correct the depth of a part of what was painted last, (N, 3) in road coordinates."""
        if self.depth is not None:
            placed = self._placed(corners)
            points = self.camera.project(placed[:, 0], placed[:, 1], placed[:, 2])
            self.depth.fill(_fixed([points]), SHIFT, self.depth.plane(placed))

    def _placed(self, points: NDArray) -> NDArray[np.float64]:
        """(..., 3) road coordinates to the vehicle's frame: right, up, ahead."""
        lateral, height = self.profile.at(points[..., 2])
        return np.stack((lateral + points[..., 0], height + points[..., 1], points[..., 2]), -1)

    def stamp(
        self,
        sprite: NDArray[np.uint8],
        foot: NDArray,
        size_px: tuple[float, float],
        ahead: float,
        kind: int,
        plane: Plane | None,
    ) -> None:
        """Blend a (h, w, 4) BGRA sprite of a class in, its bottom centre at the pixel ``foot``."""
        width, height = (max(round(side), 1) for side in size_px)
        left, top = round(foot[0] - width / 2), round(foot[1]) - height
        rows, columns = self.mask.shape
        x0, x1 = max(left, 0), min(left + width, columns)
        y0, y1 = max(top, 0), min(top + height, rows)
        if x0 >= x1 or y0 >= y1 or width > 4 * columns:
            return
        # Only the part in view is scaled: near trees are much larger than the picture.
        step_x, step_y = sprite.shape[1] / width, sprite.shape[0] / height
        scale = np.array(
            [[step_x, 0, (x0 - left) * step_x], [0, step_y, (y0 - top) * step_y]], np.float64
        )
        part = cv2.warpAffine(
            sprite,
            scale,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        veil, light = self.air.veil(ahead), min(self.air.light(ahead), 1.3)
        haze = np.array(self.air.haze, np.float32) * veil
        colour = part[:, :, :3] * np.float32(light * (1 - veil)) + haze
        alpha = part[:, :, 3:] * np.float32(1 / 255)
        target = self.image[y0:y1, x0:x1]
        target[:] = (target + alpha * (colour - target)).clip(0, 255).astype(np.uint8)
        solid = part[:, :, 3] > 127
        self.mask[y0:y1, x0:x1][solid] = NOT_DRIVABLE
        if self.classes is not None:
            self.classes[y0:y1, x0:x1][solid] = kind
        if self.depth is not None and plane is not None:
            self.depth.stamp((slice(y0, y1), slice(x0, x1)), solid, plane)

    def glow(self, centre: NDArray, radius_px: float, colour: Colour, strength: float) -> None:
        """Add the light of a lamp (``strength`` 0 to 1) and its halo."""
        light_up(self.image, centre, radius_px, np.array(colour, np.float32) * strength)


def _fixed(polygons: Sequence[NDArray]) -> list[NDArray[np.int32]]:
    """Return (N, 2) pixels in OpenCV's fixed point."""
    return [
        np.round(np.clip(p, -LIMIT_PX, LIMIT_PX) * (1 << SHIFT)).astype(np.int32) for p in polygons
    ]


def light_up(
    image: NDArray, centre: NDArray, radius_px: float, light: NDArray[np.floating]
) -> None:
    """Add a lamp and its halo (in place).

    Args:
        image: (H, W, 3) uint8 or float32, 0 to 255.
        centre: ``(x, y)``; it may lie outside.
        radius_px: Of the halo.
        light: (3,) what is added in the middle, in the image's order of channels.
    """
    radius = float(np.clip(radius_px, 1.5, 60.0))
    reach = int(np.ceil(2.5 * radius))
    x, y = round(float(centre[0])), round(float(centre[1]))
    rows, columns = image.shape[:2]
    x0, x1 = max(x - reach, 0), min(x + reach, columns)
    y0, y1 = max(y - reach, 0), min(y + reach, rows)
    if x0 >= x1 or y0 >= y1:
        return
    dx = np.arange(x0, x1, dtype=np.float32) - np.float32(centre[0])
    dy = np.arange(y0, y1, dtype=np.float32) - np.float32(centre[1])
    bell = np.exp(-(dx[None] ** 2 + dy[:, None] ** 2) / np.float32(radius**2))
    target = image[y0:y1, x0:x1]
    added = bell[:, :, None] * light.astype(np.float32)
    target[:] = np.minimum(target + added, 255).astype(image.dtype)
