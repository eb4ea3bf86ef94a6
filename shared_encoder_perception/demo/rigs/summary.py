# SPDX-License-Identifier: Apache-2.0
"""What a recorded drive of a rig shows: what became of each image, which maps came, how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.diagnosed import DIAGNOSTICS
from shared_encoder_perception.demo.recording import header_key
from shared_encoder_perception.demo.rigs.diagnosed import (
    Told,
    camera_of,
    ends_of,
    maps_of,
    medians_ms,
    told_by,
)
from shared_encoder_perception.demo.rigs.recording import RecordedMoment, moments
from shared_encoder_perception.demo.rigs.topics import RIG_TASK
from shared_encoder_perception.demo.summary import PERCENTILES
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.node.rig.camera_counts import USED
from shared_encoder_perception.rig.rig_file import RigFile

LOST: Final = "lost"


@dataclass
class CameraSummary:
    """The numbers of one camera.

    Attributes:
        published: Images that the player sent.
        recorded: Of those, images that the recorder received.
        ends: What became of them, as the node says: how many, without noughts.
        unexplained: Images of which the node does not say it.
        missing: Maps that have none of its images.
    """

    published: int
    recorded: int
    ends: dict[str, int]
    unexplained: int
    missing: int


@dataclass
class RigSummary:
    """The numbers of one drive.

    Attributes:
        maps: That the node made.
        partial: Of those, maps that lack a camera.
        complete: Maps that came back whole.
        unexplained: Maps that were made, and did not come back whole.
        cameras: By name.
        seen: Share of the cells that some camera sees, in the mean of all maps.
        shares: Of the cells seen, the share for which the answer says yes, by what is said of
            them, such as ``drivable``; ``None`` where the model does not say it.
        latency_ms: Stamp of the map to the arrival of the last of its messages: percentile -> ms.
        stage_ms: Stage -> median ms of the last maps, as the node says.
    """

    maps: int
    partial: int
    complete: int
    unexplained: int
    cameras: dict[str, CameraSummary]
    seen: float = 0.0
    shares: dict[str, float | None] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)
    stage_ms: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)

    def problems(self) -> list[str]:
        """Return what was lost, one line each; nothing if all is accounted for."""
        found = [] if self.complete else ["no map came back"]
        if self.unexplained:
            found.append(f"{self.unexplained} maps were made and did not come back whole")
        for name, camera in self.cameras.items():
            if camera.unexplained:
                found.append(f"{camera.unexplained} images of {name} are in none of the counts")
            if lost := camera.ends.get(LOST):
                found.append(f"{lost} images of {name} were lost: see the node's log")
        return found

    def __str__(self) -> str:
        """Render one screen."""
        latency = ", ".join(f"{name} {value:.1f} ms" for name, value in self.latency_ms.items())
        stages = ", ".join(f"{name} {value:.2f}" for name, value in self.stage_ms.items())
        shares = [
            f"{name} {'not said by this model' if share is None else f'{share:.0%} of these'}"
            for name, share in self.shares.items()
        ]
        lines = [
            f"maps      {self.maps} made, {self.complete} back whole, {self.partial} of them "
            f"without all cameras, {self.unexplained} unexplained"
        ]
        for name, one in self.cameras.items():
            ends = " + ".join(f"{count} {end}" for end, count in one.ends.items()) or "none"
            lines.append(
                f"{name:<9} {one.published} in = {ends} + {one.unexplained} unexplained; "
                f"missing in {one.missing} maps"
            )
        return "\n".join(
            [
                *lines,
                f"ground    {', '.join([f'{self.seen:.0%} of the cells seen', *shares])} (means)",
                f"latency   {latency or 'none'} (stamp of the map to its arrival)",
                f"node      {f'{stages} ms (medians of the last maps)' if stages else 'no times'}",
            ]
        )


def summarise(bag: Path, file: RigFile, published: Mapping[str, int]) -> RigSummary:
    """Read the bag of a drive.

    Args:
        bag: Written by the recorder.
        file: The rig.
        published: Images that the player says it sent, by camera.
    """
    recorded, said = _count(bag, file)
    made, partial = maps_of(said)
    cameras = {}
    for name, count in published.items():
        ends = {end: number for end, number in ends_of(said, name).items() if number}
        ends = {USED: ends.pop(USED, 0), **ends}
        missing = int(camera_of(said, name).values.get("missing", 0))
        rest = count - sum(ends.values())
        cameras[name] = CameraSummary(count, recorded[name], ends, rest, missing)
    found = list(map(_numbers, moments(bag, file, what="summing up")))
    summary = RigSummary(made, partial, len(found), made - len(found), cameras)
    summary.stage_ms = medians_ms(said)
    if found:
        latencies, seen, shares = zip(*found, strict=True)
        for percentile in PERCENTILES:
            summary.latency_ms[f"p{percentile}"] = float(np.percentile(latencies, percentile))
        summary.seen = float(np.mean(seen))
        for name in shares[0]:
            known = [one[name] for one in shares if one[name] is not None]
            summary.shares[name] = float(np.mean(known)) if known else None
    return summary


def _count(bag: Path, file: RigFile) -> tuple[dict[str, int], dict[str, Told]]:
    """Return the images of each camera, and what the node said last."""
    names = {f"/{entry.image_topic}": entry.name for entry in file.entries}
    headers: dict[str, set[Any]] = {name: set() for name in file.names}
    said: dict[str, Told] = {}
    with open_bag(bag) as reader:
        wanted = [c for c in reader.connections if c.topic in (DIAGNOSTICS, *names)]
        for connection, _, message in read_messages(reader, bag, wanted):
            if connection.topic == DIAGNOSTICS:
                said |= told_by(message)
            else:
                headers[names[connection.topic]].add(header_key(message))
    return {name: len(found) for name, found in headers.items()}, said


def _numbers(moment: RecordedMoment) -> tuple[float, float, dict[str, float | None]]:
    """Return latency, share of the cells seen, and shares of these by what is said of them."""
    answer = moment.surround
    count = int(answer.seen.sum())
    shares: dict[str, float | None] = {}
    for name in tasks.part(RIG_TASK, "answer").MAPS:
        said = getattr(answer, name) is not None and count
        shares[name] = float((answer.binary(name) > 0).sum() / count) if said else None
    return moment.latency_ms, count / answer.seen.size, shares
