# SPDX-License-Identifier: Apache-2.0
"""A node that is watched by its diagnostics while something goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ros_harness as ros  # before the others: it sets the environment
from diagnostic_msgs.msg import DiagnosticArray
from local_node import local_node
from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC
from shared_encoder_perception.tasks.status import Level

TASKS = ("input", "processing", "model", "output")
QUICK = {
    "diagnostics.period_s": 0.1,
    "diagnostics.window_s": 0.5,
    "diagnostics.input_timeout_s": 0.3,
    "diagnostics.hang_s": 0.3,
    "diagnostics.latency_warn_ms": 20000.0,
    "diagnostics.latency_error_ms": 60000.0,
    "diagnostics.drop_warn_ratio": 1.0,
}
"""Complain soon, but not of a slow machine."""
QUICK_ARGUMENTS = [part for name, value in QUICK.items() for part in ("-p", f"{name}:={value}")]

PERIOD_S = 0.03


class Watch:
    """Sends images to a node and reads its diagnostics."""

    def __init__(self, peer: ros.Peer, namespace: str) -> None:
        """Listen."""
        self.peer = peer
        self.namespace = namespace
        self.statuses: dict[str, Any] = {}
        peer.node.create_subscription(DiagnosticArray, TOPIC, self._collect, 10)

    def _collect(self, message: DiagnosticArray) -> None:
        prefix = f"{self.namespace.lstrip('/')}/perception: "
        own = {s.name.removeprefix(prefix): s for s in message.status if s.name.startswith(prefix)}
        self.statuses |= own

    def shows(self, task: str, level: Level, text: str = "") -> bool:
        """Whether diagnostics say so now."""
        status = self.statuses.get(task)
        return (
            status is not None
            and int.from_bytes(status.level, "big") == level
            and text in status.message
        )

    def send_until(self, send: Callable[[], Any], condition: Callable[[], Any]) -> None:
        """Send again and again until ``condition`` holds."""

        def held() -> bool:
            send()
            self.peer.spin_until(condition, PERIOD_S)
            return bool(condition())

        told = "; ".join(f"{name}: {s.message}" for name, s in self.statuses.items())
        assert self.peer.spin_until(held), told

    def expect(self, task: str, level: Level, text: str = "", send: Any = None) -> None:
        """Wait for what diagnostics must show, sending meanwhile."""
        assert self.peer.spin_until(lambda: self.statuses), "no diagnostics"
        self.send_until(send or (lambda: None), lambda: self.shows(task, level, text))

    def all_well(self, message: Any) -> None:
        """Wait until images are answered and no task complains.

        They are stamped when they are sent: of others, diagnostics say how old they are.
        """
        peer = self.peer
        peer.received[ARRAY_TOPIC].clear()

        def send() -> None:
            message.header.stamp = peer.node.get_clock().now().to_msg()
            peer.images.publish(message)

        self.send_until(send, lambda: peer.received[ARRAY_TOPIC])
        for task in TASKS:
            self.expect(task, Level.OK, send=send)


@contextmanager
def watched_node(model: Path, kind: Any = Image, **values: Any) -> Iterator[tuple[Any, Watch]]:
    """Yield a node in this process that answers, and its watch."""
    namespace = ros.new_namespace()
    compressed = kind is CompressedImage
    topic = "image/compressed" if compressed else "image"
    values = {**QUICK, **({"input.transport": "compressed"} if compressed else {}), **values}
    with (
        local_node(model, namespace, **values) as local,
        ros.peer_in(namespace, image_type=kind, topic=topic) as peer,
    ):
        watch = Watch(peer, namespace)
        assert local.node.start()
        with ros.served(local.node):
            yield local, watch


@contextmanager
def watched_process(process: ros.NodeProcess, namespace: str) -> Iterator[Watch]:
    """Yield the watch of a node in a process."""
    try:
        with ros.peer_in(namespace, process) as peer:
            yield Watch(peer, namespace)
    finally:
        process.kill()
