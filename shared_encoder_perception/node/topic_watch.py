# SPDX-License-Identifier: Apache-2.0
"""Finds out why nothing comes in, or goes out: nobody is there, or what is there does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
    qos_policy_name_from_kind,
)

from shared_encoder_perception.node.input_health import TopicState

COMPRESSED_SUFFIX: Final = "/compressed"


def create_output(node: Any, kind: Any, topic: str, qos: QoSProfile) -> Any:
    """Create a lifecycle publisher whose subscribers ``misfit_subscribers`` is to watch.

    rclpy's own two event handlers, which warn of the same misfits, are left out: the executor asks
    each handler of each publisher after every message, which was two thirds of its round.

    Args:
        node: The ``LifecycleNode``.
        kind: Type of the messages.
        topic: As ROS takes it; remappings apply.
        qos: What is offered.
    """
    quiet = PublisherEventCallbacks(use_default_callbacks=False)
    return node.create_lifecycle_publisher(kind, topic, qos, event_callbacks=quiet)


def misfit_subscribers(node: Any, publishers: Sequence[Any]) -> Iterator[str]:
    """Yield which subscriptions receive nothing from ``publishers`` of ``node``, and why."""
    for publisher in publishers:
        topic = publisher.topic_name
        # Subscriptions that do not fit are in the graph, but never matched with us.
        if node.count_subscribers(topic) <= publisher.get_subscription_count():
            continue
        ours = _own(node, node.get_publishers_info_by_topic(topic))
        for request in node.get_subscriptions_info_by_topic(topic) if ours else ():
            name = _full_name(request)
            if request.topic_type != ours.topic_type:
                yield f"{name} subscribes to {topic} as {request.topic_type}"
                continue
            verdict, reason = qos_check_compatible(ours.qos_profile, request.qos_profile)
            if verdict == QoSCompatibility.ERROR:
                text = f"{name} subscribes to {topic} with a QoS that does not fit: {reason}"
                yield text.rstrip(" ;")


def _own(node: Any, endpoints: Sequence[Any]) -> Any:
    """Return what the graph says of the node's own endpoint, with all overrides applied."""
    own = (node.get_name(), node.get_namespace())
    return next((e for e in endpoints if (e.node_name, e.node_namespace) == own), None)


def _full_name(endpoint: Any) -> str:
    """Return whose endpoint it is."""
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"


class TopicWatch:
    """Watches one subscription's topic in the ROS graph; for the executor's thread."""

    def __init__(
        self,
        node: Any,
        transport: str = "input.transport",
        reliability: str = "input.reliability",
    ) -> None:
        """Watch nothing yet.

        Args:
            node: The node.
            transport: The parameter by which the topic is raw or compressed.
            reliability: The parameter that sets the subscription's; empty for none.
        """
        self._node, self._transport, self._reliability = node, transport, reliability
        self._subscription: Any = None
        self._policy = ""

    def event_callbacks(self) -> SubscriptionEventCallbacks:
        """Return what the subscription is to be created with, to hear of QoS that does not fit."""
        return SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos)

    def watch(self, subscription: Any) -> None:
        """Watch this subscription from now on; ``None`` for none."""
        self._subscription = subscription
        if subscription is None:
            self._policy = ""

    def state(self) -> TopicState:
        """Return what the ROS graph says now."""
        if self._subscription is None:
            return TopicState("", 0)
        topic = self._subscription.topic_name
        offers = self._node.get_publishers_info_by_topic(topic)
        # Publishers that do not fit are in the graph, but never matched with us.
        misfit = len(offers) > self._subscription.get_publisher_count()
        mismatch = "; ".join(self._reasons(topic, offers)) if misfit else ""
        if misfit and not mismatch and self._policy:
            mismatch = f"a publisher of {topic} offers a QoS that does not fit: {self._policy}"
        return TopicState(topic, len(offers), mismatch, "" if offers else self._hint(topic))

    def _reasons(self, topic: str, offers: list[Any]) -> Iterator[str]:
        """Yield why publishers do not fit our subscription."""
        ours = _own(self._node, self._node.get_subscriptions_info_by_topic(topic))
        if ours is None:
            return
        for offer in offers:
            name = _full_name(offer)
            if offer.topic_type != ours.topic_type:
                yield (
                    f"{name} publishes {topic} as {offer.topic_type}, expected "
                    f"{ours.topic_type}: see {self._transport}"
                )
                continue
            verdict, reason = qos_check_compatible(offer.qos_profile, ours.qos_profile)
            if verdict != QoSCompatibility.ERROR:
                continue
            cure = self._cure(topic, offer.qos_profile, ours.qos_profile)
            yield (
                f"{name} publishes {topic} with a QoS that does not fit: {reason}".rstrip(" ;")
                + f"; {cure}"
            )

    def _cure(self, topic: str, offer: QoSProfile, ours: QoSProfile) -> str:
        """Say which parameters make our subscription hear what is offered."""
        override, cures = f"qos_overrides.{topic}.subscription.", []
        if (offer.reliability, ours.reliability) == (
            ReliabilityPolicy.BEST_EFFORT,
            ReliabilityPolicy.RELIABLE,
        ):
            cures.append(f"set {self._reliability or override + 'reliability'} to best_effort")
        if (offer.durability, ours.durability) == (
            DurabilityPolicy.VOLATILE,
            DurabilityPolicy.TRANSIENT_LOCAL,
        ):
            cures.append(f"set {override}durability to volatile")
        return " and ".join(cures) or f"see the parameters {override}*"

    def _hint(self, topic: str) -> str:
        """Say where images are published instead."""
        if topic.endswith(COMPRESSED_SUFFIX):
            other, transport = topic.removesuffix(COMPRESSED_SUFFIX), "raw"
        else:
            other, transport = topic + COMPRESSED_SUFFIX, "compressed"
        if not self._node.count_publishers(other):
            return ""
        return f"{other} is published, though; set {self._transport} to {transport}"

    def _on_incompatible_qos(self, event: Any) -> None:
        """Remember which policy keeps a publisher from us, and say so once."""
        self._policy = qos_policy_name_from_kind(event.last_policy_kind)
        topic = self._subscription.topic_name if self._subscription else "the input"
        self._node.get_logger().warning(
            f"a publisher of {topic} offers a QoS that does not fit, nothing will be received from "
            f"it: {self._policy}"
        )
