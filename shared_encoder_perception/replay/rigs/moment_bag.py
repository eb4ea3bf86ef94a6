# SPDX-License-Identifier: Apache-2.0
"""A bag with the rig node's topics: each message with the stamp of its moment's anchor."""

from __future__ import annotations

from typing import Any, Final

from rosbags.interfaces import QosDurability

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO, fill_model_info
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.replay.messages import HEADER, TIME, new_message, to_bytes
from shared_encoder_perception.replay.new_bag import declare
from shared_encoder_perception.replay.pictures import ANSWER_DEPTH, LATCHED_DEPTH
from shared_encoder_perception.replay.rigs.account import Taken
from shared_encoder_perception.rig_predictor import RigPerception
from shared_encoder_perception.tasks.contract.rigs import RigContext

SECOND_NS: Final = 1_000_000_000


class MomentBag:
    """Writes what the node publishes of a moment, and once what it says of the model.

    Markers of objects, which the node makes when somebody listens, are always there.
    """

    def __init__(self, writer: Any, backend: Backend, task: str, frame_id: str) -> None:
        """Declare the topics on an open ``Writer``.

        Args:
            writer: As of ``new_bag``.
            backend: The model.
            task: That is answered of the rig.
            frame_id: Of the rig, in which the maps are.
        """
        self._writer, self._backend, self._frame_id = writer, backend, frame_id
        self._content = tasks.part(task, "content")
        self._topics = {
            topic.name: declare(writer, f"/{topic.name}", topic.kind, ANSWER_DEPTH)
            for topic in self._content.TOPICS
        }
        self._info = declare(
            writer, f"/{INFO_TOPIC}", MODEL_INFO, LATCHED_DEPTH, QosDurability.TRANSIENT_LOCAL
        )
        self._announced = False

    def write(self, found: RigPerception, anchor: Taken) -> None:
        """Record a moment, at the time at which the first camera's image was recorded."""
        header = new_message(HEADER)
        seconds, rest = divmod(anchor.stamp_ns, SECOND_NS)
        header.stamp, header.frame_id = new_message(TIME), self._frame_id
        header.stamp.sec, header.stamp.nanosec = seconds, rest
        if not self._announced:
            info = new_message(MODEL_INFO)
            fill_model_info(info, self._backend.spec, self._backend.info, header.stamp)
            self._writer.write(self._info, anchor.arrived_ns, to_bytes(info))
            self._announced = True
        context = RigContext(header, self._backend.spec, found.stage_ms)
        make = self._content.messages(found.surround, context, new_message)
        for name, topic in self._topics.items():
            self._writer.write(topic, anchor.arrived_ns, to_bytes(make[name]()))
