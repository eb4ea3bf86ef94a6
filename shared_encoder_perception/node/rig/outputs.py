# SPDX-License-Identifier: Apache-2.0
"""The rig node's topics: one perceived moment out, as the room of the rigs' task says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO, fill_model_info
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.latency_topics import LatencyTopics
from shared_encoder_perception.node.messages import check_message, message_type, new_message
from shared_encoder_perception.node.outputs import LATCHED_QOS, OUTPUT_QOS, is_installed, is_wanted
from shared_encoder_perception.node.rig.overlay import RigOverlay
from shared_encoder_perception.node.rig.perceived_moment import PerceivedMoment
from shared_encoder_perception.node.topic_watch import create_output, misfit_subscribers
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.rigs import RigContext
from shared_encoder_perception.tasks.contract.runtime import Context

RIG_TASK: Final = next(iter(tasks.RIG_ROOMS))
"""Whose topics the map has, whatever model it comes from."""
NOT_COPIED: Final = ("latched", "pictures", "grounded")
"""Kinds of topics that a single camera of a rig does not have."""


class RigOutputs:
    """Lifecycle publishers of the map, the model and the overlay; silent while inactive."""

    def __init__(self, node: Any, debug: DebugOptions, report: Callable[[str], None]) -> None:
        """Create the publishers on a ``LifecycleNode``.

        Args:
            node: The node.
            debug: How pictures are drawn.
            report: Called, in a thread of theirs, with the reason why one could not be drawn.
        """
        self._node = node
        self._content = tasks.part(RIG_TASK, "content")
        self.things: Sequence[str] = self._content.FOUND
        """Names of what can be found in a map."""
        self._data = [
            (topic, create_output(node, message_type(topic.kind), topic.name, OUTPUT_QOS))
            for topic in sorted(self._content.TOPICS, key=lambda topic: (topic.last, topic.lazy))
            if not topic.optional or is_installed(topic)
        ]
        self._info = create_output(node, message_type(MODEL_INFO), INFO_TOPIC, LATCHED_QOS)
        self._latency = LatencyTopics(node)
        self.overlay = RigOverlay(node, debug, report)

    def announce(self, backend: Backend) -> None:
        """Tell which model runs; late subscribers get it too."""
        self._latency.reset()
        message = new_message(MODEL_INFO)
        stamp = self._node.get_clock().now().to_msg()
        fill_model_info(message, backend.spec, backend.info, stamp)
        check_message(message, INFO_TOPIC)
        self._info.publish(message)

    def publish(self, moment: PerceivedMoment) -> list[str]:
        """Publish everything about one moment (inference thread); return what is in the map."""
        answer = moment.perception.surround
        header = new_message("std_msgs/msg/Header")
        header.stamp, header.frame_id = moment.header.stamp, moment.rig.frame_id
        context = RigContext(header, moment.spec, moment.stage_ms)
        makers = self._content.messages(answer, context, new_message)
        for topic, publisher in self._data:
            if is_wanted(topic, header.frame_id, publisher):
                publisher.publish(makers[topic.name]())
        self._latency.publish(header, moment.received_s, moment.stage_ms["waiting"])
        if moment.asked.overlay:
            self.overlay.submit(moment)
        return list(self._content.found(answer))

    def audience(self) -> Audience:
        """Return who listens to the main topics, and who in vain to any."""
        main = [publisher for topic, publisher in self._data if not topic.lazy] + [self._info]
        lazy = [publisher for topic, publisher in self._data if topic.lazy]
        others = [*lazy, *self._latency.publishers, self.overlay.publisher]
        return Audience(
            {each.topic_name: each.get_subscription_count() for each in main},
            tuple(misfit_subscribers(self._node, (*main, *others))),
        )

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        self.overlay.destroy()
        self._latency.destroy()
        for publisher in (*(each for _, each in self._data), self._info):
            self._node.destroy_lifecycle_publisher(publisher)


class CameraOutputs:
    """Publishers of what each camera's image says by itself, below the camera's name."""

    def __init__(self, node: Any, names: Sequence[str], spec: ModelSpec) -> None:
        """Create them, ready to publish, on a ``LifecycleNode`` that is becoming active."""
        self._node = node
        own = [name for name in spec.tasks if not tasks.is_rig(name)]
        self._contents = tasks.parts("content", own)
        topics = [
            (task, topic)
            for task, content in self._contents.items()
            for topic in content.TOPICS
            if not any(getattr(topic, kind) for kind in NOT_COPIED)
            and (not topic.optional or is_installed(topic))
        ]
        topics.sort(key=lambda item: (item[1].last, item[1].lazy))
        self._data = {
            name: [
                (task, topic, self._create(f"{name}/{topic.name}", topic.kind))
                for task, topic in topics
            ]
            for name in names
        }

    def _create(self, name: str, kind: str) -> Any:
        """Create one publisher."""
        publisher = create_output(self._node, message_type(kind), name, OUTPUT_QOS)
        publisher.on_activate(None)  # a node that is active already activates nothing by itself
        return publisher

    def asked(self) -> frozenset[str]:
        """Return the tasks of which somebody hears something (inference thread)."""
        return frozenset(
            task
            for outputs in self._data.values()
            for task, _, publisher in outputs
            if publisher.get_subscription_count()
        )

    def publish(self, moment: PerceivedMoment) -> None:
        """Publish what each image says, with its own header (inference thread).

        Who came after a moment was begun may hear of the next one only.
        """
        for name, perception in moment.perception.cameras.items():
            ended = moment.counts[name]
            counts = Counts(ended.received, ended.used, ended.replaced, ended.rejected)
            context = Context(
                moment.headers[name],
                perception.image_size,
                moment.spec,
                moment.stage_ms,
                counts,
                "",
                lambda: (perf_counter() - moment.received_s) * 1e3,
                perception.crop,
            )
            makers = {
                task: content.messages(perception.answers[task], context, new_message)
                for task, content in self._contents.items()
                if task in perception.answers
            }
            for task, topic, publisher in self._data[name]:
                if task in makers and is_wanted(topic, "", publisher):
                    publisher.publish(makers[task][topic.name]())

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        for outputs in self._data.values():
            for _, _, publisher in outputs:
                self._node.destroy_lifecycle_publisher(publisher)
