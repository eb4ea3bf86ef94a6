"""What came back from the node, image by image, against the lines of the offline replay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.topics import ARRAY_TOPIC
from shared_encoder_perception.replay.results import lane_record
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.content import lane_from_message

STAGES: Final = ("conversion", "preprocess", "inference", "decode", "processing")
PERCENTILES: Final = (50, 95, 99, 100)
SHOWN: Final = 50
"""Differing images that are listed at most."""


def compare(results: Path, recording: Path, image: str, published: int) -> dict[str, Any]:
    """Compare a recorded live run with the offline results.

    Args:
        results: ``results.jsonl`` of the offline replay.
        recording: Bag with images and answers as they arrived at a consumer.
        image: Topic of the images in it.
        published: Images that were sent.

    Returns:
        Counts: ``published``, ``perceived``, ``dropped`` by the node, ``unaccounted``; ``equal``,
        and ``different`` (a list of what differs); ``unknown``, answers to stamps that no
        offline line has, or several have; ``latency_ms`` from the arrival of the image to that of
        the array, both at the recorder, by percentile; ``latencies_ms``, all; ``stage_ms``,
        medians.
    """
    offline = _by_stamp(results)
    arrived: dict[int, int] = {}
    answered: dict[int, int] = {}
    stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
    perceived = equal = unknown = dropped = 0
    different: list[dict[str, Any]] = []
    with open_bag(recording) as reader:
        topics = (image, f"/{ARRAY_TOPIC}")
        connections = [c for c in reader.connections if c.topic in topics]
        for connection, at_ns, message in read_messages(reader, recording, connections):
            stamp = stamp_ns(message.header)
            if connection.topic == image:
                arrived[stamp] = at_ns
                continue
            perceived, dropped = perceived + 1, int(message.frames_dropped)
            for stage, values in stages.items():
                values.append(float(getattr(message, f"{stage}_ms")))
            answered[stamp] = at_ns
            line = offline.get(stamp)
            if line is None:
                unknown += 1
            elif what := _differences(line, message):
                different.append({"frame": line["frame"], "stamp_ns": stamp, "lanes": what})
            else:
                equal += 1
    # After the loop: a busy recorder may note an answer before its image, a hair below 0 then.
    both = [stamp for stamp in answered if stamp in arrived]
    latencies_ms = [(answered[stamp] - arrived[stamp]) / 1e6 for stamp in both]
    return {
        "published": published,
        "perceived": perceived,
        "dropped": dropped,
        "unaccounted": published - perceived - dropped,
        "equal": equal,
        "unknown": unknown,
        "different": different,
        "latency_ms": {
            f"p{one}": round(float(np.percentile(latencies_ms, one)), 3)
            for one in PERCENTILES
            if latencies_ms
        },
        "stage_ms": {
            stage: round(float(np.median(values)), 3) for stage, values in stages.items() if values
        },
        "latencies_ms": latencies_ms,
    }


def _by_stamp(results: Path) -> dict[int, Mapping[str, Any]]:
    """Return the perceived lines by their stamp; without those whose stamp is not theirs alone."""
    lines: dict[int, Mapping[str, Any]] = {}
    twice: set[int] = {0}
    with results.open() as file:
        next(file)
        for text in file:
            line = json.loads(text)
            if line["stamp_ns"] in lines:
                twice.add(line["stamp_ns"])
            if "lanes" in line:
                lines[line["stamp_ns"]] = line
    return {stamp: line for stamp, line in lines.items() if stamp not in twice}


def _differences(line: Mapping[str, Any], array: Any) -> list[str]:
    """Return the names of the lanes that are not as the offline replay says."""
    return [
        name
        for name, message in zip(LANE_NAMES, array.lanes, strict=True)
        if lane_record(lane_from_message(message)) != line["lanes"][name]
    ]
