# SPDX-License-Identifier: Apache-2.0
"""What the node's diagnostics say of its images."""

from __future__ import annotations

from typing import Any, Final

from shared_encoder_perception.images.counts import DROP_REASONS

DIAGNOSTICS: Final = "/diagnostics"
"""Topic."""


def counts_of(message: Any) -> dict[str, int]:
    """Return the node's counts of images in a DiagnosticArray, of rclpy or rosbags.

    Returns:
        ``received``, ``perceived`` and each of ``DROP_REASONS``; empty where it tells none.
    """
    for status in message.status:
        values = {value.key: value.value for value in status.values}
        names = ("received", "perceived", *DROP_REASONS)
        if all(name in values for name in names):
            return {name: int(values[name]) for name in names}
    return {}
