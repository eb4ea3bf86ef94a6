# SPDX-License-Identifier: Apache-2.0
"""The node's topics: one perceived image out, on those of each task that the model answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO, fill_model_info
from shared_encoder_perception.node.debug_outputs import DebugImage, DebugOutputs
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.latency_topics import LatencyTopics
from shared_encoder_perception.node.messages import check_message, message_type, new_message
from shared_encoder_perception.node.perceived_image import PerceivedImage
from shared_encoder_perception.node.topic_watch import create_output, misfit_subscribers
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.runtime import Context, Topic

OUTPUT_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)
LATCHED_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


_log = logging.getLogger(__name__)


class Outputs:
    """Lifecycle publishers of everything the node says; silent while the node is inactive."""

    def __init__(
        self, node: Any, spec: ModelSpec, debug: DebugOptions, report: Callable[[str], None]
    ) -> None:
        """Create the publishers on a ``LifecycleNode``.

        Args:
            node: The node.
            spec: Of the model, which decides about the topics.
            debug: How pictures are drawn.
            report: Called, in a thread of theirs, with the reason why one could not be drawn.
        """
        self._node = node
        self._contents = tasks.parts("content", spec.tasks)
        topics = [
            (name, topic)
            for name, content in self._contents.items()
            for topic in content.TOPICS
            if not topic.optional or is_installed(topic)
        ]
        # What is waited for comes first, and last what closes the image.
        topics.sort(key=lambda item: (item[1].last, item[1].lazy))
        self._data = [
            (name, topic, self._create(topic.name, topic.kind, OUTPUT_QOS))
            for name, topic in topics
            if not (topic.latched or topic.pictures)
        ]
        self._latched = {
            topic.name: self._create(topic.name, topic.kind, LATCHED_QOS)
            for _, topic in topics
            if topic.latched
        }
        self._latched[INFO_TOPIC] = self._create(INFO_TOPIC, MODEL_INFO, LATCHED_QOS)
        self._announced: dict[str, Any] = {}
        self._latency = LatencyTopics(node)
        pictures = [(name, topic) for name, topic in topics if topic.pictures]
        self._debug = DebugOutputs(node, debug, report, pictures)

    def _create(self, topic: str, kind: str, qos: QoSProfile) -> Any:
        """Create one publisher."""
        return create_output(self._node, message_type(kind), topic, qos)

    def start(self, predictor: Predictor) -> None:
        """Begin afresh with images that ``predictor`` perceives, and tell which model that is."""
        self._latency.reset()
        self.announce(self.announcement(predictor))

    def announcement(self, predictor: Predictor) -> dict[str, Any]:
        """Return what is to be told about a model with the same tasks, by topic."""
        header = new_message("std_msgs/msg/Header")
        header.stamp = self._node.get_clock().now().to_msg()
        spec = predictor.spec
        messages = self._told_by_tasks(predictor, header)
        messages[INFO_TOPIC] = new_message(MODEL_INFO)
        fill_model_info(messages[INFO_TOPIC], spec, predictor.backend.info, header.stamp)
        for name, content in self._contents.items():
            if hasattr(content, "fill_options"):
                content.fill_options(messages[INFO_TOPIC], predictor.options[name])
        for topic, message in messages.items():
            check_message(message, topic)
        return messages

    def _told_by_tasks(self, predictor: Predictor, header: Any) -> dict[str, Any]:
        """Return the messages of the tasks' latched topics, stamped as ``header`` is."""
        told: dict[str, Any] = {}
        for name, content in self._contents.items():
            if any(topic.latched for topic in content.TOPICS):
                options = predictor.options[name]
                make = content.announce(predictor.spec.tasks[name], options, header, new_message)
                told |= {topic: make[topic]() for topic in make if topic in self._latched}
        return told

    def announce(self, messages: Mapping[str, Any]) -> None:
        """Tell which model runs; late subscribers get it too."""
        self._announced = dict(messages)
        for topic, message in messages.items():
            self._latched[topic].publish(message)

    def set_options(self, debug: DebugOptions, predictor: Predictor | None) -> None:
        """Draw pictures like this from now on; tell again what a model's new options change."""
        self._debug.options = debug
        if predictor is None or INFO_TOPIC not in self._announced:
            return
        header = new_message("std_msgs/msg/Header")
        header.stamp = self._announced[INFO_TOPIC].stamp
        for topic, message in self._told_by_tasks(predictor, header).items():
            if message != self._announced[topic]:
                check_message(message, topic)
                self._announced[topic] = message
                self._latched[topic].publish(message)

    def publish(self, image: PerceivedImage, frame_id: str, camera_info: Any = None) -> None:
        """Publish everything about one image (inference thread).

        Args:
            image: What was perceived.
            frame_id: The vehicle's frame, if there is a calibration; otherwise empty.
            camera_info: The camera's CameraInfo, if there is one that fits.
        """
        answers = image.perception.answers
        context = Context(
            image.header,
            image.perception.image_size,
            image.spec,
            image.stage_ms,
            image.counts,
            frame_id,
            lambda: (perf_counter() - image.received_s) * 1e3,
            image.perception.crop,
            camera_info,
        )
        makers = {
            name: content.messages(answers[name], context, new_message)
            for name, content in self._contents.items()
        }
        for name, topic, publisher in self._data:
            if is_wanted(topic, frame_id, publisher):
                publisher.publish(makers[name][topic.name]())
        # What only people look at comes after what vehicles wait for.
        self._latency.publish(image.header, image.received_s, image.stage_ms["waiting"])
        self._debug.submit(DebugImage(image.pixels, image.perception, context))

    def audience(self) -> Audience:
        """Return who listens to the main topics, and who in vain to any."""
        main = [publisher for _, topic, publisher in self._data if not topic.lazy]
        main += self._latched.values()
        lazy = [publisher for _, topic, publisher in self._data if topic.lazy]
        others = [*lazy, *self._latency.publishers, *self._debug.publishers]
        return Audience(
            {each.topic_name: each.get_subscription_count() for each in main},
            tuple(misfit_subscribers(self._node, (*main, *others))),
        )

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        self._debug.destroy()
        self._latency.destroy()
        for publisher in (*(each for _, _, each in self._data), *self._latched.values()):
            self._node.destroy_lifecycle_publisher(publisher)


def is_installed(topic: Topic) -> bool:
    """Whether a topic's type is there; the log says so if it is not."""
    try:
        message_type(topic.kind)
    except ValueError as error:
        _log.info("%s is left out: %s", topic.name, error)
        return False
    return True


def is_wanted(topic: Topic, frame_id: str, publisher: Any) -> bool:
    """Whether a message of a topic is to be made now."""
    if topic.grounded and not frame_id:
        return False
    return not topic.lazy or bool(publisher.get_subscription_count())
