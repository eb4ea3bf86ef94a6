# SPDX-License-Identifier: Apache-2.0
"""The optimiser of a stage and its learning rate: AdamW for all weights, or Muon for most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import nn

from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.config import CONSTANT, StageConfig, TrainConfig

WARM_UP: Final = 0.1
"""Part of a stage in which the learning rate rises; afterwards ``TrainConfig.schedule`` decides."""

FIRST: Final = 0.04
"""Share of the learning rate at which it begins to rise, as OneCycleLR has it."""


def configure(
    config: TrainConfig,
    plan: StageConfig,
    network: PerceptionNetwork,
    beside: Sequence[nn.Parameter],
    weighting: Sequence[nn.Parameter],
) -> dict[str, Any]:
    """Return what lightning asks of ``configure_optimizers``.

    Args:
        config: Names the optimiser and its weight decay, none where it is to learn a set by heart.
        plan: Length and learning rate of the stage.
        network: Its parameters are trained, but for those that are frozen.
        beside: What is trained with it and thrown away, a feature teacher's projections say.
        weighting: Weights of the tasks that are learned, at a rate of their own.
    """
    decay = 0.0 if config.data.overfit else config.weight_decay
    turned = hidden_matrices(network) if config.optimizer == "muon" else []
    chosen = {id(one) for one in turned}
    others = [one for one in network.parameters() if one.requires_grad and id(one) not in chosen]
    others += beside
    groups = [
        {"params": turned, "weight_decay": decay},
        {"params": [one for one in others if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in others if one.ndim <= 1], "weight_decay": 0.0},
        {"params": list(weighting), "weight_decay": 0.0},
    ]
    peaks = [plan.learning_rate] * 3 + [config.loss.weighting_learning_rate]
    used = [pair for pair in zip(groups, peaks, strict=True) if pair[0]["params"]]
    optimizer = _optimizer(
        [{**group, "lr": peak} for group, peak in used], plan.learning_rate, bool(turned)
    )
    schedule: torch.optim.lr_scheduler.LRScheduler
    if config.schedule == CONSTANT:
        rising = max(round(WARM_UP * plan.steps), 1)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, FIRST, total_iters=rising)
    else:
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            [peak for _, peak in used],
            total_steps=plan.steps + 1,
            pct_start=WARM_UP,
            cycle_momentum=not turned,  # Muon's has no range to go through
        )
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": schedule, "interval": "step"},
    }


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights that Muon turns: of convolutions that mix channels inside the network.

    A depthwise convolution is no matrix, and what gives an answer (the last layer of a head, which
    has a bias) keeps its scale: both stay with AdamW, as the method's author has it (K. Jordan,
    Muon, 2024).
    """
    return [
        layer.weight
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
        and layer.groups == 1
        and layer.weight.requires_grad
        and not (".heads." in name and layer.bias is not None)
    ]


def _optimizer(
    groups: list[dict[str, Any]], learning_rate: float, muon: bool
) -> torch.optim.Optimizer:
    """Return Muon, where the first group is its own and AdamW has the rest, or AdamW."""
    if not muon:
        return torch.optim.AdamW(groups, lr=learning_rate)
    from timm.optim import Muon

    for group in groups[1:]:
        group["use_fallback"] = True
    # Steps of AdamW's mean size, so that one learning rate serves both.
    return Muon(
        groups,
        lr=learning_rate,
        nesterov=True,
        betas=(0.9, 0.999),
        adjust_lr_fn="match_rms_adamw",
    )
