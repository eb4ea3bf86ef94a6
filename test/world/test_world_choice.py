# SPDX-License-Identifier: Apache-2.0
"""Worlds of some places and weathers: the same dice, what is asked for, nothing else moved."""

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from shared_encoder_perception.world.choice import ANY, Choice
from shared_encoder_perception.world.dice import PLACES, WEATHERS, World, roll_world
from shared_encoder_perception.world.synthetic import Drive, render_sample

SIZE = (64, 160)


def rolled(seed, places=(), weathers=()):
    dice = np.random.default_rng(seed)
    return roll_world(dice, SIZE, 0.25, places, weathers), dice.random()


def same(one, other):
    """Whether two worlds are the same in every number."""
    with np.printoptions(threshold=10**9, precision=17):
        return all(
            repr(getattr(one, f.name)) == repr(getattr(other, f.name)) for f in fields(World)
        )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("weather", WEATHERS)
def test_worlds_are_what_was_asked_for(place, weather):
    drive = Drive(8, SIZE, choice=Choice((place,), (weather,)))
    assert (drive.world.place, drive.world.weather) == (place, weather)


def test_asking_for_everything_is_asking_for_nothing():
    for seed in range(20):
        plain, left = rolled(seed)
        chosen, left_of_it = rolled(seed, tuple(PLACES), tuple(WEATHERS))
        assert same(plain, chosen)
        assert left == left_of_it


def test_who_asks_for_what_would_have_come_gets_the_same_world():
    for seed in range(20):
        plain, left = rolled(seed)
        chosen, left_of_it = rolled(seed, (plain.place,), (plain.weather,))
        assert same(plain, chosen)
        assert left == left_of_it


def test_the_picture_is_the_same_then_too():
    was = Drive(4, SIZE).world
    choice = Choice((was.place,), (was.weather,))
    pictures = [render_sample(4, SIZE, tasks=(), choice=one).image for one in (ANY, choice)]
    assert np.array_equal(*pictures)


def test_odds_among_what_is_asked_for_stay_what_they_were():
    asked = ("town", "motorway")
    found = Counter(rolled(seed, asked)[0].place for seed in range(400))
    assert set(found) == set(asked)
    odds = PLACES["town"] / (PLACES["town"] + PLACES["motorway"])
    assert found["town"] / 400 == pytest.approx(odds, abs=0.07)  # three standard deviations


def test_the_order_of_the_names_makes_no_difference():
    for seed in range(10):
        one, other = (rolled(seed, names)[0] for names in (("town", "rural"), ("rural", "town")))
        assert same(one, other)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"places": ("twon",)}, "places: there is no 'twon'; did you mean 'town'?"),
        ({"weathers": ("hail",)}, "weathers: there is no 'hail': expected some of sun, overcast"),
        ({"surfaces": ("red caly",)}, "surfaces: there is no 'red caly'; did you mean 'red clay'?"),
        ({"places": ("town", "town")}, "places is .*expected each once"),
    ],
)
def test_names_that_there_are_not_are_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        Choice(**asked)


def test_what_is_asked_for_is_told_in_words():
    assert Choice(("town",), ("night", "dusk")).said() == {
        "places": "town",
        "weathers": "night, dusk",
    }
    assert not ANY
    assert ANY.said() == {}
