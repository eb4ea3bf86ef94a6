# SPDX-License-Identifier: Apache-2.0
"""Labelled moments of rigs to score on: a set (``rigs.jsonl``), or rendered drives.

What a set holds is counted before anything is scored: a line that cannot be read, a picture that is
missing or a set without any label ends the work before it begins, not in its last minute.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tqdm import tqdm

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.labels.rigs import render
from shared_encoder_perception.labels.rigs.native import RigSet, is_rig_set
from shared_encoder_perception.labels.rigs.record import RigRecord, nothing, record_of
from shared_encoder_perception.labels.rigs.writer import PNG, RigWriter
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.synthetic import VALIDATION_SEED

KINDS: Final = (render.RANDOM, render.FOUR)
"""Rigs that have a name; all others are a ``rig.yaml``."""
UNNAMED: Final = "rigs"
"""Source of moments that name none."""
LABELS: Final = ("objects", "drivable")
"""What may be known of the ground, and scored."""
IN_VIEW: Final = "plain view"
"""What may be known beside it, which splits scores."""


@dataclass(frozen=True, eq=False)
class LabelledRigs:
    """What is scored.

    Attributes:
        records: The moments, any of which can be read at any time.
        conditions: What the set is, in words that are the same on every machine.
        counts: Source -> moments.
        labelled: Each of ``LABELS``, and ``IN_VIEW`` -> moments of which it is known.
        cameras: Names of all cameras.
    """

    records: RigSet
    conditions: Mapping[str, str]
    counts: Mapping[str, int]
    labelled: Mapping[str, int]
    cameras: Collection[str]

    @property
    def first(self) -> Rig:
        """The rig of the first moment."""
        return self.records[0].rig


def open_rigs(path: Path) -> LabelledRigs:
    """Open a set of labelled rigs.

    Args:
        path: Its folder, or its ``rigs.jsonl``.

    Raises:
        ValueError: No such set, a line that is faulty, a picture that is missing, a moment without
            any, or nothing to score against; with the file, and the line where there is one.
        FileNotFoundError: There is nothing.
    """
    if path.exists() and not path.is_dir() and not is_rig_set(path):
        raise ValueError(
            f"--rigs is {path}, expected a folder with a rigs.jsonl, or that file; pictures of "
            "single cameras are scored by --labels"
        )
    records = RigSet(path)
    counts: Counter[str] = Counter()
    labelled = dict.fromkeys((*LABELS, IN_VIEW), 0)
    sizes: set[int] = set()
    names: dict[str, None] = {}
    for record in records:
        _check_pictures(record)
        counts[source_of(record)] += 1
        sizes.add(len(record.rig.cameras))
        names |= dict.fromkeys(record.rig.names)
        known = {
            "objects": record.objects is not None,
            "drivable": record.drivable is not nothing,
            IN_VIEW: record.in_view is not nothing,
        }
        for name, is_known in known.items():
            labelled[name] += is_known
    total = counts.total()
    if not any(labelled[name] for name in LABELS):
        what = "has no moments" if not total else f"has {total} moments and no label"
        raise ValueError(f"{records.path} {what} to score against: {' or '.join(LABELS)}")
    told = {name: count for name, count in labelled.items() if count or name in LABELS}
    words = ", ".join(f"{name} in {count}" for name, count in told.items())
    conditions = {
        "data": f"{records.path.name}, sha256 {_digest(records.path)}",
        "labelled": f"{words} of {total} moments",
        "cameras": _span(sizes),
    }
    return LabelledRigs(records, conditions, dict(sorted(counts.items())), labelled, tuple(names))


def render_rigs(
    count: int, folder: Path, kind: str = render.RANDOM, traffic: float | None = None
) -> LabelledRigs:
    """Render moments that no training set holds, the same ones for every model, and open them.

    Args:
        count: At least 1.
        folder: Where they are put; it must be empty.
        kind: One of ``KINDS``, or the path of a ``rig.yaml``.
        traffic: Chance that somebody is near by; ``None``: as the dice fall.

    Raises:
        ValueError: There is to be no moment, what is no chance, or no such rig.
    """
    if count < 1:
        raise ValueError(f"--synthetic-rigs is {count}, expected 1 or more")
    if traffic is not None and not 0 <= traffic <= 1:
        raise ValueError(f"--traffic is {traffic:g}, expected 0 to 1")
    rig, options = _rig_of(kind), render.Options(kind, render.SIZE, PNG, traffic)
    with RigWriter(folder) as writer:
        seeds = range(VALIDATION_SEED, VALIDATION_SEED + count)
        for seed in tqdm(seeds, unit="moment", desc="rendering", leave=False):
            frame, pictures = render.make(seed, rig, options)
            writer.write(record_of(frame, render.SOURCE), pictures)
    found = open_rigs(folder)
    told = kind if kind in KINDS else "given"
    busy = "" if traffic is None else f", somebody near by in {traffic:.0%}"
    data = f"{count} rendered moments of {told} rigs, seeds from {VALIDATION_SEED}{busy}"
    conditions = {**found.conditions, "data": data}
    return LabelledRigs(found.records, conditions, found.counts, found.labelled, found.cameras)


def source_of(record: RigRecord) -> str:
    """Return the name of the group that a moment counts for."""
    return record.source or UNNAMED


def _rig_of(kind: str) -> Rig | None:
    """Return the cameras; ``None`` for new ones at each moment."""
    if kind == render.RANDOM:
        return None
    if kind == render.FOUR:
        return four_cameras(render.SIZE)
    path = Path(kind)
    if not path.exists():
        raise ValueError(f"--rig is {kind!r}, expected {' or '.join(KINDS)}, or a rig.yaml")
    return read_rig(plain(path)).rig()


def _check_pictures(record: RigRecord) -> None:
    """Refuse a moment that cannot be shown to a model."""
    if not record.pictures:
        raise ValueError(
            f"{record.where}: no camera ({', '.join(record.rig.names)}) has a picture: give each "
            "that took one its image"
        )
    for camera, path in record.pictures.items():
        if not path.is_file():
            raise ValueError(f"{record.where}: camera {camera}: there is no picture {path}")


def _span(sizes: Collection[int]) -> str:
    """Say how many cameras rigs have."""
    low, high = min(sizes), max(sizes)
    return f"{low}" if low == high else f"{low} to {high}"


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with plain(path).open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
