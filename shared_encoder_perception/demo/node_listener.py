# SPDX-License-Identifier: Apache-2.0
"""Hears which model a node runs, and what became of the images that it was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO
from shared_encoder_perception.demo.diagnosed import counts_of
from shared_encoder_perception.images.counts import DROP_REASONS
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.messages import message_type
from shared_encoder_perception.node.outputs import LATCHED_QOS
from shared_encoder_perception.tasks.contract.records import Progress
from shared_encoder_perception.tasks.topics import telling

QUEUE: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE
)


class NodeListener:
    """Counts answers on the topic of the model's tasks that tells of the node's work.

    Where none does, the node's diagnostics tell which images it dropped.

    Attributes:
        info: The node's ModelInfo; ``None`` until it is active.
        topic: On which answers are counted; empty until then.
        perceived: Images that were answered.
        dropped: Images that never will be; of these
        replaced: those that a newer one replaced, and
        rejected: those that could not be used.
    """

    def __init__(self, node: Node, namespace: str = "") -> None:
        """Listen with ``node``.

        Args:
            node: Of the listener.
            namespace: Of the node that is heard, with a slash in front; empty for none.
        """
        self._node, self._namespace = node, namespace
        self._progress: Callable[[Any], Progress] | None = None
        self.info: Any = None
        self.topic = ""
        self.perceived = self.dropped = self.replaced = self.rejected = 0
        kind = message_type(MODEL_INFO)
        node.create_subscription(kind, f"{namespace}/{INFO_TOPIC}", self._informed, LATCHED_QOS)

    def _informed(self, message: Any) -> None:
        """The node is active, and answers with these tasks."""
        self.info = message
        if self.topic:
            return
        topic, self._progress = telling(message.tasks)
        self.topic = f"{self._namespace}/{topic.name}"
        subscribe = self._node.create_subscription
        subscribe(message_type(topic.kind), self.topic, self._answered, QUEUE)
        if self._progress is None:
            heard = f"{self._namespace}{DIAGNOSTICS_TOPIC}"
            subscribe(DiagnosticArray, heard, self._diagnosed, QUEUE)

    def _answered(self, message: Any) -> None:
        """Count what became of the images up to this one."""
        if self._progress is None:
            self.perceived += 1
            return
        told = self._progress(message)
        self.perceived, self.dropped = told.sequence, told.dropped
        self.replaced, self.rejected = told.replaced, told.rejected

    def _diagnosed(self, message: Any) -> None:
        """Count what was dropped so far."""
        if counts := counts_of(message):
            self.dropped = sum(counts[reason] for reason in DROP_REASONS)
            self.replaced, self.rejected = counts["replaced"], counts["rejected"]
