# SPDX-License-Identifier: Apache-2.0
"""What a recorded drive shows: which images came back whole, how fast, with what in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.demo.diagnosed import DIAGNOSTICS, counts_of
from shared_encoder_perception.demo.recording import (
    AnswerGatherer,
    Header,
    header_key,
    model_info_of,
)
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.tasks.contract.records import Progress
from shared_encoder_perception.tasks.detections import detectable, detected, share_lines
from shared_encoder_perception.tasks.topics import Telling, telling

IMAGE: Final = "/image"
PERCENTILES: Final = (50, 95, 99)
UNTOLD: Final = "no times: the messages of this model do not tell them"


@dataclass
class DriveSummary:
    """The numbers of one drive.

    Attributes:
        published: Images that the player sent.
        recorded: Of those, images that the recorder received.
        complete: Images that came back on every topic with the identical header.
        replaced: Images that the node dropped for a newer one.
        rejected: Images that the node refused.
        unexplained: Images that are none of these.
        detected: Name of what may be there or not -> share of the complete images in which it was
            detected.
        latency_ms: Stamp of the image to arrival of the answer: percentile -> ms.
        stage_ms: Stage -> median ms; the last is the whole node. Empty where no message tells.
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

    def problems(self) -> list[str]:
        """Return what was lost, one line each; nothing if all is accounted for."""
        if self.published == 0 or self.complete == 0:
            return ["no image came back"]
        if self.unexplained:
            return [f"{self.unexplained} images neither came back nor were counted as dropped"]
        return []

    def __str__(self) -> str:
        """Render one screen."""
        latency = ", ".join(f"{name} {value:.1f} ms" for name, value in self.latency_ms.items())
        stages = ", ".join(f"{name} {value:.2f} ms" for name, value in self.stage_ms.items())
        lines = [
            f"images    {self.published} in, {self.complete} out whole, {self.replaced} dropped "
            f"for newer ones, {self.rejected} rejected, {self.unexplained} unexplained",
            *share_lines(self.detected),
            f"latency   {latency or 'none'} (image stamped to result received)",
            f"node      {f'{stages} (medians; processing is all of it)' if stages else UNTOLD}",
        ]
        return "\n".join(lines)


@dataclass
class _Drive:
    """What is counted of a bag.

    Attributes:
        images: Headers of the images.
        complete: Images that came back whole.
        detected: Of these, images in which something was detected, by its name.
        latencies_ms: Of all images that were answered.
        told: What messages told of the node's work.
        dropped: The node's counts of images as its diagnostics told them last.
    """

    images: set[Header] = field(default_factory=set)
    complete: int = 0
    detected: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    def most(self, reason: str) -> int:
        """Return how many images the node dropped for a reason: counts only rise."""
        told = max((int(getattr(one, reason)) for one in self.told), default=0)
        return max(told, self.dropped.get(reason, 0))


def summarise(bag: Path, published: int, image: str = IMAGE, namespace: str = "") -> DriveSummary:
    """Read the bag of a drive once.

    Args:
        bag: Written by the recorder.
        published: Images that the player says it sent.
        image: Their topic.
        namespace: Of the node, with a slash in front; empty for none.
    """
    with open_bag(bag) as reader:
        info = model_info_of(reader, bag, namespace)
        names = tuple(info.tasks) if info is not None else ()
        drive = _read(reader, bag, names, image, namespace)
    replaced, rejected = drive.most("replaced"), drive.most("rejected")
    summary = DriveSummary(
        published,
        len(drive.images),
        drive.complete,
        replaced,
        rejected,
        published - drive.complete - replaced - rejected,
    )
    _measure(summary, drive, detectable(names))
    return summary


def _read(reader: Any, bag: Path, names: tuple[str, ...], image: str, namespace: str) -> _Drive:
    """Count the messages of a node that answers with these tasks."""
    gatherer, drive = AnswerGatherer(names, image, namespace=namespace), _Drive()
    follow = telling(names) if gatherer.topics else None
    diagnostics = f"{namespace}{DIAGNOSTICS}"
    wanted = {image, diagnostics, *gatherer.topics}
    connections = [c for c in reader.connections if c.topic in wanted]
    for connection, arrived_ns, message in read_messages(reader, bag, connections):
        topic = connection.topic
        if topic == diagnostics:
            drive.dropped = counts_of(message) or drive.dropped
            continue
        if topic == image:
            drive.images.add(header_key(message))
        elif follow is not None and topic == f"{namespace}/{follow.topic.name}":
            _follow(drive, follow, message, arrived_ns)
        try:
            found = gatherer.add(topic, message)
        except ValueError:  # it came back, but not whole
            continue
        if found is not None:
            drive.complete += 1
            drive.detected.update(detected(found.perception))
    return drive


def _follow(drive: _Drive, follow: Telling, message: Any, arrived_ns: int) -> None:
    """Note when an answer came, and what it tells of the node's work (in place)."""
    seconds, nanoseconds, _ = header_key(message)
    drive.latencies_ms.append((arrived_ns - seconds * 1_000_000_000 - nanoseconds) / 1e6)
    if follow.progress is not None:
        drive.told.append(follow.progress(message))


def _measure(summary: DriveSummary, drive: _Drive, names: list[str]) -> None:
    """Fill in shares and times, as far as there are images for them (in place)."""
    if drive.complete:
        summary.detected = {name: drive.detected[name] / drive.complete for name in names}
    if drive.latencies_ms:
        for percentile in PERCENTILES:
            value = float(np.percentile(drive.latencies_ms, percentile))
            summary.latency_ms[f"p{percentile}"] = value
    if drive.told:
        summary.stage_ms = {
            stage: float(np.median([told.stage_ms[stage] for told in drive.told]))
            for stage in drive.told[0].stage_ms
        }
