# SPDX-License-Identifier: Apache-2.0
"""A node that compares images with a background, the camera's side, and what both said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from local_node import local_node
from pair_model import SIZE, noise
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.companions import LATCHED_QOS
from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.foreground.content import MASK_TOPIC as FOREGROUND

PIXELS, EMPTY, OTHER = noise(0), noise(1), noise(2)
CAMERA = "camera_optical"
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def message(
    pixels: np.ndarray, at_s: float = 2000.0, frame_id: str = CAMERA, encoding: str = "bgr8"
) -> Image:
    """A picture of the camera, taken at a time."""
    made = ros.image_message(pixels, 0, encoding)
    made.header.frame_id = frame_id
    made.header.stamp.sec, made.header.stamp.nanosec = divmod(round(at_s * 1e9), 10**9)
    return made


@dataclass
class Rig:
    """Who talks to a node that compares images."""

    peer: Any
    model: Path
    empty: Any
    status: DiagnosticStatus | None = None
    now_s: float = 2000.0
    said: dict[str, list[Any]] = field(default_factory=lambda: {FOREGROUND: [], MASK_TOPIC: []})

    def ask(self, pixels: np.ndarray = PIXELS) -> np.ndarray:
        """Publish images until one is answered by both tasks; return its foreground."""
        height, width = pixels.shape[:2]

        def answered() -> bool:
            self.now_s = round(self.now_s + 0.1, 3)
            sent = message(pixels, self.now_s)
            for came in self.said.values():
                came.clear()
            self.peer.images.publish(sent)
            came = self.said.values()
            return bool(
                self.peer.spin_until(lambda: all(came), 0.5)
                and all(one[-1].header == sent.header for one in came)
            )

        assert self.peer.spin_until(answered)
        drivable = np.frombuffer(self.said[MASK_TOPIC][-1].data, np.uint8).reshape(height, width)
        assert (drivable == np.where(pixels[:, :, 1] >= 128, 255, 0)).all(), "the other task"
        return np.frombuffer(self.said[FOREGROUND][-1].data, np.uint8).reshape(height, width)

    def expected(self, background: np.ndarray, pixels: np.ndarray = PIXELS) -> np.ndarray:
        """What the predictor says of the same pair."""
        predictor = Predictor(load_backend(self.model, "auto"))
        answers = predictor(pixels, companions={"background": background}).answers
        return np.asarray(answers["foreground"].values())

    def until(self, wanted: np.ndarray) -> None:
        """Ask until an answer is as it should be, bit for bit."""
        assert self.peer.spin_until(lambda: (self.ask() == wanted).all())

    def told(self, words: str, level: bytes) -> DiagnosticStatus:
        """Wait until the diagnostics say so."""

        def is_so() -> bool:
            status = self.status
            return bool(status and words in status.message and status.level == level)

        # What is told is told of the last image.
        assert self.peer.spin_until(lambda: is_so() or self.ask() is None), (words, self.status)
        assert self.status is not None
        return self.status

    def nothing_known(self, words: str, level: bytes) -> None:
        """Nothing is known of any pixel, and the diagnostics say why and what to do."""
        self.until(np.full(SIZE, 127, np.uint8))
        message = self.told(words, level).message
        assert "no foreground is known" in message and "capture_background" in message

    def call(self, name: str) -> Any:
        """Call a service while images go on."""
        client = self.peer._client(Trigger, name)
        assert self.peer.spin_until(client.service_is_ready)
        self.peer.spin_for(0.2)
        future = client.call_async(Trigger.Request())

        def done() -> bool:
            if not future.done():
                self.now_s = round(self.now_s + 0.1, 3)
                self.peer.images.publish(message(PIXELS, self.now_s))
                self.peer.spin_for(0.1)
            return bool(future.done())

        assert self.peer.spin_until(done)
        return future.result()


def values(status: DiagnosticStatus) -> dict[str, str]:
    """Return what a status tells beside its message."""
    return {one.key: one.value for one in status.values}


@contextmanager
def peer_of(namespace: str, model: Path, kind: Any = Image, topic: str = "background") -> Any:
    """Yield who talks to the node of a namespace."""
    with ros.peer_in(namespace) as peer:
        there = Rig(peer, model, peer.node.create_publisher(kind, topic, LATCHED_QOS))

        def see(array: DiagnosticArray) -> None:
            for status in array.status:
                if status.name.endswith(": foreground"):
                    there.status = status

        peer.node.create_subscription(DiagnosticArray, TOPIC, see, 10)
        for name, came in there.said.items():
            peer.node.create_subscription(Image, name, came.append, QoSProfile(depth=10))
        yield there


@contextmanager
def rig(model: Path, *publisher: Any, **parameters: Any) -> Iterator[Rig]:
    """Yield who talks to an active node in this process."""
    namespace = ros.new_namespace()
    quick = {"diagnostics.period_s": 0.1, "diagnostics.window_s": 0.5}
    with (
        local_node(model, namespace, **{**quick, **parameters}) as local,
        peer_of(namespace, model, *publisher) as there,
    ):
        assert local.node.start()
        with ros.served(local.node):
            yield there
