# SPDX-License-Identifier: Apache-2.0
"""evaluate on worlds with and without traffic, which is said among the conditions."""

import pytest

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.evaluation.labelled_images import render_worlds

NAMES = ("foreground",)


def new_pixels(traffic):
    labelled = render_worlds(3, NAMES, traffic)
    return [(image.sample.labels["foreground"].mask == 255).sum() for image in labelled.read()]


def test_traffic_says_whether_anybody_is_there():
    assert not any(new_pixels(0.0))
    assert all(new_pixels(1.0))


def test_it_is_said_what_was_scored_on():
    assert render_worlds(1, NAMES, 0.8).conditions["data"].endswith(", somebody near by in 80%")
    assert "somebody" not in render_worlds(1, NAMES).conditions["data"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--synthetic", "2", "--traffic", "1.5"], "--traffic is 1.5, expected 0 to 1"),
        (["--synthetic", "2", "--sweep", "--traffic", "1"], "leave it out"),
        (["--labels", "nowhere", "--traffic", "1"], "leave it out"),
    ],
)
def test_traffic_that_cannot_be_is_refused(words, message, capsys):
    assert main(["evaluate", *words]) == 2
    assert message in capsys.readouterr().err
