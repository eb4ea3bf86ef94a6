# SPDX-License-Identifier: Apache-2.0
"""ROS arguments for a node that is started as a child: its engine, and input that is counted."""

from __future__ import annotations

import argparse
from typing import Any, Final

from shared_encoder_perception.backends.options import add_engine_options
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW

IMAGE: Final = "image"
QUEUED: Final = 50
"""Images that the middleware keeps for the node."""
ENGINE_PARAMETERS: Final = {
    "model": "model.path",
    "sha256": "model.sha256",
    "backend": "backend.name",
    "device": "backend.device",
    "precision": "backend.precision",
    "threads": "backend.threads",
    "cache": "backend.cache",
    "allow_fallback": "backend.allow_fallback",
}
"""Options of ``add_engine_options`` -> the node's parameters."""


def engine_parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters for those options that are not as they are by default."""
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    defaults = parser.parse_args([])
    return {
        parameter: getattr(args, option)
        for option, parameter in ENGINE_PARAMETERS.items()
        if getattr(args, option) != getattr(defaults, option)
    }


def count_every_image(transport: str = RAW) -> dict[str, Any]:
    """Return the parameters with which every image reaches the node, which keeps the newest.

    With its own best effort and depth 1 the middleware may drop images before the node counts them.
    """
    topic = image_topic(transport)
    return {
        "input.transport": transport,
        f"qos_overrides./{topic}.subscription.reliability": "reliable",
        f"qos_overrides./{topic}.subscription.depth": QUEUED,
    }


def image_topic(transport: str) -> str:
    """Return the topic of the images."""
    return f"{IMAGE}/compressed" if transport == COMPRESSED else IMAGE


def ros_arguments(parameters: dict[str, Any]) -> list[str]:
    """Write parameters for ROS's command line."""
    literals = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
    }
    return [part for name, value in literals.items() for part in ("-p", f"{name}:={value}")]
