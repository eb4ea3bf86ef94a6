"""Augmentation that takes from the other images of a batch: light, surroundings, pieces.

A network trained on few real pictures and many rendered ones learns rules that hold only there:
that what fills the lower part of a picture is road, what a renderer's colours are, what stands
beside a road. These changes break them, with what is in other pictures anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.sample import MASK_DRIVABLE

LOWEST_FREQUENCIES: Final = (0.005, 0.04)
"""Range of the half-width of the exchanged square of the spectrum, as a share of the shorter side.
Up to there it is light, colour and haze; above, shapes begin to ring."""
PIECE: Final = (0.25, 0.75)
"""Range of a piece's height and width, as a share of the picture's."""


@dataclass(frozen=True)
class MixConfig:
    """How often; each probability is of one image of a batch.

    Attributes:
        spectrum: Takes the strength of its lowest frequencies from another image (Fourier domain
            adaptation, Yang & Soatto 2020). Labels stay as they are.
        surroundings: Shows another image's pixels wherever both are labelled as not drivable.
            Labels stay as they are: a lane runs on under what hides it.
        piece: Gets a rectangle of another image, mask included, at another place (after CutMix, Yun
            et al. 2019). Only images of which no lane is labelled: a lane could not be told from a
            piece of one.
    """

    spectrum: float = 0.0
    surroundings: float = 0.0
    piece: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"mix.{name} is {value}, expected 0 to 1")


def mix(batch: Batch, config: MixConfig, seed: tuple[int, ...]) -> Batch:
    """Return a batch whose images took from one another; ``batch`` itself is left alone.

    Args:
        batch: Images and labels.
        config: How often.
        seed: Decides what happens, as (run, stage, step, process); equal seeds give equal batches.
            Processes that share a batch mix their own parts only.
    """
    count = len(batch.images)
    generator = torch.Generator().manual_seed(hash(seed) % 2**63)
    givers = torch.randperm(count, generator=generator)
    chances = torch.rand(3, count, generator=generator)
    shares = (config.spectrum, config.surroundings, config.piece)
    light, around, piece = (
        (chance < share) & (givers != torch.arange(count))
        for chance, share in zip(chances, shares, strict=True)
    )
    piece &= (batch.known.cpu() == 0).all(dim=1)
    images, mask, weight = (part.clone() for part in (batch.images, batch.mask, batch.mask_weight))
    low, high = LOWEST_FREQUENCIES
    share = low + (high - low) * float(torch.rand((), generator=generator))
    if light.any():
        images[light] = with_light_of(images[light], batch.images[givers[light]], share)
    other = ((batch.mask != MASK_DRIVABLE) & (batch.mask_weight == 255))[:, None].float()
    other = functional.interpolate(other, images.shape[1:3])[:, 0] > 0
    for index in around.nonzero().flatten().tolist():
        both = other[index] & other[givers[index]]
        images[index][both] = batch.images[givers[index]][both]
    for index in piece.nonzero().flatten().tolist():
        place = torch.rand(6, generator=generator).tolist()
        for plane, given in (
            (images, batch.images),
            (mask, batch.mask),
            (weight, batch.mask_weight),
        ):
            _paste(plane[index], given[givers[index]], place)
    return batch._replace(images=images, mask=mask, mask_weight=weight)


def with_light_of(images: Tensor, givers: Tensor, share: float) -> Tensor:
    """Exchange the amplitudes of the lowest frequencies, and keep every phase.

    Args:
        images: uint8 (N, H, W, 3).
        givers: The same shape.
        share: Half-width of the exchanged square of the spectrum, as a share of the shorter side;
            with 0 only the mean colour is exchanged.

    Returns:
        uint8 (N, H, W, 3).
    """
    size = images.shape[1:3]
    half = round(share * min(size))
    spectrum, given = (torch.fft.rfft2(part.float(), dim=(1, 2)) for part in (images, givers))
    strength, phase = spectrum.abs(), spectrum.angle()
    for rows in (slice(0, half + 1), slice(size[0] - half, size[0])):
        strength[:, rows, : half + 1] = given[:, rows, : half + 1].abs()
    pixels = torch.fft.irfft2(torch.polar(strength, phase), s=size, dim=(1, 2))
    return pixels.round().clamp(0, 255).to(torch.uint8)


def _paste(target: Tensor, source: Tensor, place: list[float]) -> None:
    """Copy a rectangle; ``place`` is six numbers from 0 to 1: its size, where from, where to."""
    low, high = PIECE
    lengths, froms, tos = [], [], []
    for axis, length in enumerate(target.shape[:2]):
        part = round((low + (high - low) * place[axis]) * length)
        lengths.append(part)
        froms.append(round(place[2 + axis] * (length - part)))
        tos.append(round(place[4 + axis] * (length - part)))
    (height, width), (y, x), (row, column) = lengths, froms, tos
    target[row : row + height, column : column + width] = source[y : y + height, x : x + width]
