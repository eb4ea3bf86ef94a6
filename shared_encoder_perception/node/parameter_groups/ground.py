"""Parameters ``ground.*``: lane lines on the road, in the vehicle's frame."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter

NONE, FROM_PARAMETERS, TF, HOMOGRAPHY = "none", "parameters", "tf", "homography"
"""Values of ``ground.source``."""

CURVE, INDEPENDENT = "curve", "independent"
"""Values of ``ground.pixel_errors``."""

OFF, PITCH, PITCH_HEIGHT = "off", "pitch", "pitch_height"
"""Values of ``ground.correction``."""


def _live(name: str, default: float, bounds: tuple[float, float], description: str) -> Parameter:
    """Build the parameter of one number that may change while running."""
    return Parameter(f"ground.{name}", default, description, bounds, read_only=False)


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
        "Frame of the lanes on the road: x ahead, y left, z up (REP-103).",
        rule=("a frame's name", bool),
    ),
    Parameter(
        "ground.calibration",
        "",
        "File of the 3x3 homography from pixels to x, y on the road in metres (.yaml, .json, .npy, "
        ".txt).",
    ),
    Parameter(
        "ground.rectified",
        False,
        "The images are rectified: CameraInfo's p counts instead of its k and d.",
    ),
    _live("height_m", 1.5, (0.1, 10.0), "Height of the camera above the road."),
    _live(
        "roll_deg", 0.0, (-45.0, 45.0), "Roll of the camera about x; > 0 = its right side sinks."
    ),
    _live("pitch_deg", 0.0, (-60.0, 60.0), "Pitch of the camera about y; > 0 = it looks down."),
    _live("yaw_deg", 0.0, (-180.0, 180.0), "Yaw of the camera about z; > 0 = it looks left."),
    _live("offset_x_m", 0.0, (-30.0, 30.0), "How far the camera is ahead of the frame's origin."),
    _live("offset_y_m", 0.0, (-10.0, 10.0), "How far it is to the left of the frame's origin."),
    _live("plane_z_m", 0.0, (-10.0, 10.0), "Height of the road in the frame."),
    _live("max_range_m", 100.0, (5.0, 500.0), "Points farther from the camera are dropped."),
    Parameter(
        "ground.polynomial_degree",
        3,
        "Highest degree of y(x); short lines get a lower one.",
        bounds=(1, 3),
        read_only=False,
    ),
    _live(
        "pixel_std_px",
        2.0,
        (0.01, 100.0),
        "Standard deviation of pixels where the model gives none.",
    ),
    Parameter(
        "ground.pixel_errors",
        CURVE,
        "How the pixel errors along one line belong together: curve = they are those of one fitted "
        "curve, as this node's models give it; independent = each point has its own.",
        choices=(CURVE, INDEPENDENT),
        read_only=False,
    ),
    _live("roll_std_deg", 0.2, (0.0, 10.0), "Standard deviation of the calibrated roll."),
    _live("pitch_std_deg", 0.2, (0.0, 10.0), "Standard deviation of the calibrated pitch."),
    _live("yaw_std_deg", 0.2, (0.0, 10.0), "Standard deviation of the calibrated yaw."),
    _live("height_std_m", 0.02, (0.0, 1.0), "Standard deviation of the calibrated height."),
    Parameter(
        "ground.correction",
        OFF,
        "Correct the pitch (and the height, by lane_width_m) from parallel lanes, image by image.",
        choices=(OFF, PITCH, PITCH_HEIGHT),
    ),
    _live("correction_limit_deg", 2.0, (0.1, 10.0), "Largest correction of the pitch."),
    _live("lane_width_m", 3.5, (2.0, 6.0), "True width of a lane, for the correction of height."),
)
