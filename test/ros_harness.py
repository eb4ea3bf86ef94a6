# SPDX-License-Identifier: Apache-2.0
"""Real ROS 2 processes and contexts for tests, isolated from each other and from the machine.

Modules that use it skip where ROS or our messages are not installed.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Without it, images larger than Fast DDS's default shared memory get lost.
os.environ.setdefault(
    "FASTRTPS_DEFAULT_PROFILES_FILE", str(ROOT / "config" / "fastdds_profile.xml")
)
# Runs side by side must not hear each other: different domains most likely, and namespaces always.
DOMAIN_ID = 1 + int.from_bytes(os.urandom(2), "big") % 100
os.environ["ROS_DOMAIN_ID"] = str(DOMAIN_ID)

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="our ROS messages are not built")

import rclpy
from lifecycle_msgs.srv import ChangeState, GetState
from node_processes import NodeProcess, node_process  # noqa: F401 - for those who use both
from patience import PATIENCE_S
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo

from shared_encoder_perception.artifact.model_info import INFO_TOPIC
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.node.inputs import IMAGE_TOPIC
from shared_encoder_perception.node.outputs import LATCHED_QOS
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.lanes.content import (
    ARRAY_TOPIC,
    LANE_TOPICS,
    lane_from_message,
)

IMAGE_OUTPUTS = (*LANE_TOPICS, MASK_TOPIC, ARRAY_TOPIC)
"""Topics that carry one message for every image."""

_namespaces = (f"/test_{os.getpid()}_{number}" for number in itertools.count())


def new_namespace() -> str:
    """Return a ROS namespace that nobody else uses."""
    return next(_namespaces)


def image_message(pixels: np.ndarray, sequence: int, encoding: str = "bgr8") -> Image:
    """Return an Image whose header is unlike any other's."""
    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = 1000 + sequence, sequence
    message.header.frame_id = f"camera_{sequence % 3}"
    fill_image(message, pixels, encoding)
    return message


def assert_equal(answer: dict[str, Any], expected: Perception) -> None:
    """Compare the messages of one image with a perception, bit for bit."""
    lanes, drivable = expected.answers["lanes"], expected.answers["drivable_surface"]
    for topic, line in zip(LANE_TOPICS, lanes, strict=True):
        seen = lane_from_message(answer[topic])
        assert (seen.lane_id, seen.status) == (line.lane_id, line.status)
        assert seen.branch_index == line.branch_index
        assert seen.confidence == np.float32(line.confidence)
        np.testing.assert_array_equal(seen.points_px, line.points_px)
        np.testing.assert_array_equal(seen.x_std_px, line.x_std_px)
    mask = answer[MASK_TOPIC]
    pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.step)
    np.testing.assert_array_equal(pixels, drivable.values())


class Peer:
    """The other side of the node: publishes images, collects every output, calls services."""

    def __init__(
        self,
        namespace: str,
        process: NodeProcess | None = None,
        image_type: Any = Image,
        topic: str = IMAGE_TOPIC,
    ) -> None:
        """Join the node's namespace in a context of its own; ``process`` is watched, if given."""
        self._process = process
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=DOMAIN_ID)
        self.node = rclpy.create_node("peer", namespace=namespace, context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        # The node drops the answer to a client that it has not discovered yet: these two, early.
        self._clients: dict[str, Any] = {}
        self._client(GetState, "get_state")
        self._client(ChangeState, "change_state")
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.images = self.node.create_publisher(image_type, topic, QoSProfile(depth=100))
        types = {**dict.fromkeys(LANE_TOPICS, LaneLine), MASK_TOPIC: Image}
        for name, kind in {**types, ARRAY_TOPIC: LaneLineArray}.items():
            self._subscribe(name, kind, QoSProfile(depth=100))
        self._subscribe(INFO_TOPIC, ModelInfo, LATCHED_QOS)

    def _subscribe(self, topic: str, kind: Any, qos: QoSProfile) -> None:
        """Collect the messages of a topic."""
        self.node.create_subscription(kind, topic, self.received[topic].append, qos)

    def spin_until(self, condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> bool:
        """Serve until ``condition`` holds or the patience ends; return whether it holds."""
        deadline = monotonic() + patience_s
        while not condition():
            if monotonic() > deadline:
                return False
            assert self._process is None or self._process.is_alive, self._process.log
            self._executor.spin_once(timeout_sec=0.05)
        return True

    def spin_for(self, seconds: float) -> None:
        """Serve for a while, for what must not happen."""
        self.spin_until(lambda: False, seconds)

    def settle(self, message: Any) -> None:
        """Publish ``message`` until an answer came on every topic, then forget the answers.

        Discovery takes its time on either side; from here on nothing may get lost.
        """
        assert self.spin_until(lambda: self.images.get_subscription_count()), "no subscriber"
        for _ in range(int(PATIENCE_S / 0.2)):
            self.images.publish(message)
            if self.spin_until(lambda: all(self.received[topic] for topic in IMAGE_OUTPUTS), 0.2):
                break
        else:
            silent = [topic for topic in IMAGE_OUTPUTS if not self.received[topic]]
            raise AssertionError(f"no answer on {silent}")
        assert self.spin_until(lambda: self.received[INFO_TOPIC]), "no model_info"  # latched: later
        self.spin_for(0.3)
        for topic in IMAGE_OUTPUTS:
            self.received[topic].clear()

    def ask(self, message: Any) -> dict[str, Any]:
        """Publish an image and return its message on every image topic.

        On a busy machine answers to earlier images may come later: those have another stamp.
        """
        before = {topic: len(self.received[topic]) for topic in IMAGE_OUTPUTS}
        self.images.publish(message)

        def answers() -> dict[str, Any]:
            stamp = message.header.stamp
            came = ((topic, self.received[topic][before[topic] :]) for topic in IMAGE_OUTPUTS)
            own = (
                (topic, [one for one in new if one.header.stamp == stamp]) for topic, new in came
            )
            return {topic: found[-1] for topic, found in own if found}

        assert self.spin_until(lambda: len(answers()) == len(IMAGE_OUTPUTS)), (
            "the image was not answered on every topic"
        )
        return answers()

    def _client(self, kind: Any, name: str) -> Any:
        """Return the client of a service of the node, made at the first use."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, f"perception/{name}")
        return self._clients[name]

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Call a service of the node and return its answer."""
        is_new = name not in self._clients
        client = self._client(kind, name)
        assert self.spin_until(client.service_is_ready), f"no service {name}"
        if is_new:
            self.spin_for(0.2)  # ready is what we see of the node; it has to see us, too
        future = client.call_async(request)
        assert self.spin_until(future.done), f"service {name} does not answer"
        return future.result()

    def change_state(self, label: str) -> bool:
        """Ask for a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.label = label
        return bool(self.call(ChangeState, "change_state", request).success)

    def state(self) -> str:
        """Return the label of the node's lifecycle state.

        The first question to a new node may go unanswered (see above): it is asked again.
        """
        client = self._client(GetState, "get_state")
        assert self.spin_until(client.service_is_ready), "no service get_state"
        for _ in range(int(PATIENCE_S / 2.0)):
            future = client.call_async(GetState.Request())
            if self.spin_until(future.done, 2.0):
                return str(future.result().current_state.label)
        raise AssertionError("service get_state does not answer")

    def set_parameter(self, name: str, value: Any) -> Any:
        """Set one parameter; return the result with ``successful`` and ``reason``."""
        request = SetParameters.Request()
        request.parameters = [Parameter(name, value=value).to_parameter_msg()]
        return self.call(SetParameters, "set_parameters", request).results[0]

    def close(self) -> None:
        """Leave."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@contextmanager
def peer_in(namespace: str, *arguments: Any, **options: Any) -> Iterator[Peer]:
    """Open a peer and close it in any case."""
    peer = Peer(namespace, *arguments, **options)
    try:
        yield peer
    finally:
        peer.close()


@contextmanager
def served(node: Any) -> Iterator[None]:
    """Serve an in-process node from a thread, as ``main`` does from a process."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    thread = Thread(target=executor.spin, name="executor")
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join(PATIENCE_S)
