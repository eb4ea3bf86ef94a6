# SPDX-License-Identifier: Apache-2.0
"""Mixed precision where it pays: some depthwise convolutions go back in float32 on the CPU.

Measured on two Sapphire Rapids cores with torch 2.13, batch of 16: the gradient of a depthwise
convolution's 5x5 weights takes four to six times as long in bfloat16 as in float32 (195 against 32
ms at 144x24x60), that of its input four to seven times where it has a stride (227 against 55 ms at
96x96x240). Everything else, their forward pass included, gains from bfloat16: a step of
tf_efficientnet_lite0 takes two thirds of what it takes in float32 (``throughput``).
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FIRST_SLOW_KERNEL = 5


class _BackInFloat32(torch.autograd.Function):
    """A depthwise convolution forward in bfloat16, backward in float32."""

    @staticmethod
    def forward(
        ctx: Any, feature: Tensor, weight: Tensor, strides: Any, padding: Any, dilation: Any
    ) -> Tensor:
        """Convolve; as ``torch.conv2d`` without a bias."""
        feature = feature.bfloat16()
        ctx.save_for_backward(feature, weight)
        ctx.geometry = strides, padding, dilation
        with torch.autocast("cpu", enabled=False):
            return torch.conv2d(
                feature, weight.bfloat16(), None, strides, padding, dilation, weight.shape[0]
            )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Return the gradients of feature and weight."""
        feature, weight = ctx.saved_tensors
        wanted = [*ctx.needs_input_grad[:2], False]
        of_feature, of_weight, _ = torch.ops.aten.convolution_backward(
            grads[0].float(),
            feature.float(),
            weight.float(),
            None,
            *ctx.geometry,
            False,
            [0, 0],
            weight.shape[0],
            wanted,
        )
        of_feature = of_feature.bfloat16() if wanted[0] else None
        return of_feature, of_weight, None, None, None


class _DepthwiseAside(TorchFunctionMode):
    """While it is entered, slow depthwise convolutions take the way above."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at calls of ``conv2d``, let all others be."""
        if func is torch.conv2d and len(args) == 7 and not kwargs:
            feature, weight, bias, *geometry, groups = args
            if bias is None and groups == weight.shape[0] == feature.shape[1] > 1:
                # An int stands for both axes; padding may be a word, which is no list of numbers.
                pairs = [[one, one] if isinstance(one, int) else one for one in geometry]
                slow = weight.shape[-1] >= FIRST_SLOW_KERNEL or max(pairs[0]) > 1
                if slow and not isinstance(pairs[1], str):
                    return _BackInFloat32.apply(feature, weight, *map(list, pairs))
        return func(*args, **(kwargs or {}))


class _Depthwise(nn.Conv2d):
    """What is put in front of a depthwise convolution's own class, ``Conv2dSame`` say."""

    def forward(self, feature: Tensor) -> Tensor:
        """Convolve as the class behind it does."""
        mixed = torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()
        if not mixed or torch.get_autocast_dtype("cpu") is not torch.bfloat16:
            return super().forward(feature)
        with _DepthwiseAside():
            return super().forward(feature)


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


def quicken_depthwise(network: nn.Module) -> None:
    """Let the slow depthwise convolutions of ``network`` go back in float32 (in place)."""
    for module in network.modules():
        kind = type(module)
        depthwise = isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
        if depthwise and not issubclass(kind, _Depthwise):
            module.__class__ = type(f"Depthwise{kind.__name__}", (_Depthwise, kind), {})
