# SPDX-License-Identifier: Apache-2.0
"""The lanes' parameters: what counts as found, lines on the road, lanes followed through time."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.lanes.ground.options import (
    CURVE,
    INDEPENDENT,
    OFF,
    PITCH,
    PITCH_HEIGHT,
    RoadOptions,
)
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.parameter import Parameter, live, threshold

ROAD, TRACKING = RoadOptions(), TrackingOptions()
"""Where the defaults stand."""

THRESHOLDS: Final = (
    threshold("lanes.keypoint_threshold", "Lowest heat-map value of a lane keypoint."),
    threshold(
        "lanes.confidence_threshold",
        "Lowest confidence of a detected lane, one value for all five lanes.",
    ),
)

ON_THE_ROAD: Final = (
    live(
        "ground.max_range_m",
        ROAD.max_range_m,
        (5.0, 500.0),
        "Points farther from the camera are dropped.",
    ),
    Parameter(
        "ground.polynomial_degree",
        ROAD.polynomial_degree,
        "Highest degree of y(x); short lines get a lower one.",
        bounds=(1, 3),
        read_only=False,
    ),
    live(
        "ground.pixel_std_px",
        ROAD.pixel_std_px,
        (0.01, 100.0),
        "Standard deviation of pixels where the model gives none.",
    ),
    Parameter(
        "ground.pixel_errors",
        ROAD.pixel_errors,
        "How the pixel errors along one line belong together: curve = they are those of one fitted "
        "curve, as this node's models give it; independent = each point has its own.",
        choices=(CURVE, INDEPENDENT),
        read_only=False,
    ),
    Parameter(
        "ground.correction",
        ROAD.correction,
        "Correct the pitch (and the height, by lane_width_m) from parallel lanes, image by image.",
        choices=(OFF, PITCH, PITCH_HEIGHT),
    ),
    live(
        "ground.correction_limit_deg",
        ROAD.correction_limit_deg,
        (0.1, 10.0),
        "Largest correction of the pitch.",
    ),
    live(
        "ground.lane_width_m",
        ROAD.lane_width_m,
        (2.0, 6.0),
        "True width of a lane, for the correction of height.",
    ),
)

THROUGH_TIME: Final = (
    Parameter(
        "tracking.enabled",
        TRACKING.enabled,
        "Follow lanes from image to image: steadier lines, track ids, short gaps bridged. Off = "
        "every image for itself.",
        read_only=False,
    ),
    live(
        "tracking.on_confidence",
        TRACKING.on_confidence,
        (0.0, 1.0),
        "Lowest confidence with which a new lane is taken up.",
    ),
    live(
        "tracking.off_confidence",
        TRACKING.off_confidence,
        (0.0, 1.0),
        "Lowest confidence with which a lane goes on; at most tracking.on_confidence. While "
        "tracking, lanes.confidence_threshold counts only where it is lower.",
    ),
    live(
        "tracking.max_coasting_s",
        TRACKING.max_coasting_s,
        (0.0, 5.0),
        "Longest time that an unseen lane is predicted, but no longer than it was seen before.",
    ),
    live(
        "tracking.reset_gap_s",
        TRACKING.reset_gap_s,
        (0.05, 60.0),
        "Longest time between two images; after a longer one all tracks start anew.",
    ),
    live(
        "tracking.gate_m",
        TRACKING.gate_m,
        (0.2, 3.0),
        "A line further than this from a track is another lane; about a third of a lane's width. "
        "Without ground geometry it is guessed what that is in pixels.",
    ),
    live(
        "tracking.agility",
        TRACKING.agility,
        (0.1, 10.0),
        "How fast the motion of lines may change: more follows faster, less is steadier.",
    ),
    live(
        "tracking.pixel_std_px",
        TRACKING.pixel_std_px,
        (0.01, 100.0),
        "Standard deviation of pixels where the model gives none.",
    ),
)
