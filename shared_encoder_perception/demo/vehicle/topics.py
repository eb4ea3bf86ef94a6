# SPDX-License-Identifier: Apache-2.0
"""The topics of the node that has the first camera's images alone. Nothing here needs ROS."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.rig.rig_entries import CameraEntry

NAMESPACE: Final = "/perception"
"""Of that node: all that it says is below it, also its diagnostics."""
CAMERA_INFO: Final = "camera_info"
"""As the node calls it."""


def info_topic(camera: CameraEntry) -> str:
    """Return the topic of a camera's CameraInfo."""
    return f"/{camera.name}/{CAMERA_INFO}"
