# SPDX-License-Identifier: Apache-2.0
"""The inference thread of a rig: what becomes of images when engine, topics or others fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from four_cameras import GRID, NAMES, PICTURES, entry
from patience import PATIENCE_S
from tiny_model import write_tiny_model

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.rig.calibration import Install, RigCalibration
from shared_encoder_perception.node.rig.gather import Gather
from shared_encoder_perception.node.rig.moment import Timing
from shared_encoder_perception.node.rig.perceived_moment import Asked, PerceivedMoment
from shared_encoder_perception.node.rig.worker import RIG_STAGES, RigWorker
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.rig_predictor import RigPredictor


class GatedBackend:
    """A real one, that waits or fails on demand."""

    def __init__(self, model: Path) -> None:
        self._backend = load_backend(model)
        self.spec, self.info = self._backend.spec, self._backend.info
        self.gate, self.entered = Event(), Event()
        self.gate.set()
        self.error: Exception | None = None

    def infer(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return self._backend.infer(inputs)


class Bench:
    """A worker, calibrated by a complete file."""

    def __init__(self, model: Path, timing: Timing) -> None:
        self.backend = GatedBackend(model)
        self.published: list[PerceivedMoment] = []
        self.lines: list[tuple[str, str]] = []
        self.publish_error: Exception | None = None
        self.stamp = 0
        self.ask: Callable[[], Asked] = Asked
        self.worker = RigWorker(
            Gather(NAMES, timing), self._publish, self._report, ask=lambda: self.ask()
        )
        file = RigFile(tuple(map(entry, NAMES)))
        self.calibration = RigCalibration(
            file, self._prepare, self.worker.between_images, lambda text: self._report("", text)
        )
        self.worker.start(self.calibration)
        until(lambda: self.worker.predictor)

    def _prepare(self, rig: Rig) -> Install:
        made = RigPredictor(self.backend, rig, GRID)  # type: ignore[arg-type]

        def install() -> None:
            self.worker.predictor = made

        return install

    def _publish(self, moment: PerceivedMoment) -> None:
        if self.publish_error is not None:
            raise self.publish_error
        self.published.append(moment)

    def _report(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def send(self, *names: str, **bad: Any) -> None:
        """Hand over the images of a moment; those in ``bad`` have another encoding."""
        self.stamp += 1
        for name in names or NAMES:
            pixels = PICTURES[name]
            message = SimpleNamespace(
                header=SimpleNamespace(
                    stamp=SimpleNamespace(sec=self.stamp, nanosec=0), frame_id=name
                ),
                height=pixels.shape[0],
                width=pixels.shape[1],
                encoding=bad.get(name, "bgr8"),
                is_bigendian=0,
                step=pixels.shape[1] * 3,
                data=pixels.tobytes(),
            )
            self.worker.submit(name, message, perf_counter())

    def settle(self) -> dict[str, dict[str, int]]:
        """Wait until nothing is pending; return what became of the images."""
        counts = lambda: self.worker.gather.counts.values()  # noqa: E731
        until(lambda: not any(one.waiting or one.in_work for one in counts()))
        until(lambda: self.worker.busy_since_s() is None)
        assert all(one.received == one.accounted for one in counts())
        found = self.worker.gather.counts.items()
        return {name: {k: n for k, n in one.ended().items() if n} for name, one in found}


def until(condition: Callable[[], Any]) -> None:
    """Wait for another thread."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.001)


@contextmanager
def working(folder: Path, **timing: Any) -> Iterator[Bench]:
    """Yield a worker, and end it."""
    bench = Bench(
        write_tiny_model(folder / "tiny.onnx"),
        Timing(**{"wait_s": 0.01, "dead_s": PATIENCE_S, **timing}),
    )
    try:
        yield bench
    finally:
        bench.backend.gate.set()
        assert bench.calibration.close()
        bench.worker.stop(PATIENCE_S)


def test_a_moment_is_perceived_and_timed(tmp_path: Path) -> None:
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        bench.send()
        until(lambda: bench.published)
        assert bench.settle() == {key: {"used": 1} for key in NAMES}
        (moment,) = bench.published
        assert moment.header.frame_id == "front" and tuple(moment.headers) == NAMES
        assert moment.counts["left"].used == 1, "this one included"
        (times,) = bench.worker.stage_times()
        assert tuple(times) == RIG_STAGES and min(times.values()) >= 0
        assert sum(times.values()) - times["total"] <= times["total"]


def test_only_what_somebody_listens_to_is_answered_and_all_if_that_is_not_known(
    tmp_path: Path,
) -> None:
    """The middleware may end before the thread: that costs no image."""

    def gone() -> Asked:
        raise RuntimeError("the context is gone")

    asks: dict[str, tuple[Callable[[], Asked], set[str]]] = {
        "nobody": (lambda: Asked(()), {"drivable_surface"}),  # the map is made of it
        "somebody": (lambda: Asked(("lanes",)), {"drivable_surface", "lanes"}),
        "gone": (gone, {"drivable_surface", "lanes"}),
    }
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        for sent, (ask, answered) in enumerate(asks.values(), 1):
            bench.ask = ask
            bench.send()
            until(lambda sent=sent: len(bench.published) == sent)
            cameras = bench.published[-1].perception.cameras
            assert {name: set(one.answers) for name, one in cameras.items()} == dict.fromkeys(
                NAMES, answered
            )
        assert bench.settle() == {key: {"used": len(asks)} for key in NAMES}
        assert not bench.lines and not bench.worker.moments.unpublished


def test_a_bad_image_of_the_anchor_leaves_the_others(tmp_path: Path) -> None:
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        bench.send(front="no such")
        until(lambda: bench.published)
        ends = bench.settle()
        assert ends.pop("front") == {"rejected": 1}
        assert ends == {key: {"used": 1} for key in NAMES[1:]}
        assert bench.published[0].header.frame_id == "left"
        assert bench.lines == [("front", bench.lines[0][1])] and "'no such'" in bench.lines[0][1]
        assert bench.worker.moments.partial == 1


def test_too_few_good_images_give_no_map(tmp_path: Path) -> None:
    with working(tmp_path, wait_s=PATIENCE_S, min_cameras=4) as bench:
        bench.send(rear="no such")
        until(lambda: bench.worker.moments.few)
        ends = bench.settle()
        assert ends.pop("rear") == {"rejected": 1}
        assert ends == {key: {"few": 1} for key in ("front", "left", "right")}
        assert not bench.published


def test_an_engine_that_fails_loses_the_moment_and_no_other(tmp_path: Path) -> None:
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        bench.backend.error = RuntimeError("out of memory")
        bench.send()
        until(lambda: bench.lines)
        assert bench.settle() == {key: {"lost": 1} for key in NAMES}
        assert "out of memory" in bench.lines[0][1]
        bench.backend.error = None
        bench.send()
        until(lambda: bench.published)
        assert bench.settle() == {key: {"lost": 1, "used": 1} for key in NAMES}
        assert (bench.worker.moments.perceived, bench.worker.moments.lost) == (1, 1)


def test_what_cannot_be_published_is_told(tmp_path: Path) -> None:
    with working(tmp_path) as bench:
        bench.publish_error = ValueError("no publisher")
        bench.send()
        until(lambda: bench.worker.moments.unpublished)
        assert "no publisher" in bench.lines[-1][1] and bench.worker.is_alive


def test_images_that_come_while_the_engine_works_are_replaced_by_newer_ones(
    tmp_path: Path,
) -> None:
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        bench.backend.gate.clear()
        bench.send()
        assert bench.backend.entered.wait(PATIENCE_S)
        for _ in range(3):
            bench.send()
        bench.backend.gate.set()
        until(lambda: len(bench.published) == 2)
        assert bench.settle() == {key: {"used": 2, "replaced": 2} for key in NAMES}
        assert [one.header.stamp.sec for one in bench.published] == [1, 4]


def test_an_engine_that_hangs_is_left_behind_and_says_nothing_more(tmp_path: Path) -> None:
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        bench.backend.gate.clear()
        bench.send()
        assert bench.backend.entered.wait(PATIENCE_S)
        bench.send("left")
        assert not bench.worker.stop(0.05)
        bench.send("left")
        bench.backend.gate.set()
        until(lambda: not bench.worker.is_alive)
        ends = bench.settle()
        assert ends["left"] == {"lost": 1, "left": 2} and ends["front"] == {"lost": 1}
        assert not bench.published


def test_an_image_without_a_stamp_belongs_to_nothing(tmp_path: Path) -> None:
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        bench.stamp = -1
        bench.send("rear")
        assert bench.settle()["rear"] == {"rejected": 1}
        assert bench.lines[0][0] == "rear" and "no stamp" in bench.lines[0][1]


@pytest.mark.parametrize("early", [True, False])
def test_a_switch_drops_images_before_they_cost_anything(tmp_path: Path, early: bool) -> None:
    """Also those that wait already."""
    with working(tmp_path, wait_s=PATIENCE_S) as bench:
        if early:
            bench.worker.set_enabled(False)
        bench.send("front")
        bench.worker.set_enabled(False)
        bench.worker.gather.timing = Timing(wait_s=0.0)
        bench.send("left")
        ends = bench.settle()
        assert ends["left"] == {"disabled": 1}
        assert ends["front"] == {"disabled": 1} and not bench.published
