# SPDX-License-Identifier: Apache-2.0
"""The consumer of a soak: hears every output of the node and notes when it came.

Started by ``soak``; SIGTERM ends it. It takes answers as bytes, of which it reads the stamp only;
the one that tells of the node's work, the array, it reads as any consumer would.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions

from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO
from shared_encoder_perception.demo.diagnosed import counts_of
from shared_encoder_perception.demo.node_listener import QUEUE
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.messages import message_type
from shared_encoder_perception.node.outputs import LATCHED_QOS
from shared_encoder_perception.node.topics import OVERLAY_TOPIC
from shared_encoder_perception.soak.records import (
    ANSWER,
    ANSWER_FILE,
    COUNTS_FILE,
    EVERYTHING,
    MODEL_FILE,
    OUTPUTS,
    STAGE_TIMES_FILE,
    STAGES,
    TOLD_STAGES,
    Rows,
)
from shared_encoder_perception.tasks.contract.runtime import Topic
from shared_encoder_perception.tasks.topics import (
    Telling,
    for_every_image,
    lazy,
    pictures,
    telling,
)

MODEL_KEYS: Final = ("name", "version", "backend", "backend_version", "device", "precision")
OVERLAYS: Final = (Topic(f"~/{OVERLAY_TOPIC}", "sensor_msgs/msg/CompressedImage"),)
MAX_PENDING: Final = 100
"""An image of which something is missing when so many later ones have begun is given up."""

_STAMP: Final = struct.Struct("=4xiI")
"""Of a serialised message whose first field is a header: what follows the encapsulation."""


@dataclass
class _Answer:
    """What came so far for one image."""

    outputs: int = 0
    array_ns: int = 0
    last_ns: int = 0
    told: tuple[float, ...] = (0.0,) * (5 + len(STAGES))


class Probe(Node):
    """Subscribes to every output of the node.

    Attributes:
        node: What it is called.
    """

    node: str = "perception"

    def __init__(self, folder: Path, everything: bool = False) -> None:
        """Write to ``folder``; see ``records``.

        Args:
            folder: For the rows.
            everything: Listen to what is only made for who listens, too.
        """
        super().__init__("probe")
        self._folder, self._everything = folder, everything
        self._rows = Rows(folder / ANSWER_FILE, ANSWER)
        self._pending: dict[int, _Answer] = defaultdict(_Answer)
        self._outputs: list[Any] = []
        self._arrays = 0
        self.create_subscription(message_type(MODEL_INFO), INFO_TOPIC, self._informed, LATCHED_QOS)
        self.create_subscription(DiagnosticArray, DIAGNOSTICS_TOPIC, self._diagnosed, QUEUE)
        self._model: dict[str, Any] | None = None
        self._tasks: list[str] = []
        self._ready = False

    def announce(self) -> None:
        """Say once that every output is connected and the node is active."""
        if self._ready or self._model is None:
            return
        if not self._outputs:
            self._subscribe()
        if all(output.get_publisher_count() for output in self._outputs):
            self._ready = True
            self._write(MODEL_FILE, {**self._model, OUTPUTS: len(self._outputs)})

    def _subscribe(self) -> None:
        """Listen to the answers of the model's tasks."""
        follow = telling(self._tasks)
        topics = for_every_image(self._tasks)
        if self._everything:
            topics = [*lazy(self._tasks), *topics]
            for topic in (*pictures(self._tasks), *OVERLAYS):  # at a rate of their own
                kind, name = message_type(topic.kind), topic.name.replace("~", self.node, 1)
                self.create_subscription(kind, name, lambda _: None, QUEUE, raw=True)
        for _, topic in topics:
            is_array = topic == follow.topic
            callback = self._array_of(follow) if is_array else self._single
            kind = message_type(topic.kind)
            self._outputs.append(
                self.create_subscription(kind, topic.name, callback, QUEUE, raw=True)
            )

    def close(self) -> None:
        """Write down what did not come back whole."""
        for stamp in list(self._pending):
            self._finish(stamp)
        self._rows.close()

    def _single(self, data: bytes) -> None:
        """Note an answer that is not the array."""
        now_ns = monotonic_ns()
        self._came(_stamp_ns(data), now_ns)

    def _array_of(self, follow: Telling) -> Callable[[bytes], None]:
        """Return what notes an array."""
        kind = message_type(follow.topic.kind)

        def array(data: bytes) -> None:
            now_ns = monotonic_ns()
            self._arrays += 1
            told: tuple[float, ...] = (self._arrays, 0, 0, 0, 0, *[nan] * len(STAGES))
            if follow.progress is not None:
                *counts, stage_ms = follow.progress(deserialize_message(data, kind))
                told = (*counts, *(stage_ms[stage] for stage in STAGES))
            stamp = _stamp_ns(data)
            answer = self._pending[stamp]
            answer.array_ns, answer.told = now_ns, told
            self._came(stamp, now_ns)

        return array

    def _came(self, stamp: int, now_ns: int) -> None:
        """Count one output of the image."""
        answer = self._pending[stamp]
        answer.outputs += 1
        answer.last_ns = now_ns
        if answer.outputs == len(self._outputs):
            self._finish(stamp)
        elif len(self._pending) > MAX_PENDING:
            self._finish(next(iter(self._pending)))

    def _finish(self, stamp: int) -> None:
        """Write an image's row."""
        answer = self._pending.pop(stamp)
        self._rows.write(stamp, answer.outputs, answer.array_ns, answer.last_ns, *answer.told)

    def _informed(self, message: Any) -> None:
        """Note what runs."""
        self._model = {key: getattr(message, key) for key in MODEL_KEYS}
        self._model["threads"] = message.threads
        self._tasks = list(message.tasks)

    def _diagnosed(self, message: Any) -> None:
        """Keep the newest counts, and all times of stages, where the diagnostics tell them."""
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if f"{TOLD_STAGES[0]}_p50_ms" in values:
                with (self._folder / STAGE_TIMES_FILE).open("a") as lines:
                    lines.write(json.dumps(values) + "\n")
        if counts := self._counted(message):
            self._write(COUNTS_FILE, counts)

    def _counted(self, message: Any) -> dict[str, Any]:
        """Return the node's counts; empty where they are not told."""
        return counts_of(message)

    def _write(self, name: str, values: dict[str, Any]) -> None:
        """Write a file that is always whole."""
        write_text(self._folder / name, json.dumps(values))


def _stamp_ns(data: bytes) -> int:
    """Return the stamp of a serialised message that begins with its header."""
    seconds, nanoseconds = _STAMP.unpack_from(data)
    return int(seconds) * 10**9 + int(nanoseconds)


def listen(kind: type[Probe] = Probe) -> int:
    """Listen until told to stop, and until nothing more comes; the folder is the first argument."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _: stopping.append(which))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    probe = kind(Path(sys.argv[1]), EVERYTHING in sys.argv[2:])
    executor = _executor()
    executor.add_node(probe)
    while not stopping:
        executor.spin_once(timeout_sec=0.2)
        probe.announce()
    probe.close()
    probe.destroy_node()
    rclpy.try_shutdown()
    return 0


def _executor() -> Executor:
    """Return the executor that disturbs the least: others build lists of all entities each time."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:  # early releases of Jazzy
        print("rclpy has no EventsExecutor: the probe costs twice as much CPU, and delays more")
        return SingleThreadedExecutor()
    return EventsExecutor()


if __name__ == "__main__":
    sys.exit(listen())
