# SPDX-License-Identifier: Apache-2.0
"""Every fault of a set of labelled rigs, with its line; and what is fine, but worth telling."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.label_io import image_size
from shared_encoder_perception.labels.rigs.cameras import camera_line
from shared_encoder_perception.labels.rigs.lines import parse_line
from shared_encoder_perception.labels.rigs.native import rigs_file
from shared_encoder_perception.labels.rigs.projected import box_px, overlap
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.faults import object_faults, rig_faults
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NOT_KNOWN, GroundMap
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.tasks.label_files import LabelError

MOST_APART_S: Final = 0.1
"""Between the first and the last exposure of a moment: at 50 km/h, 1.4 m."""
FEWEST_DRAWN: Final = 3
"""Boxes drawn in pictures that are enough to judge by."""
MOST_UNSEEN: Final = 0.1
"""Share of the cells said to be in plain view, or hidden, that may be in no picture."""
GRID: Final = BevGrid(-50.0, -50.0, 100, 100, 1.0)
"""Of which each camera should see something."""


class RigCheck:
    """Checks a set line by line; memory grows with the number of calibrations only.

    Attributes:
        told: What is no fault, and how often.
    """

    def __init__(self, path: Path, *, pictures: bool = True) -> None:
        """Check the set in a folder, or its ``rigs.jsonl``.

        Args:
            path: The folder or the file.
            pictures: Look at pictures and maps, too.
        """
        self._path, self._pictures = rigs_file(path), pictures
        self.told: Counter[str] = Counter()
        self._calibrations: dict[tuple[str, ...], set[str]] = defaultdict(set)

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each line, from 1, and what is wrong with it."""
        with self._path.open("rb") as lines, DiskIndex() as names, DiskIndex() as files:
            for number, text in enumerate(lines, start=1):
                try:
                    record = parse_line(text, self._path, number)
                except LabelError as error:
                    yield number, [str(error).removeprefix(f"{self._path}, line {number}: ")]
                    continue
                faults = list(_twice(record, names, files, number))
                faults += self._rig(record.rig)
                faults += self._objects(record)
                faults += _stamps(record)
                if self._pictures:
                    faults += _files(record)
                silent = [name for name in record.rig.names if name not in record.pictures]
                if silent:
                    self.told["lines in which a camera has no picture"] += 1
                yield number, faults

    def notes(self) -> Iterator[str]:
        """Yield what is no fault, in words, after all lines."""
        for text, count in self.told.most_common():
            yield f"{text}: {count}"
        for names, found in sorted(self._calibrations.items()):
            if len(found) > 1:
                yield f"{len(found)} calibrations of the cameras {', '.join(names)}"

    def _rig(self, rig: Rig) -> Iterator[str]:
        """Check a rig; one that was seen before is as it was."""
        lines = [json.dumps(camera_line(camera)) for camera in rig.cameras]
        masks = [b"" if one.own is None else one.own.tobytes() for one in rig.cameras]
        key = sha256("\n".join(lines).encode() + b"".join(masks)).hexdigest()
        known = self._calibrations[rig.names]
        if key in known:
            return
        known.add(key)
        for fault in rig_faults(rig, GRID):
            if fault.grave:
                yield fault.text
            else:
                self.told[fault.text] += 1

    def _objects(self, record: RigRecord) -> Iterator[str]:
        """Check whether objects are where the pictures show them."""
        objects = record.objects or ()
        visible = [box for box in objects if box.visible != 0]
        drawn = {
            name: [np.array(boxes[name]) for boxes in record.boxes_px if name in boxes]
            for name in record.rig.names
        }
        drawn = {name: boxes for name, boxes in drawn.items() if boxes}
        for fault in object_faults(record.rig, visible, drawn):
            if fault.grave:
                yield fault.text
            else:
                self.told["objects in no picture, not said to be hidden"] += 1
        if hidden := len(objects) - len(visible):
            self.told["objects that no camera sees"] += hidden
        yield from _elsewhere(record)


def _elsewhere(record: RigRecord) -> Iterator[str]:
    """Say of which cameras most boxes that were drawn lie apart from the objects they are of."""
    for camera in record.rig.cameras:
        found = []
        for box, boxes in zip(record.objects or (), record.boxes_px, strict=False):
            if camera.name in boxes:
                seen = box_px(camera, box)
                found.append(0.0 if seen is None else overlap(seen, boxes[camera.name]))
        apart = sum(one == 0.0 for one in found)
        if len(found) >= FEWEST_DRAWN and 2 * apart > len(found):
            yield (
                f"camera {camera.name}: {apart} of {len(found)} boxes in its picture do not touch "
                "the objects they are of: is it the pose, or the frame of the objects?"
            )


def _twice(record: RigRecord, names: DiskIndex, files: DiskIndex, number: int) -> Iterator[str]:
    """Say what is there already: a name, a picture."""
    if (before := names.add(record.name, number)) is not None:
        yield f"the name {record.name!r} is also in line {before}"
    for camera, path in record.pictures.items():
        if (before := files.add(str(path), number)) is not None:
            where = "of another camera" if before == number else f"in line {before}"
            yield f"camera {camera}: its picture {path.name!r} is also {where}"


def _stamps(record: RigRecord) -> Iterator[str]:
    """Say which cameras were exposed too far apart."""
    order: Sequence[tuple[float, str]] = sorted((s, name) for name, s in record.stamps_s.items())
    if len(order) < 2 or order[-1][0] - order[0][0] <= MOST_APART_S:
        return
    (_, before), (_, after) = max(pairwise(order), key=lambda pair: pair[1][0] - pair[0][0])
    yield (
        f"the stamps of its cameras are {order[-1][0] - order[0][0]:.3g} s apart, expected at most "
        f"{MOST_APART_S:g}; the widest gap is between {before} and {after}"
    )


def _files(record: RigRecord) -> Iterator[str]:
    """Say which pictures and maps are missing, unreadable or of another size."""
    for camera, path in record.pictures.items():
        height, width = record.rig[camera].image_size
        try:
            found = image_size(path)
        except LabelError as error:
            yield f"camera {camera}: {error}"
            continue
        if found != (height, width):
            yield f"camera {camera}: {path} is {found[1]}x{found[0]}, size says {width}x{height}"
    try:
        record.drivable()
    except ValueError as error:
        yield str(error)
    try:
        area = record.in_view()
    except ValueError as error:
        yield str(error)
    else:
        if area is not None:
            yield from _unseen(record.rig, area)


def _unseen(rig: Rig, in_view: GroundMap) -> Iterator[str]:
    """Say when a map tells of cells at which no camera looks: it is turned, or of another rig."""
    told = in_view.grid.centres()[in_view.values != NOT_KNOWN]
    points = np.concatenate((told, np.zeros((len(told), 1))), axis=1)
    seen = np.zeros(len(points), np.bool_)
    for camera in rig.cameras:
        seen |= ~np.isnan(camera.see(points)[:, 0])
    if len(seen) and (share := 1 - seen.mean()) > MOST_UNSEEN:
        yield (
            f"in_view tells of cells of which {share:.0%} are in no picture: are its rows along x, "
            "or from left to right?"
        )
