# SPDX-License-Identifier: Apache-2.0
"""Diagnostics of a real node with a real inference thread, on bad days too."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticStatus
from tiny_model import random_image, write_tiny_model
from watched_node import PERIOD_S, perceiving, values_of, watched

from shared_encoder_perception.tasks.status import Level, Status


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a millisecond."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


def test_names_levels_and_values_follow_the_standard() -> None:
    """REP-107: node and task in the name, a hardware id, and a stamp."""
    with watched() as home:
        status = Status(Level.WARN, "half of it", {"parts": "2", "of": "4"})
        home.diagnostics.add("tracking", lambda: status)
        home.serve()
        home.wait(lambda statuses: len(statuses) == 2)
        name = f"{home.namespace.lstrip('/')}/perception"
        found = home.statuses["tracking"]
        assert found.name == f"{name}: tracking" and found.hardware_id == name
        assert (found.level, found.message) == (DiagnosticStatus.WARN, "half of it")
        assert list(values_of(found).items()) == [("parts", "2"), ("of", "4")]
        assert home.statuses["model"].level == DiagnosticStatus.STALE
        assert home.arrays[-1].header.stamp.sec > 0
        with pytest.raises(ValueError, match="a diagnostic task 'tracking' already"):
            home.diagnostics.add("tracking", lambda: status)


def test_a_task_that_raises_is_an_error_and_the_others_go_on() -> None:
    """A bug in one corner must not hide the rest."""

    def broken() -> Status:
        raise KeyError("no\nsuch key")

    with watched() as home:
        home.diagnostics.add("broken", broken)
        home.diagnostics.add("fine", lambda: Status(Level.OK, "fine"))
        home.serve()
        home.wait(lambda statuses: len(statuses) == 3)
        assert home.statuses["broken"].level == DiagnosticStatus.ERROR
        assert "KeyError: 'no\\nsuch key'" in home.statuses["broken"].message
        assert home.statuses["fine"].level == DiagnosticStatus.OK


def test_the_log_tells_when_a_level_changes_and_only_then(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """People without a diagnostics viewer learn of it too."""
    levels = [Level.OK, Level.ERROR, Level.WARN, Level.OK]
    told = [levels[0]]
    with watched() as home:
        home.diagnostics.add("input", lambda: Status(told[-1], f"it is {told[-1].name}"))
        home.serve()
        for level in levels:
            told.append(level)
            home.arrays.clear()
            home.wait(lambda _: len(home.arrays) >= 4)
    lines = [line for line in capfd.readouterr().err.splitlines() if "input: it is" in line]
    assert [line.rpartition(" ")[2] for line in lines] == ["ERROR", "WARN", "OK"]


def test_a_task_that_comes_and_goes_keeps_its_level() -> None:
    """Of calibration, for one, each image may have another problem."""
    bad = Status(Level.ERROR, "no transform")
    said = [bad, Status(Level.OK, "on the road")]

    def flips() -> Status:
        said.reverse()
        return said[0]

    with watched() as home:
        home.diagnostics.add("calibration", flips, lambda: 60.0)
        home.serve()
        home.wait(lambda statuses: statuses["calibration"].level == DiagnosticStatus.ERROR)
        home.arrays.clear()
        home.wait(lambda _: len(home.arrays) > 5)
        found = [one for array in home.arrays for one in array.status if "calib" in one.name]
    assert {status.level for status in found} == {DiagnosticStatus.ERROR}
    assert any(status.message.endswith(" s ago: no transform") for status in found)


def test_a_simulated_clock_that_stands_still_does_not_silence_diagnostics() -> None:
    """They come by the wall clock: no /clock is published here."""
    with watched(use_sim_time=True) as home:
        home.serve()
        home.wait(lambda _: len(home.arrays) > 3)
        assert home.arrays[-1].header.stamp.sec == 0


def all_well(statuses: dict[str, DiagnosticStatus]) -> bool:
    """Whether images are processed and nobody complains."""
    well = all(status.level == DiagnosticStatus.OK for status in statuses.values())
    return well and "from receipt to output" in statuses["processing"].message


def test_diagnostics_live_while_inference_hangs_and_after(tiny: Path) -> None:
    """From waiting to active, to an error that names the hang, and back."""
    with perceiving(tiny) as (perceiver, home):
        home.wait(lambda statuses: "waiting: " in statuses["input"].message)
        perceiver.send_until(all_well)
        values = values_of(home.statuses["processing"])
        assert float(values["inference_p95_ms"]) > 0.0 and float(values["rate_hz"]) > 0.0
        assert values_of(home.statuses["output"])["lifecycle"] == "active"
        values = values_of(home.statuses["input"])
        assert values["topic"] == f"{home.namespace}/image" and values["publishers"] == "1"
        assert 0.0 < float(values["newest_age_ms"]) < 1e3 * ros.PATIENCE_S

        perceiver.backend.gate.clear()
        perceiver.send_until(lambda statuses: "not returned" in statuses["processing"].message)
        assert home.statuses["processing"].level == DiagnosticStatus.ERROR
        count, start_s = len(home.arrays), perf_counter()
        perceiver.send_until(lambda statuses: "nothing published" in statuses["output"].message)
        home.wait(lambda _: len(home.arrays) >= count + 5)
        assert perf_counter() - start_s < 20 * PERIOD_S, "diagnostics are slow while it hangs"
        values = values_of(home.statuses["input"])
        assert values["in_work"] == "1" and int(values["replaced"]) > 0

        perceiver.backend.gate.set()
        perceiver.send_until(all_well)


def test_a_backend_that_raises_and_a_bad_image_say_why(tiny: Path) -> None:
    """The one is a fault of processing, the other of the input."""
    with perceiving(tiny) as (perceiver, home):
        perceiver.backend.error = RuntimeError("out of memory")
        perceiver.send_until(lambda statuses: "lost" in statuses["processing"].message)
        assert home.statuses["processing"].level == DiagnosticStatus.ERROR
        assert home.statuses["processing"].message.endswith("RuntimeError: out of memory")
        perceiver.backend.error = None
        perceiver.send_until(lambda s: s["processing"].level == DiagnosticStatus.OK)
        bad = ros.image_message(random_image(0), 0)
        bad.encoding = "no such encoding"

        def rejected() -> bool:
            home.peer.images.publish(bad)
            home.peer.spin_for(0.02)
            return "rejected: no image can be used" in home.statuses["input"].message

        assert home.peer.spin_until(rejected)
        assert "no such encoding" in home.statuses["input"].message
        home.wait(lambda statuses: statuses["input"].message.startswith("stale: no image for"))
        perceiver.health.stop()
        home.wait(lambda statuses: statuses["input"].level == DiagnosticStatus.STALE)
