# SPDX-License-Identifier: Apache-2.0
"""What diagnostics say of painting: counts that add up, and a level with a reason."""

from __future__ import annotations

from shared_encoder_perception.node.painting_health import (
    RECEIVED,
    REPLACED,
    UNHEARD,
    Painted,
    PaintingHealth,
)
from shared_encoder_perception.tasks.painting import NO_IMAGE
from shared_encoder_perception.tasks.status import Level, Status


def judged(health: PaintingHealth, now_s: float, **graph: int) -> Status:
    """Ask with a lidar that publishes and one subscriber."""
    return health.status(now_s, 5.0, **{"publishers": 1, "subscribers": 1, **graph})


def started() -> PaintingHealth:
    """Begin at 10 s."""
    health = PaintingHealth()
    health.start(10.0, "/points")
    return health


def test_inactive_says_nothing_else() -> None:
    """Before the start and after the end."""
    health = PaintingHealth()
    assert judged(health, 0.0).level is Level.STALE
    health.start(0.0, "/points")
    health.stop()
    assert judged(health, 1.0).level is Level.STALE


def test_silence_is_a_warning_once_it_lasts() -> None:
    """Nobody there, or somebody who sends nothing."""
    health = started()
    assert judged(health, 10.5).level is Level.OK
    silent = judged(health, 13.0, publishers=0)
    assert silent.level is Level.WARN and "nobody publishes /points" in silent.message
    assert "1 publishers, but no cloud comes" in judged(health, 13.5).message


def test_counts_and_times_of_painted_clouds() -> None:
    """Every cloud that came is somewhere."""
    health = started()
    for number in range(4):
        health.received()
        health.painted(Painted(2.0 + number, -15.0, 0.25))
    health.received()
    health.drop(UNHEARD)
    status = judged(health, 12.0)
    values = status.values
    assert status.level is Level.OK and "2.0 Hz" in status.message
    assert (values[RECEIVED], values["painted"], values[UNHEARD]) == ("5", "4", "1")
    assert (values["skew_ms"], values["known_ratio"]) == ("-15.0", "0.250")
    assert values["painting_p50_ms"] == "3.50"
    assert "none is made" in judged(health, 12.1, subscribers=0).message


def test_drops_warn_and_nothing_but_drops_is_an_error() -> None:
    """With the last reason in words, and over once the window is."""
    health = started()
    health.received()
    health.drop(NO_IMAGE, "the nearest is far")
    status = judged(health, 11.0)
    assert status.level is Level.ERROR and "the nearest is far" in status.message
    health.received()
    health.painted(Painted(1.0, 0.0, 1.0))
    health.drop(REPLACED)
    status = judged(health, 12.0)
    assert status.level is Level.WARN
    assert "2 clouds not painted in the last 2.0 s, mostly no_image" in status.message
    assert status.values["last_problem"] == "the nearest is far"
    health.received()
    health.painted(Painted(1.0, 0.0, 1.0))
    judged(health, 20.0)
    health.received()
    assert judged(health, 24.0).level is Level.OK


def test_subscribers_in_vain_are_named() -> None:
    """As for every other output."""
    status = started().status(10.1, 5.0, publishers=1, subscribers=0, misfits=["X subscribes"])
    assert (status.level, status.message) == (Level.WARN, "X subscribes")
