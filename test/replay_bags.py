# SPDX-License-Identifier: Apache-2.0
"""Small bags for the tests of ``replay``, and how to run it on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from tiny_model import random_image

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.tasks.contract.runtime import Context
from shared_encoder_perception.tasks.lanes.content import LINE, fill_lane

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
TOPIC = "/camera/image"
START_NS, STEP_NS = 1_700_000_000_000_000_000, 50_000_000
ARRIVAL_NS = 3_000_000
"""How much later than stamped an image is recorded."""


def stamps(count: int) -> list[int]:
    """Return the stamps of a drive at 20 Hz."""
    return [START_NS + index * STEP_NS for index in range(count)]


def arrival_ns(index: int) -> int:
    """Return when an image of that drive is recorded."""
    return START_NS + index * STEP_NS + ARRIVAL_NS


def header(stamp_ns: int) -> object:
    """Return a header of rosbags."""
    types = typestore().types
    stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera_optical")


def image_message(image: np.ndarray, stamp_ns: int, kind: str = IMAGE, **fields: object) -> object:
    """Return an image message of rosbags; ``fields`` replace what is right."""
    if kind == COMPRESSED:
        data = cv2.imencode(".png", image)[1].reshape(-1)
        right = {"format": "png", "data": data}
    else:
        height, width = image.shape[:2]
        right = {
            "height": height,
            "width": width,
            "encoding": "bgr8",
            "is_bigendian": 0,
            "step": 3 * width,
            "data": image.reshape(-1),
        }
    return typestore().types[kind](header=header(stamp_ns), **{**right, **fields})


def lane_message(predictor: Any, index: int, lane: int) -> Any:
    """Return what is perceived of a lane in ``random_image(index)``, as a message of the drive."""
    perception = predictor(random_image(index))
    at = header(START_NS + index * STEP_NS)
    message = new_message(LINE)
    context = Context(at, perception.image_size, predictor.spec, {}, Counts())
    fill_lane(message, perception.answers["lanes"][lane], context)
    return message


def write_bag(
    path: Path,
    messages: Sequence[tuple[str, int, object]],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    mode: CompressionMode = CompressionMode.NONE,
    topics: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write ``(topic, arrival in ns, message)``; ``topics`` are declared even if they are empty."""
    store = typestore()
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        kinds = dict(topics) | {topic: message.__msgtype__ for topic, _, message in messages}
        known = {
            topic: writer.add_connection(topic, kind, typestore=store)
            for topic, kind in kinds.items()
        }
        for topic, at_ns, message in messages:
            data = store.serialize_cdr(message, message.__msgtype__)
            writer.write(known[topic], at_ns, data)
    return path


def drive(
    count: int, kind: str = IMAGE, stamp_ns: Sequence[int] | None = None
) -> list[tuple[str, int, object]]:
    """Return the messages of a drive of different images."""
    return [
        (TOPIC, arrival_ns(index), image_message(random_image(index), stamp, kind))
        for index, stamp in enumerate(stamp_ns or stamps(count))
    ]


def arguments(models: SimpleNamespace, bag: Path, out: Path, *options: object) -> list[str]:
    """Return the command line; no bag, video and report unless ``"+bag"`` ... is an option."""
    left_out = [f"--no-{what}" for what in ("bag", "video", "report") if f"+{what}" not in options]
    wanted = [str(option) for option in options if not str(option).startswith("+")]
    engine = ["--model", str(models.tiny), "--backend", "onnxruntime", "--threads", "1"]
    return ["replay", str(bag), "--out", str(out), *engine, *wanted, *left_out]


def replay(models: SimpleNamespace, bag: Path, out: Path, *options: object) -> int:
    """Run the command; see ``arguments``."""
    return main(arguments(models, bag, out, *options))


def results(out: Path) -> tuple[dict, list[dict]]:
    """Return the conditions and the lines of the images."""
    first, *lines = map(json.loads, (out / "results.jsonl").read_text().splitlines())
    return first["conditions"], lines


def summary(out: Path) -> dict:
    """Return the summary."""
    return json.loads((out / "summary.json").read_text())
