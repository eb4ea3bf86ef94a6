"""What a recorded drive shows: which images came back whole, how fast, with which lanes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneStatus

STAGES: Final = ("conversion", "preprocess", "inference", "decode", "processing")
"""Stages that a LaneLineArray carries; the last is the whole node."""
PERCENTILES: Final = (50, 95, 99)
OUTPUTS: Final = (*(f"/lane_lines/{name}" for name in LANE_NAMES), "/drivable_surface/mask")
Header = tuple[int, int, str]


@dataclass
class DriveSummary:
    """The numbers of one drive.

    Attributes:
        published: Images that the player sent.
        recorded: Of those, images that the recorder received.
        complete: Images that came back as five lanes, array and mask with the identical header.
        replaced: Images that the node dropped for a newer one.
        rejected: Images that the node refused.
        unexplained: Images that are none of these.
        detected: Lane -> share of the complete images in which it was detected.
        latency_ms: Stamp of the image to arrival of the array: percentile -> ms.
        stage_ms: Stage -> median ms.
    """

    published: int
    recorded: int
    complete: int
    replaced: int
    rejected: int
    unexplained: int
    detected: dict[str, float] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)
    stage_ms: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Render one screen."""
        lanes = ", ".join(f"{name} {share:.0%}" for name, share in self.detected.items())
        latency = ", ".join(f"{name} {value:.1f} ms" for name, value in self.latency_ms.items())
        stages = ", ".join(f"{name} {value:.2f} ms" for name, value in self.stage_ms.items())
        lines = [
            f"images    {self.published} in, {self.complete} out whole, {self.replaced} dropped "
            f"for newer ones, {self.rejected} rejected, {self.unexplained} unexplained",
            f"lanes     {lanes or 'none'}",
            f"latency   {latency or 'none'} (image stamped to result received)",
            f"node      {stages or 'none'} (medians; processing is all of it)",
        ]
        return "\n".join(lines)


def summarise(bag: Path, published: int) -> DriveSummary:
    """Read the bag of a drive once.

    Args:
        bag: Written by the recorder.
        published: Images that the player says it sent.
    """
    images: set[Header] = set()
    answers: dict[Header, set[str]] = defaultdict(set)
    arrays: list[tuple[float, Any]] = []
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic != "/model_info"]
        for connection, arrived_ns, message in read_messages(reader, bag, connections):
            key = header_key(message)
            if connection.topic == "/image":
                images.add(key)
            elif connection.topic == "/lane_lines":
                if _whole(message, key):
                    answers[key].add(connection.topic)
                stamp_ns = key[0] * 1_000_000_000 + key[1]
                arrays.append(((arrived_ns - stamp_ns) / 1e6, message))
            else:
                answers[key].add(connection.topic)
    expected = {*OUTPUTS, "/lane_lines"}
    complete = sum(answers.get(key) == expected for key in images)
    replaced = max((int(array.frames_replaced) for _, array in arrays), default=0)
    rejected = max((int(array.frames_rejected) for _, array in arrays), default=0)
    summary = DriveSummary(
        published,
        len(images),
        complete,
        replaced,
        rejected,
        published - complete - replaced - rejected,
    )
    if arrays:
        _measure(summary, arrays)
    return summary


def header_key(message: Any) -> Header:
    """Return a message's whole header as something to compare."""
    stamp = message.header.stamp
    return int(stamp.sec), int(stamp.nanosec), str(message.header.frame_id)


def _whole(array: Any, key: Header) -> bool:
    """Whether an array holds the five lanes in order, all with its own header."""
    lanes = array.lanes
    return [lane.lane_id for lane in lanes] == list(range(len(LANE_NAMES))) and all(
        header_key(lane) == key for lane in lanes
    )


def _measure(summary: DriveSummary, arrays: Sequence[tuple[float, Any]]) -> None:
    """Fill in rates and times (in place)."""
    latencies = [latency for latency, _ in arrays]
    for percentile in PERCENTILES:
        summary.latency_ms[f"p{percentile}"] = float(np.percentile(latencies, percentile))
    for stage in STAGES:
        values = [float(getattr(array, f"{stage}_ms")) for _, array in arrays]
        summary.stage_ms[stage] = float(np.median(values))
    for index, name in enumerate(LANE_NAMES):
        seen = [array.lanes[index].status == LaneStatus.DETECTED for _, array in arrays]
        summary.detected[name] = float(np.mean(seen))
