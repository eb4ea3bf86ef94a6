# SPDX-License-Identifier: Apache-2.0
"""Slices follow their written rules."""

import numpy as np
import pytest
from road_answers import LINE
from samples import sample_of

from shared_encoder_perception.evaluation.slices import (
    NIGHT_BELOW,
    in_order,
    light_of,
    rules,
    slices_of,
)
from shared_encoder_perception.tasks.lanes.answer import LaneId


def grey(value):
    return np.full((20, 30, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("value", "said", "light"),
    [
        (NIGHT_BELOW - 1, "", "night"),
        (NIGHT_BELOW, "", "day"),
        (10, "daytime", "day"),  # the label knows better
        (200, "Night", "night"),
        (200, "dawn/dusk", "dawn/dusk"),
        (10, "undefined", "night"),
    ],
)
def test_light_is_the_labels_or_the_brightness(value, said, light):
    assert light_of(grey(value), said) == light


def test_brightness_is_that_of_the_eye():
    blue, green = grey(0), grey(0)
    blue[..., 0] = green[..., 1] = 200
    assert light_of(blue) == "night"
    assert light_of(green) == "day"


def test_every_way_to_slice_has_a_rule_and_nothing_is_guessed():
    bare = sample_of(grey(90), {})
    found = slices_of("road", bare, {})
    assert found == {
        "source": "road",
        "light": "day",
        "curvature": "unknown",
        "focal length": "unknown",
        "occlusion": "unknown",
    }
    assert list(found) == list(rules())
    assert slices_of("road", bare, {"occlusion": "heavy"})["occlusion"] == "heavy"


def test_a_label_tells_what_its_room_knows():
    assert slices_of("road", sample_of(grey(90), {LaneId.EGO: LINE}), {})["curvature"] == "straight"


def test_slices_are_shown_in_the_order_that_people_expect():
    mixed = ["unknown", "sharp curve", "dawn/dusk", "night", "straight", "day", "gentle curve"]
    expected = ["day", "night", "straight", "gentle curve", "sharp curve", "dawn/dusk", "unknown"]
    assert in_order(mixed) == expected
