"""The consumer of a soak: hears every output of the node and notes when it came.

Started by ``soak``; SIGTERM ends it. It takes the lanes and the mask as bytes, of which it reads
the stamp only; the array it reads as any consumer would.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from shared_encoder_perception.demo.player import QUEUE
from shared_encoder_perception.images.counts import DROP_REASONS
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.outputs import LATCHED_QOS
from shared_encoder_perception.node.topics import ARRAY_TOPIC, INFO_TOPIC, LANE_TOPICS, MASK_TOPIC
from shared_encoder_perception.soak.records import (
    ANSWER,
    ANSWER_FILE,
    COUNTS_FILE,
    MODEL_FILE,
    OUTPUTS,
    STAGE_TIMES_FILE,
    STAGES,
    TOLD_STAGES,
    Rows,
)

SINGLES: Final = {**dict.fromkeys(LANE_TOPICS, LaneLine), MASK_TOPIC: Image}
"""Topics with one message an image, but for the array."""
MODEL_KEYS: Final = ("name", "version", "backend", "backend_version", "device", "precision")
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
    """Subscribes to every output of the node."""

    def __init__(self, folder: Path) -> None:
        """Write to ``folder``; see ``records``."""
        super().__init__("probe")
        self._folder = folder
        self._rows = Rows(folder / ANSWER_FILE, ANSWER)
        self._pending: dict[int, _Answer] = defaultdict(_Answer)
        subscribe = self.create_subscription
        self._outputs = [
            *(subscribe(SINGLES[name], name, self._single, QUEUE, raw=True) for name in SINGLES),
            subscribe(LaneLineArray, ARRAY_TOPIC, self._array, QUEUE, raw=True),
        ]
        subscribe(ModelInfo, INFO_TOPIC, self._informed, LATCHED_QOS)
        subscribe(DiagnosticArray, DIAGNOSTICS_TOPIC, self._diagnosed, QUEUE)
        self._model: dict[str, Any] | None = None
        self._ready = False

    def announce(self) -> None:
        """Say once that every output is connected and the node is active."""
        if self._ready or self._model is None:
            return
        if all(output.get_publisher_count() for output in self._outputs):
            self._ready = True
            self._write(MODEL_FILE, self._model)

    def close(self) -> None:
        """Write down what did not come back whole."""
        for stamp in list(self._pending):
            self._finish(stamp)
        self._rows.close()

    def _single(self, data: bytes) -> None:
        """Note a lane or a mask."""
        now_ns = monotonic_ns()
        seconds, nanoseconds = _STAMP.unpack_from(data)
        self._came(seconds * 10**9 + nanoseconds, now_ns)

    def _array(self, data: bytes) -> None:
        """Note an array."""
        now_ns = monotonic_ns()
        message = deserialize_message(data, LaneLineArray)
        stamp = stamp_ns(message.header)
        answer = self._pending[stamp]
        answer.array_ns = now_ns
        answer.told = (
            message.sequence,
            message.frames_received,
            message.frames_dropped,
            message.frames_replaced,
            message.frames_rejected,
            *(getattr(message, f"{stage}_ms") for stage in STAGES),
        )
        self._came(stamp, now_ns)

    def _came(self, stamp: int, now_ns: int) -> None:
        """Count one output of the image."""
        answer = self._pending[stamp]
        answer.outputs += 1
        answer.last_ns = now_ns
        if answer.outputs == OUTPUTS:
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

    def _diagnosed(self, message: Any) -> None:
        """Keep the newest counts, and all times of stages, where the diagnostics tell them."""
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if f"{TOLD_STAGES[0]}_p50_ms" in values:
                with (self._folder / STAGE_TIMES_FILE).open("a") as lines:
                    lines.write(json.dumps(values) + "\n")
            if "received" in values:
                names = ("received", "perceived", *DROP_REASONS)
                self._write(COUNTS_FILE, {name: int(values[name]) for name in names})

    def _write(self, name: str, values: dict[str, Any]) -> None:
        """Write a file that is always whole."""
        part = self._folder / f"{name}.part"
        part.write_text(json.dumps(values))
        os.replace(part, self._folder / name)


def main() -> int:
    """Listen until told to stop, and until nothing more comes."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _: stopping.append(which))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    probe = Probe(Path(sys.argv[1]))
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
    sys.exit(main())
