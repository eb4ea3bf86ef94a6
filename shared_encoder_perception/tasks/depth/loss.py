# SPDX-License-Identifier: Apache-2.0
"""What depth is taught by: its error in one of several norms, its edges, its deviation.

All of it is of the logarithm of canonical depth, so that an error is a share of the depth. Sources:
SILog: Eigen et al. 2014, as its square root. BerHu: Laina et al. 2016. SSIM: Wang et al. 2004.
Gradient matching, and labels without a scale: Ranftl et al. 2020 (MiDaS), 20 % trimmed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.shared_count import divisor
from shared_encoder_perception.tasks.depth.head import LOGITS, log_depth, sigma
from shared_encoder_perception.tasks.depth.spec import Block
from shared_encoder_perception.tasks.depth.target import BEYOND, METRES, NEARER

PARTS: Final = MappingProxyType(
    {
        "depth": MappingProxyType(
            {"depth_error": 1.0, "depth_edges": 0.5, "depth_beyond": 0.1, "depth_sigma": 0.1}
        )
    }
)
NORMS: Final = ("silog", "l1", "berhu", "ssim")
VARIANCE: Final = 0.5
"""How much of a common error SILog forgives."""
KNEE: Final = 0.2
"""Share of the largest error from which on BerHu is quadratic."""
SCALES: Final = 4
"""Of gradient matching: every 1, 2, 4, 8 cells."""
TRIMMED: Final = 0.8
"""Share of the smallest errors that count where a teacher said the depth."""
TINY: Final = 1e-6
SSIM_CONSTANTS: Final = (0.01**2, 0.03**2)
FARTHEST: Final = math.log(1.2)
"""How far beyond the range the sky is to be said, logarithm."""


@dataclass(frozen=True)
class Config:
    """What is minimised.

    Attributes:
        depth: The norm of its error: ``silog``, ``l1``, ``berhu`` or ``ssim``.
        depth_gradient: Whether its edges count as well.
    """

    depth: str = "silog"
    depth_gradient: bool = True

    def __post_init__(self) -> None:
        """Refuse what nobody knows."""
        if self.depth not in NORMS:
            raise ValueError(f"loss.depth is {self.depth!r}, expected one of {list(NORMS)}")


def make_loss(config: Config) -> nn.Module:
    """Return the losses of all parts."""
    return DepthLoss(config)


class DepthLoss(nn.Module):
    """The losses of one map of depth."""

    def __init__(self, config: Config) -> None:
        """Keep the config."""
        super().__init__()
        self._config, self._block = config, Block()

    def forward(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compare logits with the targets of ``target.encode``, batched."""
        said = logits[LOGITS].float()
        truth, known = on_grid(targets, said)
        depth = log_depth(said, self._block)
        off, metric = depth - truth, known == METRES
        error = norm(self._config.depth, off, depth, truth, metric)
        edges = gradients(off, metric) if self._config.depth_gradient else said.sum() * 0
        relative = known == NEARER
        if relative.any():
            difference, aligned = unscaled(depth, truth, relative)
            error = error + difference
            if self._config.depth_gradient:
                edges = edges + gradients(aligned, relative)
        far = math.log(self._block.max_m) + FARTHEST
        return {
            "depth_error": error,
            "depth_edges": edges,
            "depth_beyond": mean(functional.relu(far - depth), known == BEYOND),
            "depth_sigma": deviation(off.detach(), sigma(said), metric),
        }


def on_grid(targets: Mapping[str, Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    """Take the targets at the middle of each cell: (N, h, w) what is said, what is known."""
    size = logits.shape[-2:]
    said, known = (
        functional.interpolate(targets[name][:, None].float(), size, mode="nearest-exact")[:, 0]
        for name in ("depth_said", "depth_known")
    )
    return said, known


def mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over the cells that count, of all processes."""
    return (values * counted).sum() / divisor(counted.sum().float())


def each_image(values: Tensor, counted: Tensor) -> Tensor:
    """(N,) means over the cells of each image that count; 0 where there are none."""
    count = counted.sum(dim=(1, 2)).clamp(min=1)
    return (values * counted).sum(dim=(1, 2)) / count


def over_images(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of (N,) values over the images with something that counts, of all processes."""
    labelled = counted.flatten(1).any(dim=1)
    return (values * labelled).sum() / divisor(labelled.sum().float())


def norm(name: str, off: Tensor, said: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """One of ``NORMS``: mean of the images' values, so that images count alike.

    Args:
        name: Which.
        off: ``said - truth``.
        said: (N, h, w) logarithms of depth.
        truth: Likewise.
        counted: (N, h, w) bool.
    """
    off = off * counted
    if name == "silog":
        first, second = each_image(off, counted), each_image(off.square(), counted)
        # The root's slope has no bound at 0; nor may an image without labels cost its root.
        spread = (second - VARIANCE * first.square()).clamp(min=0)
        return over_images((spread + TINY).sqrt() - math.sqrt(TINY), counted)
    if name == "ssim":
        seen = torch.where(counted, said, truth)
        return over_images(each_image(dissimilarity(seen, truth), counted), counted)
    size = off.abs()
    if name == "berhu":
        knee = (KNEE * size.detach().amax(dim=(1, 2), keepdim=True)).clamp(min=TINY)
        size = torch.where(size <= knee, size, (size.square() + knee.square()) / (2 * knee))
    return over_images(each_image(size, counted), counted)


def dissimilarity(said: Tensor, truth: Tensor) -> Tensor:
    """(1 - SSIM) / 2 of 3x3 windows, reflected at the rim; 0 for the same, at most 1."""
    planes = functional.pad(torch.stack((said, truth), dim=1), (1, 1, 1, 1), mode="reflect")
    average = functional.avg_pool2d(planes, 3, 1)
    square = functional.avg_pool2d(planes.square(), 3, 1) - average.square()
    product = functional.avg_pool2d(planes[:, :1] * planes[:, 1:], 3, 1)[:, 0]
    x, y = average.unbind(1)
    small, wide = SSIM_CONSTANTS
    likeness = (2 * x * y + small) * (2 * (product - x * y) + wide)
    likeness = likeness / ((x.square() + y.square() + small) * (square.sum(dim=1) + wide))
    return ((1 - likeness) / 2).clamp(0, 1)


def gradients(off: Tensor, counted: Tensor) -> Tensor:
    """How much the error changes from cell to cell, at ``SCALES`` scales: mean of the images."""
    total = off.new_zeros(())
    for scale in range(SCALES):
        step = 2**scale
        part, here = off[:, ::step, ::step], counted[:, ::step, ::step]
        value, count = off.new_zeros(len(off)), off.new_zeros(len(off))
        for axis in (1, 2):
            if part.shape[axis] < 2:
                continue
            after, before = (part.narrow(axis, start, part.shape[axis] - 1) for start in (1, 0))
            both = here.narrow(axis, 1, part.shape[axis] - 1) & here.narrow(
                axis, 0, part.shape[axis] - 1
            )
            value = value + ((after - before).abs() * both).sum(dim=(1, 2))
            count = count + both.sum(dim=(1, 2))
        total = total + over_images(value / count.clamp(min=1), counted)
    return total / SCALES


def unscaled(log_said: Tensor, inverse: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Compare with inverse depth that is known but for scale and shift.

    Both are brought to a median of 0 and a mean absolute deviation of 1, image by image.

    Returns:
        The mean of the smallest 80 % of each image's absolute differences, mean of the images; and
        (N, h, w) the differences.
    """
    difference = torch.zeros_like(log_said)
    values = torch.zeros(len(log_said), device=log_said.device)
    for index, cells in enumerate(counted):
        if not cells.any():
            continue
        said, truth = _centred((-log_said[index][cells]).exp()), _centred(inverse[index][cells])
        off = said - truth
        difference[index] = difference[index].masked_scatter(cells, off)
        kept = max(int(TRIMMED * off.numel()), 1)
        values[index] = off.abs().sort().values[:kept].mean()
    return over_images(values, counted), difference


def _centred(values: Tensor) -> Tensor:
    """Bring values to a median of 0 and a mean absolute deviation of 1."""
    apart = values - values.median()
    return apart / apart.abs().mean().clamp(min=TINY)


def deviation(off: Tensor, said: Tensor, counted: Tensor) -> Tensor:
    """Negative log-likelihood of a Laplace distribution of this standard deviation, mean.

    Above its least, which is that of the smallest deviation that can be said, so that it is never
    below 0. ``off`` has no gradient: a deviation must not be an excuse for an error.
    """
    scale = said / math.sqrt(2)
    return mean(off.abs() / scale + scale.log() - math.log(1e-3 / math.sqrt(2)), counted)
