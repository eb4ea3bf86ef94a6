# SPDX-License-Identifier: Apache-2.0
"""Answers of one picture brought to where another one shows the same things."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

ALL: Final = 0.999
"""Share of a cell's pixels, but for rounding."""


def moved(planes: Tensor, field: Tensor, agreed: Tensor) -> tuple[Tensor, Tensor]:
    """Bring an earlier frame's answer to a later frame by the way back.

    Args:
        planes: (N, C, h, w) of the earlier frame.
        field: (N, H, W, 2), of ``flow.Flow``; h and w may be smaller than H and W.
        agreed: (N, H, W) bool, likewise.

    Returns:
        (N, C, h, w) at the later frame's cells, bilinear; and (N, h, w) float32, 1 for cells of
        which all pixels agree, else 0.
    """
    size = (int(planes.shape[-2]), int(planes.shape[-1]))
    way = functional.adaptive_avg_pool2d(field.float().movedim(-1, 1), size)
    x, y = _middles(planes)
    # Fractions of the picture are the same on every grid.
    grid = torch.stack(
        (x + 2 * way[:, 0] / field.shape[2], y + 2 * way[:, 1] / field.shape[1]), dim=-1
    )
    share = functional.adaptive_avg_pool2d(agreed.float()[:, None], size)[:, 0]
    return _sampled(planes, grid), (share > ALL).float()


def enlarged(planes: Tensor, window: Tensor) -> Tensor:
    """Return the part of an answer that a window shows, on a whole grid, bilinear.

    Args:
        planes: (N, C, h, w).
        window: (N, 3): the part of each side that is shown, and the shares of the picture left of
            and above it.
    """
    x, y = _middles(planes)
    part, left, top = (one[:, None, None].to(planes) for one in window.unbind(1))
    grid = torch.stack(((x + 1) * part + 2 * left - 1, (y + 1) * part + 2 * top - 1), dim=-1)
    return _sampled(planes, grid)


def _middles(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return where cells' middles are, -1 to 1 from edge to edge: (1, h, w) each."""
    height, width = planes.shape[-2:]
    x = (2 * torch.arange(width, device=planes.device, dtype=torch.float32) + 1) / width - 1
    y = (2 * torch.arange(height, device=planes.device, dtype=torch.float32) + 1) / height - 1
    return x.expand(1, height, width), y[:, None].expand(1, height, width)


def _sampled(planes: Tensor, grid: Tensor) -> Tensor:
    """Read planes at places; the rim goes on outside."""
    return functional.grid_sample(
        planes.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
