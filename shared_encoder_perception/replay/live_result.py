# SPDX-License-Identifier: Apache-2.0
"""What came back from the node, image by image, against the lines of the offline replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.diagnosed import DIAGNOSTICS, counts_of
from shared_encoder_perception.demo.recording import AnsweredImage, AnswerGatherer, model_info_of
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.counts import DROP_REASONS
from shared_encoder_perception.images.preprocess import default_crop
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.records import Progress
from shared_encoder_perception.tasks.topics import latched, telling

PERCENTILES: Final = (50, 95, 99, 100)
SHOWN: Final = 50
"""Differing images that are listed at most."""
NOT_WHOLE: Final = "not every message came"


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
        the answer (the message that tells of the node's work, else the last one), both at the
        recorder, by percentile; ``latencies_ms``, all; ``stage_ms``, medians, where they are told.
    """
    offline, live = _by_stamp(results), _Live()
    with open_bag(recording) as reader:
        info = model_info_of(reader, recording)
        if info is not None:
            _read(live, offline, reader, recording, image, info)
    lost = live.answered.keys() & offline.keys() - live.compared
    live.different += [_different(offline[stamp], stamp, [NOT_WHOLE]) for stamp in sorted(lost)]
    # After the loop: a busy recorder may note an answer before its image, a hair below 0 then.
    both = [stamp for stamp in live.answered if stamp in live.arrived]
    latencies_ms = [(live.answered[stamp] - live.arrived[stamp]) / 1e6 for stamp in both]
    dropped = live.dropped
    return {
        "published": published,
        "perceived": live.perceived,
        "dropped": dropped,
        "unaccounted": published - live.perceived - dropped,
        "equal": live.equal,
        "unknown": live.unknown,
        "different": live.different,
        "latency_ms": {
            f"p{one}": round(float(np.percentile(latencies_ms, one)), 3)
            for one in PERCENTILES
            if latencies_ms
        },
        "stage_ms": {
            stage: round(float(np.median([told.stage_ms[stage] for told in live.told])), 3)
            for stage in (live.told[0].stage_ms if live.told else ())
        },
        "latencies_ms": latencies_ms,
    }


@dataclass
class _Live:
    """What came back.

    Attributes:
        arrived: Stamp -> when the image came.
        answered: Stamp -> when its answer came.
        perceived: Answers.
        unknown: Those that no line offline can be held against.
        compared: Stamps of images that came back whole.
        equal: Of these, those that are as offline.
        different: The others.
        told: What messages told of the node's work.
        dropped: Images that the node will not answer, as it said last.
    """

    arrived: dict[int, int] = field(default_factory=dict)
    answered: dict[int, int] = field(default_factory=dict)
    perceived: int = 0
    unknown: int = 0
    compared: set[int] = field(default_factory=set)
    equal: int = 0
    different: list[dict[str, Any]] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)
    dropped: int = 0


def _read(
    live: _Live,
    offline: Mapping[int, Mapping[str, Any]],
    reader: Any,
    recording: Path,
    image: str,
    info: Any,
) -> None:
    """Read what came back, and compare each image that is whole (in place)."""
    gatherer = AnswerGatherer(info.tasks, image, key=lambda message: stamp_ns(message.header))
    follow = telling(info.tasks)
    input_size = (int(info.input_height), int(info.input_width))
    wanted = {image, DIAGNOSTICS, *gatherer.topics}
    announced = {f"/{one.topic.name}" for one in latched(info.tasks)}
    connections = [c for c in reader.connections if c.topic in wanted]
    for connection, at_ns, message in read_messages(reader, recording, connections):
        if connection.topic == DIAGNOSTICS:  # recorded where no answer tells of the node's work
            counts = counts_of(message)
            live.dropped = max(live.dropped, sum(counts.get(one, 0) for one in DROP_REASONS))
            continue
        if connection.topic in announced:  # of the model: of no image, and perhaps without a header
            gatherer.add(connection.topic, message)
            continue
        stamp = stamp_ns(message.header)
        if connection.topic == image:
            live.arrived[stamp] = at_ns
        elif connection.topic == f"/{follow.topic.name}":
            live.perceived += 1
            live.answered[stamp] = at_ns
            live.unknown += stamp not in offline
            if follow.progress is not None:
                live.told.append(follow.progress(message))
                live.dropped = live.told[-1].dropped
        found = gatherer.add(connection.topic, message)
        if found is None or stamp not in offline:
            continue
        live.compared.add(stamp)
        if what := _differences(offline[stamp], found, input_size):
            live.different.append(_different(offline[stamp], stamp, what))
        else:
            live.equal += 1


def _different(line: Mapping[str, Any], stamp: int, what: Sequence[str]) -> dict[str, Any]:
    """Return what is told of an image that is not as offline."""
    return {"frame": line["frame"], "stamp_ns": stamp, "what": list(what)}


def _by_stamp(results: Path) -> dict[int, Mapping[str, Any]]:
    """Return the perceived lines by their stamp; without those whose stamp is not theirs alone."""
    lines: dict[int, Mapping[str, Any]] = {}
    twice: set[int] = {0}
    with results.open() as file:
        next(file)
        for number, text in enumerate(file, start=2):
            line = parse_json(text, f"{results}, line {number},")
            if line["stamp_ns"] in lines:
                twice.add(line["stamp_ns"])
            if "skipped" not in line:
                lines[line["stamp_ns"]] = line
    return {stamp: line for stamp, line in lines.items() if stamp not in twice}


def _differences(line: Mapping[str, Any], found: AnsweredImage, input_size: Size) -> list[str]:
    """Name what is not as the offline replay says."""
    answers = found.perception.answers
    crop = default_crop(found.perception.image_size, input_size)
    rooms = tasks.parts("record", answers)
    return [
        what for task, room in rooms.items() for what in room.different(line, answers[task], crop)
    ]
