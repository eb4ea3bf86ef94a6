# SPDX-License-Identifier: Apache-2.0
"""What a network is built from, and what of it is taken from a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.files.typed_json import JsonError, from_json, shown
from shared_encoder_perception.rig.grid import BevGrid

WIDEST: Final = 8192
"""Channels that a file may ask for."""
_ENCODER: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
"""A name of timm's own; it also takes places in the network and in the file system."""


@dataclass(frozen=True)
class NetworkConfig:
    """What the network is built from; stored in checkpoints and artifacts.

    Attributes:
        encoder: Name of a timm model that offers ``features_only``, or of an encoder of our own,
            ``fast_scnn``, which has no pretrained weights.
        pretrained: Weights the encoder starts from: a Python package or a file that carries them,
            ``timm`` for those that timm downloads, or null for random ones.
        statistics: Mean and deviation that images are normalised by: ``imagenet``, or ``own`` for
            those that the encoder was trained with, which ``pretrained`` needs.
        architecture: A key of ``ARCHITECTURES``.
        channels: Width of the necks, a multiple of 4.
        head_channels: Hidden width of one lane head (of one branch of it in ``baseline``;
            of half of what all of them share in ``light_fpn``).
        attention: Self-attention on the coarsest features.
        aggregation: GANet's feature aggregation in front of the lane heads.
        decoder_residual: Residual blocks in the decoder of ``unet``.
        encoder_scale: Size of the picture that the encoder sees, relative to the input. Below 1 a
            small encoder sees more of the road at once, for less work; answers keep the input's
            grid.
        tasks: What the network answers; names of the tasks' table.
        classes: What ``semantic`` tells apart: a name of ``tasks.semantic.tables.TABLES``, or a
            table as JSON; in a training config also the path of its file.
        depth_kind: What ``depth`` says: ``metric``, or ``relative`` where all that it learns from
            is depth without a scale.
        grid: Cells of the ground that ``surround`` is about.
        views: Most cameras in which ``surround`` looks a voxel up.
        view_stride: Input pixels per cell of the features in which it does: 4, 8, 16 or 32.
    """

    encoder: str = "mobilenetv4_conv_small"
    pretrained: str | None = None
    statistics: str = "imagenet"
    architecture: str = "shared_fpn"
    channels: int = 64
    head_channels: int = 32
    attention: bool = False
    aggregation: bool = False
    decoder_residual: bool = False
    encoder_scale: float = 1.0
    tasks: list[str] = field(default_factory=lambda: list(tasks.DEFAULT))
    classes: str = "world"
    depth_kind: str = "metric"
    grid: BevGrid = field(default_factory=BevGrid)
    views: int = 2
    view_stride: int = 8


def config_from_file(raw: Any, where: str) -> NetworkConfig:
    """Read the configuration in a checkpoint or an artifact of somebody else's.

    Args:
        raw: A mapping; what lacks has its default.
        where: What to call it in messages.

    Returns:
        The configuration, without ``pretrained``: weights come with the file.

    Raises:
        JsonError: A key that is unknown or of another type, a name of an encoder that leads out of
            timm, or widths beyond any network.
    """
    optional = [one.name for one in fields(NetworkConfig)]
    if isinstance(raw, Mapping):
        raw = {key: value for key, value in raw.items() if key != "pretrained"}
    found = from_json(NetworkConfig, raw, where, optional)
    if not _ENCODER.fullmatch(found.encoder):
        raise JsonError(
            f"{where}, encoder is {shown(found.encoder)}, expected a name that timm has"
        )
    for name in ("channels", "head_channels"):
        if not 1 <= (width := getattr(found, name)) <= WIDEST:
            raise JsonError(f"{where}, {name} is {shown(width)}, expected 1 to {WIDEST}")
    return found
