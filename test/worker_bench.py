# SPDX-License-Identifier: Apache-2.0
"""A worker with a backend that does what it is told, for tests of the inference thread."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, sleep
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from patience import PATIENCE_S

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.node.worker import PerceivedImage, Worker
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec

SPEC = ModelSpec("fake", "1", (64, 160))


class FakeBackend:
    """Finds no lanes, and a mask that is the green channel; slow or broken on demand."""

    def __init__(self, inference_s: float = 0.0) -> None:
        self.spec = SPEC
        self.inference_s = inference_s
        self.errors: list[Exception] = []
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.calls = 0
        self.seen: np.ndarray | None = None

    def infer(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Answer one image."""
        self.calls += 1
        images = self.seen = inputs["image"]
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        sleep(self.inference_s)
        if self.errors:
            raise self.errors.pop(0)
        return {
            "lanes": np.zeros((1, 5, 5, 8, 20), np.float32),
            "mask": np.ascontiguousarray(images[..., 1]),
        }


class Bench:
    """A worker with all that it talks to."""

    def __init__(self, **options: Any) -> None:
        self.backend: FakeBackend = options.pop("backend", None) or FakeBackend()
        self.published: list[PerceivedImage] = []
        self.arrived_s: list[float] = []
        self.reports: list[str] = []
        self.warnings: list[str] = []
        self.publish_error: Exception | None = None
        self.submitted = 0
        self.worker = Worker(
            Predictor(self.backend),  # type: ignore[arg-type]
            options.pop("crop", None),
            self._publish,
            self.reports.append,
            warn=self.warnings.append,
            **options,
        )

    def _publish(self, image: PerceivedImage) -> None:
        if self.publish_error is not None:
            raise self.publish_error
        self.arrived_s.append(perf_counter())
        self.published.append(image)

    def submit(self, message: Any) -> None:
        """Hand over an image that comes now."""
        self.submitted += 1
        self.worker.submit(message, perf_counter())

    def settle(self) -> Counts:
        """Wait until nothing is pending."""
        wait_for(lambda: self.worker.counts.pending == 0 and self.worker.busy_since_s() is None)
        return self.worker.counts

    def ask(self, message: Any) -> Counts:
        """Hand over an image and wait for its end."""
        self.submit(message)
        return self.settle()


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until ``condition`` holds."""
    deadline = perf_counter() + PATIENCE_S
    while not condition():
        assert perf_counter() < deadline, "what was expected did not come"
        sleep(0.0005)


@contextmanager
def bench(**options: Any) -> Iterator[Bench]:
    """Open a bench; in the end, every image must be accounted for."""
    opened = Bench(**options)
    try:
        yield opened
    finally:
        opened.backend.gate.set()
        opened.worker.stop(PATIENCE_S)
    counts = opened.worker.counts
    assert counts.pending == 0
    assert counts.received == opened.submitted == counts.perceived + counts.dropped
    assert counts.perceived == len(opened.published) + counts.unpublished


def image_of(stamp_s: float = 1.0, size: tuple[int, int] = (64, 160), green: int = 0) -> Any:
    """Return a bgr8 image in the form of a ``sensor_msgs/Image``."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[..., 1] = green
    return SimpleNamespace(
        header=header_of(stamp_s),
        height=size[0],
        width=size[1],
        encoding="bgr8",
        is_bigendian=0,
        step=size[1] * 3,
        data=array("B", pixels.tobytes()),
    )


def jpeg_of(stamp_s: float = 1.0) -> Any:
    """Return a JPEG in the form of a ``sensor_msgs/CompressedImage``."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 160, 3), np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    return SimpleNamespace(header=header_of(stamp_s), format="jpeg", data=array("B", content))


def header_of(stamp_s: float) -> Any:
    """Return the form of a ``std_msgs/Header``."""
    nanoseconds = round(stamp_s * 1e9)
    stamp = SimpleNamespace(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
    return SimpleNamespace(stamp=stamp, frame_id="camera")


def at(stamp_s: float) -> Callable[[], int]:
    """Return a clock that stands."""
    return lambda: round(stamp_s * 1e9)
