"""Which kind of image it is, so that scores can be told apart: light, curvature, occlusion.

The rules are simple on purpose, and the same for every data set: who reads a score by night must
be able to say what night is. What is not known is ``"unknown"``, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneId

UNKNOWN: Final = "unknown"
DAY, NIGHT = "day", "night"
NIGHT_BELOW: Final = 50.0
"""Mean grey value of a picture, 0 to 255. Of TuSimple, CamVid, IDD and KITTI, all by day, the
darkest picture has 68; of rendered worlds those by night have up to 48."""
STRAIGHT, GENTLE, SHARP = "straight", "gentle curve", "sharp curve"
GENTLE_FROM, SHARP_FROM = 0.015, 0.05
"""Sagitta of a lane as a share of the image's width."""
RULES: Final = {
    "source": "the data set that an image comes from",
    "light": (
        f'the label\'s "timeofday" where it is given; otherwise {NIGHT} where the mean grey value '
        f"of the picture is below {NIGHT_BELOW:g} of 255"
    ),
    "curvature": (
        "how far the labelled ego line (without one, a neighbour's) bends away from the straight "
        f"line between its ends, as a share of the image's width: {STRAIGHT} below "
        f"{GENTLE_FROM:.1%}, {SHARP} from {SHARP_FROM:.1%} on"
    ),
    "occlusion": 'the label\'s "occlusion", where it is given',
}
"""Name of a way to slice -> its rule, for people."""
ORDER: Final = (DAY, NIGHT, STRAIGHT, GENTLE, SHARP)
"""Slices in the order in which people expect them; others follow by name, unknown comes last."""


def slices_of(
    source: str,
    image: NDArray[np.uint8],
    lanes: Mapping[LaneId, NDArray | None],
    attributes: Mapping[str, str],
) -> dict[str, str]:
    """Return the slice that an image is in, for each of ``RULES``.

    Args:
        source: Name of its group.
        image: (H, W, 3) uint8 BGR.
        lanes: As ``training.sample.Sample.lanes``.
        attributes: Of the label; ``timeofday`` and ``occlusion`` are looked at.
    """
    return {
        "source": source,
        "light": light_of(image, attributes.get("timeofday", "")),
        "curvature": curvature_of(lanes, image.shape[1]),
        "occlusion": attributes.get("occlusion") or UNKNOWN,
    }


def in_order(values: Iterable[str]) -> list[str]:
    """Sort the slices of one way to slice."""

    def key(value: str) -> tuple[bool, int, str]:
        place = ORDER.index(value) if value in ORDER else len(ORDER)
        return value == UNKNOWN, place, value

    return sorted(values, key=key)


def light_of(image: NDArray[np.uint8], time_of_day: str = "") -> str:
    """Tell day from night.

    Args:
        image: (H, W, 3) uint8 BGR.
        time_of_day: What the label says: a text with "night" or "day" in it decides; any other one,
            such as "dawn/dusk", is a slice of its own. Empty or "undefined": the picture decides.
    """
    said = time_of_day.strip().lower()
    for light in (NIGHT, DAY):
        if light in said:
            return light
    if said and said != "undefined":
        return said
    # Luma of the mean colour is the mean luma.
    mean = np.array(cv2.mean(image)[:3]) @ (0.114, 0.587, 0.299)
    return NIGHT if mean < NIGHT_BELOW else DAY


def curvature_of(lanes: Mapping[LaneId, NDArray | None], image_width: int) -> str:
    """Tell a bend from a straight road; on a flat, straight one lines are straight in the image.

    Args:
        lanes: As ``training.sample.Sample.lanes``.
        image_width: Pixels.
    """
    for lane in (LaneId.EGO, LaneId.LEFT_EGO, LaneId.RIGHT_EGO):
        points = lanes.get(lane)
        if points is not None:
            sagitta = _sagitta(points) / image_width
            return (
                SHARP if sagitta >= SHARP_FROM else GENTLE if sagitta >= GENTLE_FROM else STRAIGHT
            )
    return UNKNOWN


def _sagitta(points: NDArray) -> float:
    """Largest horizontal distance, pixels, of a line from the one between its ends."""
    x, y = np.asarray(points, np.float64).T
    chord = x[0] + (x[-1] - x[0]) * (y - y[0]) / (y[-1] - y[0])
    return float(np.abs(x - chord).max())
