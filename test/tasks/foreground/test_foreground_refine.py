# SPDX-License-Identifier: Apache-2.0
"""Foreground that nothing was compared with is not known, and the status says why."""

import pickle
from math import nan

import numpy as np

from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.contract.refining import CompanionState, Moment
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.refine import RefineOptions, Refiner, options
from shared_encoder_perception.tasks.status import Level

SIZE = (4, 6)
ANSWER = ForegroundMask(np.full(SIZE, 200, np.uint8), crop=Crop(0, 0, 6, 4))


def refined(**states):
    refiner = Refiner(options({}.__getitem__))
    answer = refiner(ANSWER, Moment(SIZE, 1.0, companions=states))
    (status,) = refiner.statuses().values()
    return answer, status


def test_whoever_gave_the_picture_is_believed():
    answer, status = refined()
    assert answer is ANSWER and status.level is Level.OK


def test_a_background_of_use_changes_nothing_and_is_named():
    answer, status = refined(background=CompanionState("", Level.OK, "/empty", 2.0, (480, 640)))
    assert answer is ANSWER
    assert status.message == "compared with the background from /empty"
    assert dict(status.values) == {
        "background": "/empty",
        "background_age_s": "2.0",
        "background_size": "640x480",
    }


def test_without_one_nothing_is_known():
    answer, status = refined(background=CompanionState("there is none: ask", Level.WARN))
    assert not answer.known and (answer.values() == 127).all()
    assert status.level is Level.WARN
    assert status.message == "no foreground is known: there is none: ask"
    assert dict(status.values) == {
        "background": "none",
        "background_age_s": "unknown",
        "background_size": "unknown",
    }
    state = CompanionState("is small", Level.ERROR, "/empty", nan, (1, 1))
    assert refined(background=state)[1].level is Level.ERROR


def test_the_status_waits_for_an_image_and_a_checkpoint_keeps_it():
    refiner = Refiner(RefineOptions())
    assert refiner.statuses()["foreground"].message == "waiting for an image"
    refiner(ANSWER, Moment(SIZE, 1.0))
    again = pickle.loads(pickle.dumps(refiner))
    assert again.statuses() == refiner.statuses()
    refiner.reset()
    assert refiner.statuses()["foreground"].message == "waiting for an image"


def test_what_is_odd_about_a_background_of_use_is_warned_of():
    state = CompanionState("", Level.WARN, "/empty", -9.0, SIZE, "a file is missing")
    answer, status = refined(background=state)
    assert answer is ANSWER and status.level is Level.WARN
    assert status.message == "compared with the background from /empty, but a file is missing"
    assert status.values["background_age_s"] == "-9.0"


def test_what_is_wrong_already_is_told_before_there_is_an_image():
    refiner = Refiner(RefineOptions())
    refiner.expect({"background": CompanionState()})
    assert refiner.statuses()["foreground"].level is Level.OK
    refiner.expect({"background": CompanionState("it is missing", Level.ERROR, "a.png")})
    status = refiner.statuses()["foreground"]
    assert (status.level, status.message) == (Level.ERROR, "waiting for an image; it is missing")
    assert status.values["background"] == "a.png"
