"""Mixed precision where it pays: depthwise convolutions stay in float32 on the CPU.

Measured on two Sapphire Rapids cores with torch 2.13: the backward pass of a 5x5 depthwise
convolution takes four times as long in bfloat16 as in float32 (209 against 48 ms for a batch of 16
at 192x40x100), while dense convolutions gain a factor of four from bfloat16.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn


class _Float32Conv2d(nn.Conv2d):
    """A convolution that autocast leaves alone."""

    def forward(self, feature: Tensor) -> Tensor:
        """Convolve in float32."""
        with torch.autocast(feature.device.type, enabled=False):
            return super().forward(feature.float())


def crashes_in_onednn(encoder: str) -> bool:
    """Whether training this encoder on the CPU needs oneDNN switched off.

    With torch 2.13 on a Sapphire Rapids CPU, the backward pass of repvgg_a0 corrupts the heap (in
    float32, contiguous and channels last, from 64x160 to 320x800); without oneDNN it runs, slower.
    Inference, and all other encoders tried, are not affected.
    """
    return encoder.startswith("repvgg")


def avoid_crashes(encoder: str) -> None:
    """Switch oneDNN off for the whole process where ``crashes_in_onednn`` says so."""
    if crashes_in_onednn(encoder):
        logging.getLogger(__name__).warning("oneDNN is off: on the CPU it cannot train %s", encoder)
        torch.backends.mkldnn.enabled = False


def keep_depthwise_in_float32(network: nn.Module) -> None:
    """Exempt the depthwise convolutions of ``network`` from autocast (in place)."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.groups == module.in_channels > 1:
            module.__class__ = _Float32Conv2d
