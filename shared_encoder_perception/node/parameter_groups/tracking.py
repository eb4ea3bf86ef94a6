"""Parameters ``tracking.*``: lanes followed from image to image."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter


def _live(name: str, default: float, bounds: tuple[float, float], description: str) -> Parameter:
    """Build the parameter of one number."""
    return Parameter(f"tracking.{name}", default, description, bounds, read_only=False)


PARAMETERS: Final = (
    Parameter(
        "tracking.enabled",
        False,
        "Follow lanes from image to image: steadier lines, track ids, short gaps bridged. Off = "
        "every image for itself.",
        read_only=False,
    ),
    _live("on_confidence", 0.5, (0.0, 1.0), "Lowest confidence with which a new lane is taken up."),
    _live(
        "off_confidence",
        0.3,
        (0.0, 1.0),
        "Lowest confidence with which a lane goes on; at most tracking.on_confidence. While "
        "tracking, lanes.confidence_threshold counts only where it is lower.",
    ),
    _live(
        "max_coasting_s",
        0.5,
        (0.0, 5.0),
        "Longest time that an unseen lane is predicted, but no longer than it was seen before.",
    ),
    _live(
        "reset_gap_s",
        1.0,
        (0.05, 60.0),
        "Longest time between two images; after a longer one all tracks start anew.",
    ),
    _live(
        "gate_m",
        1.2,
        (0.2, 3.0),
        "A line further than this from a track is another lane; about a third of a lane's width. "
        "Without ground geometry it is guessed what that is in pixels.",
    ),
    _live(
        "agility",
        1.0,
        (0.1, 10.0),
        "How fast the motion of lines may change: more follows faster, less is steadier.",
    ),
    _live(
        "pixel_std_px",
        2.0,
        (0.01, 100.0),
        "Standard deviation of pixels where the model gives none.",
    ),
)
