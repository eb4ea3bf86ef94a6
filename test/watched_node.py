# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node with diagnostics, its inference thread, and somebody who listens to both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import rclpy
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from local_node import FakeBackend
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from tiny_model import random_image

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.diagnostics import TOPIC, Diagnostics
from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.inputs import subscribe
from shared_encoder_perception.node.latency_topics import LatencyTopics
from shared_encoder_perception.node.node_health import NodeHealth
from shared_encoder_perception.node.watchdogs import WatchdogOptions
from shared_encoder_perception.node.worker import PerceivedImage, Worker
from shared_encoder_perception.predictor import Predictor

PERIOD_S = 0.1
OPTIONS = WatchdogOptions(window_s=1.0, input_timeout_s=0.4, hang_s=0.3, latency_error_ms=60000.0)


class Watched:
    """A lifecycle node with diagnostics, and a listener to them in a context of its own."""

    def __init__(self, stack: ExitStack, **values: Any) -> None:
        """Start the node's diagnostics and serve it from a thread."""
        self.namespace = ros.new_namespace()
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=ros.DOMAIN_ID)
        stack.callback(rclpy.shutdown, context=context)
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = LifecycleNode(
            "perception",
            context=context,
            namespace=self.namespace,
            parameter_overrides=overrides,
        )
        stack.callback(self.node.destroy_node)
        self.diagnostics = Diagnostics(self.node, PERIOD_S)
        self.peer = stack.enter_context(ros.peer_in(self.namespace))
        self.statuses: dict[str, DiagnosticStatus] = {}
        self.arrays: list[DiagnosticArray] = []
        self.peer.node.create_subscription(DiagnosticArray, TOPIC, self._collect, 10)
        self._stack = stack

    def serve(self) -> None:
        """Let an executor's thread serve the node."""
        self._stack.enter_context(ros.served(self.node))

    def _collect(self, array: DiagnosticArray) -> None:
        prefix = f"{self.namespace.lstrip('/')}/perception: "
        own = [status for status in array.status if status.name.startswith(prefix)]
        if own:
            self.arrays.append(array)
            self.statuses = {status.name.removeprefix(prefix): status for status in own}

    def wait(self, condition: Callable[[dict[str, DiagnosticStatus]], Any]) -> None:
        """Wait until the diagnostics are as expected."""
        came = self.peer.spin_until(lambda: self.statuses and condition(self.statuses))
        assert came, {name: status.message for name, status in self.statuses.items()}


@contextmanager
def watched(**values: Any) -> Iterator[Watched]:
    """Yield a node with diagnostics, to which tasks may be added before ``serve``."""
    with ExitStack() as stack:
        yield Watched(stack, **values)


class Perceiving:
    """Perceives images in a ``Watched`` node, as the real one does, with a fake backend."""

    def __init__(self, home: Watched, model: Path, stack: ExitStack) -> None:
        """Configure and activate everything; images are awaited from now on."""
        self.home, node = home, home.node
        self.backend = FakeBackend(load_backend(model, "auto"))
        predictor = Predictor(self.backend)
        self.latency = LatencyTopics(node)
        self.health = NodeHealth(
            node,
            home.diagnostics,
            OPTIONS,
            lambda: str(node._state_machine.current_state[1]),
            lambda: Audience({"lane_lines": 1}),
        )
        home.diagnostics.set_model(predictor.spec, self.backend.info)
        node.trigger_configure()
        self.worker = Worker(predictor, None, self._publish, self.health.report)
        self.subscription = subscribe(
            node, "raw", self._receive, event_callbacks=self.health.event_callbacks()
        )
        node.trigger_activate()
        self.health.start(self.worker, self.subscription, predictor.spec.tasks)
        home.serve()
        stack.callback(self.close)

    def _receive(self, message: Image) -> None:
        received_s = perf_counter()
        self.health.received(message.header, received_s)
        self.worker.submit(message, received_s)

    def _publish(self, image: PerceivedImage) -> None:
        self.health.published(image.perception)
        self.latency.publish(image.header, image.received_s, image.stage_ms["waiting"])

    def send(self) -> None:
        """Publish an image that is stamped now, and serve the peer for a moment."""
        message = ros.image_message(random_image(0), 0)
        message.header.stamp = self.home.node.get_clock().now().to_msg()
        self.home.peer.images.publish(message)
        self.home.peer.spin_for(0.02)

    def send_until(self, condition: Callable[[dict[str, DiagnosticStatus]], Any]) -> None:
        """Publish images until the diagnostics are as expected."""

        def satisfied() -> bool:
            self.send()
            return bool(self.home.statuses and condition(self.home.statuses))

        assert self.home.peer.spin_until(satisfied), self.home.statuses

    def close(self) -> None:
        """End the inference thread."""
        self.backend.gate.set()
        self.worker.stop(ros.PATIENCE_S)


@contextmanager
def perceiving(model: Path) -> Iterator[tuple[Perceiving, Watched]]:
    """Yield an active node."""
    with ExitStack() as stack:
        home = Watched(stack)
        yield Perceiving(home, model, stack), home


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """Return a status' keys and values."""
    return {item.key: item.value for item in status.values}
