# SPDX-License-Identifier: Apache-2.0
"""Pitch and height learnt from parallel lanes: how well, how fast, and when not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ground_world import (
    EXACT,
    LANES,
    camera_info,
    even_rows,
    lanes_of,
    line,
    opencv_pixels,
    projector,
    road_points,
)

from shared_encoder_perception.tasks.lanes.answer import LaneId, Lanes
from shared_encoder_perception.tasks.lanes.ground.correction import MIN_IMAGES, Correction
from shared_encoder_perception.tasks.lanes.ground.projector import Projector

INFO = camera_info("plumb_bob")
TWO = (LaneId.EGO, LaneId.RIGHT_EGO)


def learner(**changes: Any) -> Projector:
    """Return a projector that corrects its pitch."""
    ours = projector(INFO, **{"correction": "pitch", **changes})
    return replace(ours, correction=Correction.of(ours.options))


def image(
    ours: Projector,
    rng: np.random.Generator,
    lanes: Iterable[LaneId] = LANES,
    curve: Callable[[np.ndarray, float], np.ndarray] = lambda x, offset: offset + 0.02 * x,
    far: float = 60.0,
    noise_px: float = 1.0,
    **true: float,
) -> Lanes:
    """Return what a camera sees whose pose differs from the calibrated one by ``true``.

    Pixel errors are those of a fitted curve: smooth along the line.
    """
    where = replace(ours.camera.options, **true)
    lines = {}
    for lane in lanes:
        points = road_points(
            lambda x, lane=lane: curve(x, LANES.get(lane, 0.0)), even_rows(where, 8.0, far, 72)
        )
        pixels = opencv_pixels(points, INFO, where)
        along = np.linspace(-1.0, 1.0, 72)
        pixels[:, 0] += rng.normal(size=3) @ (np.ones(72), along, along**2) * noise_px / 2
        lines[lane] = line(lane, pixels, noise_px)
    return lanes_of(lines)


def learn(ours: Projector, count: int = 60, **how: Any) -> Correction:
    """Show ``count`` images and return what was learnt."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        ours.project(image(ours, rng, **how))
    assert ours.correction is not None
    return ours.correction


@pytest.mark.parametrize("error_deg", [-1.2, -0.3, 0.0, 0.8])
@pytest.mark.parametrize("lanes", [tuple(LANES), TWO, (LaneId.LEFT_EGO, LaneId.RIGHT_EGO)])
def test_a_wrong_pitch_is_found(error_deg: float, lanes: tuple[LaneId, ...]) -> None:
    """Two lanes or three; the sigma says how well."""
    ours = learner()
    state = learn(ours, lanes=lanes, pitch_deg=ours.camera.options.pitch_deg + error_deg).state
    assert state.in_use and not state.at_limit
    assert np.degrees(state.pitch_rad) == pytest.approx(error_deg, abs=0.1)
    assert 0.01 < np.degrees(state.pitch_std_rad) < 0.15


def test_the_correction_straightens_the_road() -> None:
    """Lateral error of the projected lines, with and without it; sigmas shrink as well."""
    rng = np.random.default_rng(5)
    ours, plain = learner(), projector(INFO)
    true = ours.camera.options.pitch_deg + 0.8
    learn(ours, pitch_deg=true)
    seen = image(ours, rng, lanes=LANES, noise_px=0.01, pitch_deg=true)
    for lane, offset in LANES.items():
        good, bad = (one.project(seen)[lane].ground for one in (ours, plain))
        assert good is not None and bad is not None
        errors = [np.abs(g.points_m[:, 1] - offset - 0.02 * g.points_m[:, 0]) for g in (good, bad)]
        assert errors[0].max() < 0.1
        if lane is not LaneId.EGO:  # which is ahead, where the pitch hardly matters
            assert np.nanmax(errors[1]) > 1.0
            middle = len(errors[1]) // 2
            assert good.y_std_m[middle] < bad.y_std_m[middle]


def test_points_go_back_to_their_pixels_with_the_correction() -> None:
    """``to_image`` knows it."""
    ours = learner(correction="pitch_height", lane_width_m=3.8)
    learn(ours, pitch_deg=ours.camera.options.pitch_deg - 0.5)
    seen = image(ours, np.random.default_rng(0), pitch_deg=ours.camera.options.pitch_deg - 0.5)
    ego = ours.project(seen)[LaneId.EGO]
    assert ego.ground is not None
    np.testing.assert_allclose(ours.to_image(ego.ground.points_m), ego.points_px, atol=0.01)


def test_a_wrong_height_is_found_by_the_lane_width() -> None:
    """And with it the true width of the road, which a wrong height would scale."""
    ours = learner(correction="pitch_height", lane_width_m=3.5)
    state = learn(ours, count=300, height_m=1.76, pitch_deg=3.5).state
    assert state.height_factor == pytest.approx(1.1, abs=0.01)
    assert np.degrees(state.pitch_rad) == pytest.approx(0.5, abs=0.1)
    assert learn(learner(lane_width_m=3.0), height_m=1.76).state.height_factor == 1.0


def test_parallel_bends_do_not_count_as_pitch() -> None:
    """The horizon is where the lanes' distance vanishes, not where they point."""
    ours = learner()
    state = learn(ours, curve=lambda x, offset: offset + x**2 / (2 * (600.0 - offset))).state
    assert state.in_use
    assert abs(np.degrees(state.pitch_rad)) < 0.1


def narrowing(x: np.ndarray, offset: float) -> np.ndarray:
    """Lanes that come together in the distance: only with ego this could be a pitch."""
    return offset * (1.0 - np.clip(x - 25.0, 0, None) / 60.0)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"lanes": (LaneId.EGO,)}, "fewer than two lanes"),
        ({"lanes": ()}, ""),
        ({"lanes": (*LANES, LaneId.LEFT_SPLIT_EGO)}, "a lane splits"),
        ({"far": 18.0}, "too short"),
        ({"curve": lambda x, offset: offset + x**2 / 300.0}, "bends"),
        ({"curve": narrowing, "noise_px": 0.2}, "not parallel"),
        ({"curve": lambda x, offset: offset * 3.0 + 0.0 * x}, "m wide"),
        ({"curve": lambda x, offset: offset * (1 - x / 50.0)}, "cross|wide"),
        ({"noise_px": 80.0}, "uncertain|wide|cross|bends|point"),
    ],
)
def test_what_tells_nothing_is_refused(how: dict[str, Any], reason: str) -> None:
    """One lane, splits, short lines, bends, lanes that are not parallel: no correction at all."""
    state = learn(learner(), count=40, **how).state
    assert not state.in_use and state.pitch_rad == 0.0 and state.height_factor == 1.0
    assert state.accepted == 0
    if reason:
        assert any(part in state.reason for part in reason.split("|")), state.reason
        assert state.refused == 40


def test_it_is_bounded_and_says_so() -> None:
    """Two degrees off with a limit of one."""
    ours = learner(correction_limit_deg=1.0)
    state = learn(ours, pitch_deg=ours.camera.options.pitch_deg + 2.0).state
    assert np.degrees(state.pitch_rad) == pytest.approx(1.0, abs=0.05)
    assert state.at_limit


def test_nothing_is_corrected_before_enough_images() -> None:
    """A first wild guess would do harm."""
    ours = learner()
    true = ours.camera.options.pitch_deg + 0.8
    assert learn(ours, count=MIN_IMAGES - 1, pitch_deg=true).state.pitch_rad == 0.0
    assert learn(ours, count=1, pitch_deg=true).state.pitch_rad != 0.0


def test_one_wild_image_changes_nothing() -> None:
    """Lanes that suddenly look like another pitch are refused."""
    ours = learner()
    before = learn(ours).state
    after = learn(ours, count=1, pitch_deg=ours.camera.options.pitch_deg + 1.5).state
    assert after.pitch_rad == before.pitch_rad and after.accepted == before.accepted
    assert "contradicts" in after.reason


def test_a_lasting_change_is_followed() -> None:
    """A load in the trunk: what contradicts for long is true in the end."""
    ours = learner()
    learn(ours)
    changed = ours.camera.options.pitch_deg - 0.6
    state = learn(ours, count=600, pitch_deg=changed).state
    assert np.degrees(state.pitch_rad) == pytest.approx(-0.6, abs=0.1)


def test_reset_forgets() -> None:
    """As for a new drive."""
    ours = learner()
    correction = learn(ours, pitch_deg=ours.camera.options.pitch_deg + 0.8)
    correction.reset()
    assert correction.state.accepted == 0 and correction.state.pitch_rad == 0.0
    plain = projector(INFO)
    seen = image(ours, np.random.default_rng(1))
    a, b = (one.project(seen)[0].ground for one in (ours, plain))
    assert a is not None and b is not None
    np.testing.assert_array_equal(a.points_m, b.points_m)


def test_off_is_off() -> None:
    """No object, no cost."""
    assert Correction.of(projector().options) is None


def test_a_learnt_pitch_is_as_certain_as_it_says() -> None:
    """Only ever less uncertain than the calibration."""
    ours = learner(**{**EXACT, "pitch_std_deg": 0.3})
    seen = image(ours, np.random.default_rng(1))
    before = ours.project(seen)[LaneId.LEFT_EGO].ground
    learn(ours)
    after = ours.project(seen)[LaneId.LEFT_EGO].ground
    assert before is not None and after is not None
    assert after.y_std_m[-1] < before.y_std_m[-1]
