# SPDX-License-Identifier: Apache-2.0
"""Parameters ``ground.*``: where the camera is above the road, in the vehicle's frame.

What tasks make of it they say in their own parameters of that group.
"""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter, live

NONE, FROM_PARAMETERS, TF, HOMOGRAPHY = "none", "parameters", "tf", "homography"
"""Values of ``ground.source``."""

PARAMETERS: Final = (
    Parameter(
        "ground.source",
        NONE,
        "Where the camera's pose comes from: none (image geometry only), the parameters below, TF, "
        "or a homography file. The first two of these three also need a CameraInfo.",
        choices=(NONE, FROM_PARAMETERS, TF, HOMOGRAPHY),
    ),
    Parameter(
        "ground.frame_id",
        "base_link",
        "Frame of what is put on the road: x ahead, y left, z up (REP-103).",
        rule=("a frame's name", bool),
    ),
    Parameter(
        "ground.calibration",
        "",
        "File of the 3x3 homography from pixels to x, y on the road in metres (.yaml, .json, also "
        "as OpenCV and ROS write matrices; .npy, .txt).",
    ),
    Parameter(
        "ground.rectified",
        False,
        "The images are rectified: CameraInfo's p counts instead of its k and d.",
    ),
    live("ground.height_m", 1.5, (0.1, 10.0), "Height of the camera above the road."),
    live(
        "ground.roll_deg",
        0.0,
        (-45.0, 45.0),
        "Roll of the camera about x; > 0 = its right side sinks.",
    ),
    live(
        "ground.pitch_deg", 0.0, (-60.0, 60.0), "Pitch of the camera about y; > 0 = it looks down."
    ),
    live("ground.yaw_deg", 0.0, (-180.0, 180.0), "Yaw of the camera about z; > 0 = it looks left."),
    live(
        "ground.offset_x_m",
        0.0,
        (-30.0, 30.0),
        "How far the camera is ahead of the frame's origin.",
    ),
    live(
        "ground.offset_y_m", 0.0, (-10.0, 10.0), "How far it is to the left of the frame's origin."
    ),
    live("ground.plane_z_m", 0.0, (-10.0, 10.0), "Height of the road in the frame."),
    live("ground.roll_std_deg", 0.2, (0.0, 10.0), "Standard deviation of the calibrated roll."),
    live("ground.pitch_std_deg", 0.2, (0.0, 10.0), "Standard deviation of the calibrated pitch."),
    live("ground.yaw_std_deg", 0.2, (0.0, 10.0), "Standard deviation of the calibrated yaw."),
    live("ground.height_std_m", 0.02, (0.0, 1.0), "Standard deviation of the calibrated height."),
)
