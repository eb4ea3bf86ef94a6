# SPDX-License-Identifier: Apache-2.0
"""What light, weather, lens and sensor do to a picture; labels stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import torch
from kornia.augmentation import RandomPlasmaShadow, RandomRain, RandomSnow
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from shared_encoder_perception.world.dice import NIGHT_CASTS
from shared_encoder_perception.world.view import light_up


def _light(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Brightness and contrast by one table, then saturation: ten times as fast as one by one."""
    gain, contrast, saturation = rng.uniform(0.65, 1.35, 3)
    values = (np.arange(256) - 128) * contrast * gain + 128 * gain
    pixels = cv2.LUT(_interleaved(image), np.clip(values, 0, 255).astype(np.uint8))
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _planar(cv2.addWeighted(pixels, saturation, grey, 1 - saturation, 0))


def _hue(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn the colour circle by a few degrees."""
    hsv = cv2.cvtColor(_interleaved(image), cv2.COLOR_RGB2HSV)
    turned = (np.arange(256) + int(rng.integers(-7, 8))) % 180  # OpenCV's degrees are of two
    hsv[:, :, 0] = cv2.LUT(np.ascontiguousarray(hsv[:, :, 0]), turned.astype(np.uint8))
    return _planar(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _shadow(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Multiply by plasma shadows, drawn small: they are soft, and slow to draw large."""
    height, width = image.shape[1:]
    shade = RandomPlasmaShadow((0.2, 0.5), (-0.6, -0.25), (0.2, 0.5), p=1.0)(
        torch.ones(1, 1, height // 4, width // 4)
    )[0]
    shade = F.resize(shade, [height, width], antialias=False)
    return (image * shade).to(torch.uint8)


def _night(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Little light from around, our own lamps in front of us, other lamps, a cast, noise."""
    height, width = image.shape[1:]
    level = (np.arange(256, dtype=np.float32) / 255) ** rng.uniform(1.0, 1.7)
    seen = cv2.LUT(_interleaved(image), level)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] - np.float32(rng.normal(0, 0.15))
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None] - np.float32(rng.uniform(0.4, 0.75))
    beam = np.exp(-np.square(x / rng.uniform(0.3, 0.8)) - np.square(y / rng.uniform(0.12, 0.45)))
    ambient = np.exp(rng.uniform(np.log(0.02), np.log(0.5)))
    light = ambient + rng.uniform(0.3, 1.2) * beam
    cast = NIGHT_CASTS[rng.choice(len(NIGHT_CASTS))][::-1]
    seen *= light[:, :, None] * np.array(cast, np.float32) * 255
    _lamps(seen, rng)
    return _noise(_planar(seen.clip(0, 255).astype(np.uint8)), rng)


def _lamps(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add lamps and their halos to the upper third of a (H, W, 3) picture (in place)."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(0, 9))):
        radius = np.exp(rng.uniform(0.2, 2.2)) * height / 320
        centre = np.array((rng.uniform(0, width), rng.exponential(0.15) * height))
        colour = rng.uniform(90, 255, 3) if rng.random() < 0.4 else np.array((255.0, 215, 150))
        light_up(image, centre, radius, colour)


def _noise(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Add Gaussian noise; a sixteenth of the picture is drawn and repeated."""
    _, height, width = image.shape
    tile = torch.randn(3, height // 4, width // 4) * (255 * rng.uniform(0.01, 0.05))
    noise = tile.round().to(torch.int16).repeat(1, 4, 4)
    return (image.to(torch.int16) + noise).clamp(0, 255).to(torch.uint8)


def _fog(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Blend into grey: by Koschmieder's law, with depth falling from horizon to lower border."""
    rows = torch.linspace(0, 1, image.shape[1]).view(1, -1, 1)
    horizon = rng.uniform(0.05, 0.3)
    depth = 1.0 / (rows - horizon).clamp(min=0.02)
    seen = torch.exp(-depth * rng.uniform(0.05, 0.25))
    grey = rng.uniform(140, 220)
    return (image.float() * seen + grey * (1 - seen)).to(torch.uint8)


def _resolution(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Average over larger pixels, and enlarge those: up to three times coarser."""
    height, width = image.shape[1:]
    coarse = np.exp(rng.uniform(-1.1, -0.1))
    size = (max(round(width * coarse), 1), max(round(height * coarse), 1))
    small = cv2.resize(_interleaved(image), size, interpolation=cv2.INTER_AREA)
    return _planar(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _rain(image: Tensor, rng: np.random.Generator) -> Tensor:
    drop = RandomRain((300, 1500), (8, 24), (-6, 6), p=1.0)
    return F.adjust_saturation(_as_float(drop, image), rng.uniform(0.5, 0.9))


def _snow(image: Tensor, rng: np.random.Generator) -> Tensor:
    return _as_float(RandomSnow((0.2, 0.45), (1.2, 2.0), p=1.0), image)


def _as_float(effect: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Apply a kornia effect, which wants (1, 3, H, W) float in [0, 1]."""
    out = effect(image.float()[None] / 255)[0]
    return (out.clamp(0, 1) * 255).round().to(torch.uint8)


EFFECTS: Final[MappingProxyType[str, Callable[[Tensor, np.random.Generator], Tensor]]] = (
    MappingProxyType(
        {
            "shadow": _shadow,
            "light": _light,
            "hue": _hue,
            "fog": _fog,
            "rain": _rain,
            "snow": _snow,
            "night": _night,
            "resolution": _resolution,
            "blur": lambda image, _: v2.GaussianBlur(5, (0.5, 1.5))(image),
            "noise": _noise,
            "jpeg": lambda image, _: v2.JPEG((25, 85))(image),
        }
    )
)
"""Name of the probability in ``AugmentConfig`` -> (3, H, W) uint8 RGB to the same; in the order in
which light meets road, weather, lens, sensor and file."""

WEATHER: Final = ("shadow", "fog", "rain", "snow", "night")
"""Those of which ``AugmentConfig.weather`` says how strong they are."""


def weaken(effect: Tensor, picture: Tensor, strength: float) -> Tensor:
    """Return what is ``strength`` (0 to 1) of the way from a picture to what an effect makes of it.

    Args:
        effect: (3, H, W) uint8, what the whole effect makes of the picture.
        picture: (3, H, W) uint8.
        strength: 0 is the picture, 1 the effect, both to the bit.
    """
    return torch.lerp(picture.float(), effect.float(), strength).round().to(torch.uint8)


def to_tensor(image: np.ndarray) -> Tensor:
    """(H, W, 3) BGR to (3, H, W) RGB."""
    return _planar(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _planar(image: np.ndarray) -> Tensor:
    """(H, W, 3) to (3, H, W), the same memory."""
    return torch.from_numpy(image).permute(2, 0, 1)


def _interleaved(image: Tensor) -> np.ndarray:
    """(3, H, W) to (H, W, 3), C-contiguous."""
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def to_array(image: Tensor) -> np.ndarray:
    """(3, H, W) RGB to (H, W, 3) BGR."""
    return cv2.cvtColor(_interleaved(image), cv2.COLOR_RGB2BGR)
