# SPDX-License-Identifier: Apache-2.0
"""Parameters ``debug.*``: the pictures that the node draws while somebody looks at them."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter

PARAMETERS: Final = (
    Parameter(
        "debug.overlay_width",
        800,
        "Columns of the camera image in ~/debug/overlay/compressed; a smaller image is not "
        "enlarged.",
        bounds=(160, 3840),
        read_only=False,
    ),
    Parameter(
        "debug.overlay_quality",
        80,
        "JPEG quality of the overlay.",
        bounds=(1, 100),
        read_only=False,
    ),
    Parameter(
        "debug.overlay_max_rate_hz",
        10.0,
        "Most overlays in a second; nothing is drawn unless somebody subscribes.",
        bounds=(0.1, 120.0),
        read_only=False,
    ),
    Parameter(
        "debug.overlay_birds_eye",
        True,
        "Add what is on the road, seen from above, to the overlay; needs ground geometry.",
        read_only=False,
    ),
    Parameter(
        "debug.overlay_all",
        False,
        "Draw into the overlay, too, what has a debug topic of its own (classes, depth).",
        read_only=False,
    ),
    Parameter(
        "debug.markers_max_rate_hz",
        10.0,
        "Most marker arrays in a second on ~/debug/markers; none unless somebody subscribes.",
        bounds=(0.1, 120.0),
        read_only=False,
    ),
)
