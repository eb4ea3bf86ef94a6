# SPDX-License-Identifier: Apache-2.0
"""What diagnostics say about processing, output and model, at times made up by the tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.node.health import (
    TRANSITIONS,
    Audience,
    OutputHealth,
    ProcessingHealth,
    loading_status,
    model_status,
    no_model_status,
)
from shared_encoder_perception.node.watchdogs import GRACE_S, WatchdogOptions
from shared_encoder_perception.tasks.status import Level, Status

OPTIONS = WatchdogOptions()


def stages(total_ms: float, count: int = 100) -> list[dict[str, float]]:
    """Return the times of images of which 10 % take ``total_ms``, and the others 20 ms."""
    times = [total_ms if number % 10 == 0 else 20.0 for number in range(count)]
    return [{"inference": 15.0, "total": total} for total in times]


def processed(
    times: list[dict[str, float]] | None = None,
    busy_since_s: float | None = None,
    enabled: bool = True,
    **counts: int,
) -> Status:
    """Return the status of an inference thread after its first four seconds."""
    health = ProcessingHealth(OPTIONS)
    health.start(10.0)
    health.last_problem = "the reason"
    times = stages(20.0) if times is None else times
    filled = {"received": 100, "perceived": 100, **counts}
    return health.status(14.0, filled, times, busy_since_s, enabled)


def test_processing_tells_rate_and_percentiles_by_stage() -> None:
    """All of it in plain numbers."""
    status = processed()
    assert (status.level, status.message) == (
        Level.OK,
        "25.0 Hz, 20.0 ms from receipt to output",
    )
    assert status.values["rate_hz"] == "25.0"
    assert status.values["inference_p50_ms"] == status.values["inference_p95_ms"] == "15.00"
    assert status.values["total_max_ms"] == "20.00"


@pytest.mark.parametrize(
    ("slow_ms", "level", "limit"),
    [(99.0, Level.OK, ""), (101.0, Level.WARN, "100 ms"), (301.0, Level.ERROR, "300 ms")],
)
def test_the_latency_watchdog_has_two_thresholds(slow_ms: float, level: Level, limit: str) -> None:
    """On the 95th percentile: here one image of ten is slow."""
    status = processed(stages(slow_ms))
    assert status.level is level and limit in status.message
    assert (level is Level.OK) != status.message.startswith("slow: ")


def test_one_slow_image_does_not_raise_an_alarm() -> None:
    """But its time is there to be seen."""
    times = stages(20.0)
    times[50]["total"] = 5000.0
    status = processed(times)
    assert status.level is Level.OK and status.values["total_max_ms"] == "5000.00"


def test_times_from_before_the_window_are_not_looked_at() -> None:
    """The list is longer than the window: what was slow at the start is over."""
    status = processed(stages(5000.0) + stages(20.0), perceived=100)
    assert status.level is Level.OK and status.values["total_max_ms"] == "20.00"


def test_an_inference_that_does_not_return_is_an_error() -> None:
    """It outranks everything else."""
    assert processed(busy_since_s=12.1).level is Level.OK
    status = processed(stages(5000.0), busy_since_s=11.5, lost=3, enabled=False)
    assert status.level is Level.ERROR and status.values["busy_s"] == "2.50"
    assert status.message.startswith("inference has not returned for 2.5 s")


def test_lost_images_are_an_error_when_nothing_else_comes() -> None:
    """A backend that raises now and then is a warning."""
    status = processed(lost=3)
    assert status.level is Level.WARN
    assert status.message == "3 lost in the last 4.0 s: the reason"
    assert processed([], perceived=0, lost=3).level is Level.ERROR


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"unrefined": 7}, "ground or tracks failed 7x"),
        ({"enabled": False}, "disabled: "),
    ],
)
def test_results_that_are_less_than_expected_are_a_warning(
    arguments: dict[str, Any], expected: str
) -> None:
    """Lanes without ground, or none because somebody said so."""
    status = processed(**arguments)
    assert status.level is Level.WARN and expected in status.message


def test_a_thread_without_work_is_idle_and_no_thread_is_inactive() -> None:
    """The input tells why."""
    status = processed([], received=0, perceived=0)
    assert (status.level, status.message) == (Level.OK, "idle: no image to process")
    status = processed([], busy_since_s=12.5, received=1, perceived=0)
    assert (status.level, status.message) == (Level.OK, "at work on an image for 1.5 s")
    health = ProcessingHealth(OPTIONS)
    assert health.status(0.0, {}, [], None).level is Level.STALE


def test_the_output_tells_how_often_each_thing_was_found() -> None:
    """Over the last window, of the images that were published."""
    health = OutputHealth("/front/perception", OPTIONS)
    health.start(0.0, ("ego", "left_ego", "mask", "right_ego"))
    for number in range(8):
        found = ["ego", *["left_ego"][: number % 4 == 0], *["mask"][: number < 4]]
        health.published(found)
    status = health.status(2.0, "active", Audience({"lane_lines": 2, "mask": 1}), {})
    assert (status.level, status.message) == (Level.OK, "4.0 Hz, subscriptions: 3")
    ratios = {name: value for name, value in status.values.items() if name.endswith("ratio")}
    assert ratios == {
        "ego_detected_ratio": "1.000",
        "left_ego_detected_ratio": "0.250",
        "mask_detected_ratio": "0.500",
        "right_ego_detected_ratio": "0.000",
    }
    assert status.values["subscribers lane_lines"] == "2"
    health.start(2.0, ("brightness",))
    values = health.status(3.0, "active", Audience(), {}).values
    assert [name for name in values if name.endswith("ratio")] == ["brightness_detected_ratio"]


@pytest.mark.parametrize("state", TRANSITIONS)
def test_a_node_between_two_states_waits_for_nobody(state: str) -> None:
    """A configuration may take as long as the load of the model."""
    status = OutputHealth("/perception", OPTIONS).status(0.0, state, Audience(), {})
    assert (status.level, status.message) == (Level.STALE, f"{state}: nothing is published")


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("inactive", "`ros2 lifecycle set /front/perception activate`"),
        ("unconfigured", "`ros2 lifecycle set /front/perception configure`"),
        ("finalized", ""),
    ],
)
def test_an_inactive_node_says_which_command_wakes_it(state: str, command: str) -> None:
    """The second most common reason why nothing comes out."""
    status = OutputHealth("/front/perception", OPTIONS).status(0.0, state, Audience(), {})
    assert status.level is Level.WARN and status.values == {"lifecycle": state}
    assert status.message.startswith(f"{state}: nothing is published") and command in status.message


def test_images_that_cannot_be_published_are_an_error_when_none_can() -> None:
    """And so is silence, a little, while the node is active."""
    health = OutputHealth("/perception", OPTIONS)
    health.start(0.0)
    assert "nothing published" in health.status(GRACE_S, "active", Audience(), {}).message
    assert health.status(2.5, "active", Audience(), {"unpublished": 3}).level is Level.ERROR
    health.published(())
    status = health.status(3.0, "active", Audience(), {"unpublished": 3})
    assert status.level is Level.WARN and status.values["errors"] == "3"


@pytest.mark.parametrize("settles", [False, True])
def test_nobody_complains_of_an_output_that_has_only_just_begun(settles: bool) -> None:
    """After an activation, and after a reload or a reset; then silence is told soon enough."""
    health, begin_s = OutputHealth("/perception", OPTIONS), 0.0
    health.start(begin_s)
    if settles:
        health.published(())
        assert "0.5 Hz" in health.status(2.0, "active", Audience(), {}).message
        begin_s = 10.0
        health.settle(begin_s)
    for after_s in (0.002, 0.27, GRACE_S - 0.1):
        status = health.status(begin_s + after_s, "active", Audience(), {})
        assert (status.level, status.message) == (Level.OK, "nothing published yet")
    status = health.status(begin_s + GRACE_S, "active", Audience(), {})
    assert status.level is Level.WARN and status.message.startswith("nothing published in the last")
    misfits = Audience(misfits=["X subscribes in vain"])
    assert OutputHealth("/p", OPTIONS).status(0.1, "active", misfits, {}).level is Level.WARN


def test_images_from_before_an_exchange_of_the_engine_are_not_slow_any_more() -> None:
    """A reload or a reset holds images: their times are nobody's fault."""
    health = ProcessingHealth(OPTIONS)
    health.start(0.0)
    assert health.status(1.0, {"perceived": 100}, stages(500.0), None).level is Level.ERROR
    health.settle()
    assert health.status(2.0, {"perceived": 110}, stages(500.0), None).level is Level.OK
    status = health.status(3.0, {"perceived": 120}, stages(500.0) + stages(20.0, 10), None)
    assert (status.level, status.values["total_max_ms"]) == (Level.OK, "20.00")
    assert health.status(4.0, {"perceived": 140}, stages(500.0), None).level is Level.ERROR


def test_the_model_task_names_what_runs(tmp_path: Any) -> None:
    """A fall-back is a warning, a failure an error, and no model at all not yet known."""
    from tiny_model import write_tiny_model

    from shared_encoder_perception.backends import load_backend

    backend = load_backend(write_tiny_model(tmp_path / "tiny.onnx"), "auto")
    info: BackendInfo = backend.info
    status = model_status(backend.spec, info)
    assert status.level is Level.OK and status.values["sha256"] == info.sha256
    status = model_status(backend.spec, replace(info, fallback="asked for cuda"))
    assert (status.level, status.message) == (Level.WARN, "fall-back: asked for cuda")
    loading = loading_status(status, "other.onnx", 12.3)
    assert loading.level is Level.WARN, "as without"
    assert loading.message == "fall-back: asked for cuda; loading for 12 s: other.onnx"
    assert (loading.values["source"], loading.values["loading"]) == (info.source, "other.onnx")
    assert no_model_status().level is Level.STALE
    for seconds, level in ((0.3, Level.STALE), (9.9, Level.STALE), (10.0, Level.WARN)):
        loading = loading_status(no_model_status(), "first.onnx", seconds)
        assert loading.level is level and loading.message.startswith("loading for ")
    assert no_model_status("cannot read") == Status(Level.ERROR, "cannot read")
