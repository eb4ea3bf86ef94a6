# SPDX-License-Identifier: Apache-2.0
"""Which kind of image it is, so that scores can be told apart: light, occlusion, and more.

The rules are simple on purpose, and the same for every data set: who reads a score by night must
be able to say what night is. What is not known is ``"unknown"``, never guessed. What only the label
of one task tells, its room says (``slices.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.tasks.contract.scores import UNKNOWN

SOURCE, LIGHT, OCCLUSION = "source", "light", "occlusion"
DAY, NIGHT = "day", "night"
NIGHT_BELOW: Final = 50.0
"""Mean grey value of a picture, 0 to 255. Of TuSimple, CamVid, IDD and KITTI, all by day, the
darkest picture has 68; of rendered worlds those by night have up to 48."""
_LIGHT_RULE: Final = (
    f'the label\'s "timeofday" where it is given; otherwise {NIGHT} where the mean grey value '
    f"of the picture is below {NIGHT_BELOW:g} of 255"
)


def rules() -> dict[str, str]:
    """Return each way to slice, by name, and its rule for people."""
    own = {way: rule for room in tasks.parts("slices").values() for way, rule in room.RULES.items()}
    return {
        SOURCE: "the data set that an image comes from",
        LIGHT: _LIGHT_RULE,
        **own,
        OCCLUSION: 'the label\'s "occlusion", where it is given',
    }


def slices_of(source: str, sample: Sample, attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the slice that an image is in, for each of ``rules``.

    Args:
        source: Name of its group.
        sample: The image and its labels.
        attributes: Of the label; ``timeofday`` and ``occlusion`` are looked at.
    """
    found = {
        **dict.fromkeys(rules(), UNKNOWN),
        SOURCE: source,
        LIGHT: light_of(sample.image, attributes.get("timeofday", "")),
        OCCLUSION: attributes.get("occlusion") or UNKNOWN,
    }
    size = (sample.image.shape[0], sample.image.shape[1])
    for name, room in tasks.parts("slices", sample.labels).items():
        found |= room.slices_of(sample.labels[name], size)
    return found


def in_order(values: Iterable[str]) -> list[str]:
    """Sort the slices of one way to slice: as people expect them, by name, unknown comes last."""
    expected = [DAY, NIGHT]
    for room in tasks.parts("slices").values():
        expected += room.ORDER

    def key(value: str) -> tuple[bool, int, str]:
        place = expected.index(value) if value in expected else len(expected)
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
