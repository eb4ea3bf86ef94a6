# SPDX-License-Identifier: Apache-2.0
"""Augmentation that keeps an image and its labels consistent.

Geometry: another crop, a small rotation, a mirror image (where left things become right ones). A
crop or rotation that would make a label lie (a neighbour in the middle of the picture is not the
own lane) is drawn again, and left out after a few attempts; each task says what is still true.

Look: light, colour, blur, JPEG, noise, shadows, night, fog, rain, snow. Labels stay as they are.

Everything is decided by one seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from shared_encoder_perception import tasks as table
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.labels.view import View, moved, view_sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.look import EFFECTS, WEATHER, to_array, to_tensor, weaken

ATTEMPTS: Final = 4


@dataclass(frozen=True)
class AugmentConfig:
    """How much, and how often; each probability is independent of the others.

    Attributes:
        geometry: Probability of another crop.
        scale: Range of its size, relative to the plain crop.
        shift: Largest shift of its centre, as a share of its size.
        rise: Largest shift up or down in place of that; ``None`` for ``shift``. Where a picture
            has more above and below than the crop, the horizon is seen elsewhere.
        aspect: Largest stretch of one side and shrinking of the other, logarithm. Depth wants none:
            how wide a lane looks tells how far it is.
        rotate: Probability of a rotation.
        rotate_deg: Largest angle.
        flip: Probability of a mirror image.
        light: Probability of another brightness, contrast and saturation.
        hue: Probability of another hue.
        resolution: Probability of a coarser picture, as a cheap camera or a tight crop gives.
        blur: Probability of a Gaussian blur.
        jpeg: Probability of JPEG artefacts.
        noise: Probability of sensor noise.
        shadow: Probability of soft shadows.
        night: Probability of a night gain: dark, noisy.
        fog: Probability of fog, thicker towards the horizon.
        rain: Probability of rain streaks.
        snow: Probability of snow.
        weather: Strength of shadow, fog, rain, snow and night where they are, 0 to 1.
    """

    geometry: float = 0.8
    scale: tuple[float, float] = (0.75, 1.15)
    shift: float = 0.08
    rise: float | None = None
    aspect: float = 0.08
    rotate: float = 0.3
    rotate_deg: float = 3.0
    flip: float = 0.5
    light: float = 0.7
    hue: float = 0.2
    resolution: float = 0.2
    blur: float = 0.1
    jpeg: float = 0.15
    noise: float = 0.1
    shadow: float = 0.08
    night: float = 0.08
    fog: float = 0.06
    rain: float = 0.05
    snow: float = 0.03
    weather: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no probability or no range."""
        for name, value in vars(self).items():
            if name not in ("scale", "rotate_deg") and value is not None and not 0 <= value <= 1:
                raise ValueError(f"augment.{name} is {value}, expected 0 to 1")
        low, high = self.scale
        if not 0.2 <= low <= high <= 3:
            raise ValueError(f"augment.scale is {self.scale}, expected 0.2 <= low <= high <= 3")
        if not 0 <= self.rotate_deg <= 15:
            raise ValueError(f"augment.rotate_deg is {self.rotate_deg}, expected 0 to 15")


def augment(sample: Sample, transform: ImageTransform, config: AugmentConfig, seed: int) -> View:
    """Return a changed view of ``sample``.

    Args:
        sample: What is shown.
        transform: The plain view of it.
        config: What may happen.
        seed: Decides what happens; equal seeds give equal views.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        view = _change_geometry(sample, transform, config, rng)
        if rng.random() < config.flip:
            view = mirror(view)
        return _change_look(view, config, rng)


def mirror(view: View) -> View:
    """Return the mirror image: left things become right ones."""
    width = view.image.shape[1]
    labels = moved(view.labels, lambda room, label: room.mirror(label, width))
    return View(np.ascontiguousarray(view.image[:, ::-1]), labels)


def still_true(view: View) -> bool:
    """Whether the labels of all tasks mean what they say, after all that happened to them."""
    size = (view.image.shape[0], view.image.shape[1])
    return all(
        table.part(task, "labels").still_true(label, size) for task, label in view.labels.items()
    )


def _change_geometry(
    sample: Sample, transform: ImageTransform, config: AugmentConfig, rng: np.random.Generator
) -> View:
    """Crop and rotate, unless that made the labels lie."""
    for _ in range(ATTEMPTS):
        crop = transform.crop
        if rng.random() < config.geometry:
            crop = other_crop(transform.crop, transform.image_size, config, rng)
        view = view_sample(sample, ImageTransform(transform.image_size, crop, transform.input_size))
        if rng.random() < config.rotate:
            view = rotate(view, float(rng.uniform(-1, 1)) * config.rotate_deg)
        if still_true(view):
            return view
    return view_sample(sample, transform)


def other_crop(
    crop: Crop, image_size: Size, config: AugmentConfig, rng: np.random.Generator
) -> Crop:
    """Scale and shift a crop; what would leave the picture is cut to it."""
    scale = np.exp(rng.uniform(*np.log(config.scale)))
    aspect = np.exp(rng.uniform(-config.aspect, config.aspect))
    width = min(round(crop.width * scale * aspect), image_size[1])
    height = min(round(crop.height * scale / aspect), image_size[0])
    centre_x = crop.x + crop.width / 2 + rng.uniform(-1, 1) * config.shift * crop.width
    rise = config.shift if config.rise is None else config.rise
    centre_y = crop.y + crop.height / 2 + rng.uniform(-1, 1) * rise * crop.height
    x = int(np.clip(round(centre_x - width / 2), 0, image_size[1] - width))
    y = int(np.clip(round(centre_y - height / 2), 0, image_size[0] - height))
    return Crop(x, y, width, height)


def rotate(view: View, angle_deg: float) -> View:
    """Rotate against the clock about the middle; what comes in from outside is not labelled."""
    size = (view.image.shape[0], view.image.shape[1])
    image = F.rotate(to_tensor(view.image), angle_deg, interpolation=v2.InterpolationMode.BILINEAR)
    middle = ((size[1] - 1) / 2, (size[0] - 1) / 2)  # pixel centres are at integers
    matrix = cv2.getRotationMatrix2D(middle, angle_deg, 1.0)
    labels = moved(view.labels, lambda room, label: room.warp(label, matrix, size))
    return View(to_array(image), labels)


def _change_look(view: View, config: AugmentConfig, rng: np.random.Generator) -> View:
    """Apply the effects that leave the labels alone, each with its own probability.

    Pictures that belong to the image were taken at another time, and look different each.
    """
    image = other_look(view.image, config, rng)
    labels = dict(view.labels)
    for task, room in table.parts("labels", labels).items():
        if hasattr(room, "companions"):
            pictures = room.companions(labels[task])
            changed = {name: other_look(one, config, rng) for name, one in pictures.items()}
            labels[task] = room.with_companions(labels[task], changed)
    return View(image, labels)


def other_look(
    picture: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture as another light, weather or camera would have it."""
    image, changed = to_tensor(picture), False
    for name, effect in EFFECTS.items():
        if rng.random() < getattr(config, name):
            weak = name in WEATHER and config.weather < 1
            after = effect(image, rng)
            image = weaken(after, image, config.weather) if weak else after
            changed = True
    return to_array(image) if changed else picture
