# SPDX-License-Identifier: Apache-2.0
"""Moments of a drive for a ``rig.yaml``: out of a folder, a rosbag2, or a ``rigs.jsonl``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.listing import beside, counting, pictures_in
from shared_encoder_perception.images.sources import SourceError, read_image
from shared_encoder_perception.labels.rigs.native import RigSet, is_rig_set, read_records
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.check import Watch, unwatched
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.rig.table import sight_key

NEAR_S: Final = 0.05
"""Stamps of one moment are no further apart, if a bag has such."""
FAR_S: Final = 0.5
"""Further than this from the first camera's, an image is of another moment in any case."""
TRIED: Final = 50
"""Moments of a bag that are looked at for one whose cameras are all there and near in time."""
MOST_LINES: Final = 2000
"""Lines of a ``rigs.jsonl`` among which moments with the first one's calibration are sought."""


class Moments(NamedTuple):
    """What is looked at.

    Attributes:
        frames: Moments with one calibration, at least one.
        notes: What people may not expect, one line each.
    """

    frames: tuple[RigFrame, ...]
    notes: list[str]


def read_moments(
    rig: RigFile | None,
    path: Path,
    count: int = 1,
    frame: str | None = None,
    at_s: float = 0.0,
    watch: Watch = unwatched,
) -> Moments:
    """Read moments of what a rig saw, spread evenly over it.

    Args:
        rig: From ``rig.yaml``; ``None`` for that of a ``rigs.jsonl``, which has its own.
        path: A folder with a picture, or a folder of pictures, by each camera's name; a rosbag2;
            or a ``rigs.jsonl``, or the folder of one.
        count: How many; fewer where there are not as many.
        frame: Only one: a line's name in a ``rigs.jsonl``, or the name, without its ending, that
            the pictures in cameras' folders have.
        at_s: Where in a bag they begin, seconds after its first image.
        watch: Shows progress.

    Raises:
        ValueError: It cannot be read, or does not belong to the rig; the message names the camera.
        OSError: See there.
    """
    if not path.exists():
        raise SourceError(
            f"there is no {path}: give a folder with a picture for each camera, a rosbag2 or a "
            "rigs.jsonl"
        )
    if is_rig_set(path):
        return _of_set(rig, path, count, frame, watch)
    if rig is None:
        raise SourceError(f"{path} has no calibration: give the rig.yaml of its cameras, too")
    if is_bag(path):
        if frame is not None:
            raise SourceError(f"--frame is for folders and rigs.jsonl; in the bag {path} use --at")
        return _alike(_of_bag(rig, path, count, at_s, watch), "--at S begins later")
    return _of_folder(rig, path, count, frame, watch)


def spread(length: int, count: int) -> list[int]:
    """Return ``count`` numbers below ``length``, evenly spread, from 0 on; fewer if it is less."""
    count = min(count, length)
    return [length * index // count for index in range(count)]


def _alike(frames: Sequence[RigFrame], otherwise: str) -> Moments:
    """Keep the moments that have the first one's calibration."""
    keys = [_calibration(frame.rig) for frame in frames]
    kept = tuple(one for one, key in zip(frames, keys, strict=True) if key == keys[0])
    if (left := len(frames) - len(kept)) == 0:
        return Moments(kept, [])
    note = f"note: {left} of {len(frames)} moments have another calibration than the first, and "
    return Moments(kept, [f"{note}are not looked at: {otherwise}"])


def _calibration(rig: Rig) -> bytes:
    """Return what two rigs have alike that are calibrated alike."""
    return sight_key(rig, BevGrid(), rig.cameras[0].image_size)


def _of_set(rig: RigFile | None, path: Path, count: int, name: str | None, watch: Watch) -> Moments:
    """Read lines of a ``rigs.jsonl``."""
    notes = []
    if name is not None:
        records = [_named(path, name)]
    elif rig is not None:
        lines = RigSet(path)
        records = [lines[index] for index in spread(len(lines), count)]
    else:
        records, is_all = _of_one_rig(path, count)
        if not is_all:
            notes = [
                "note: these are moments of the lines at the beginning that have one calibration; "
                "--frame NAME looks at another one"
            ]
    if not records:
        raise SourceError(f"{path} has no line")
    frames = [record.frame() for record in watch(records, "moments read")]
    if rig is None:
        return Moments(tuple(frames), notes)
    for frame in frames:
        if strange := sorted(set(frame.images) - set(rig.names)):
            raise SourceError(
                f"{path} has pictures of camera {strange[0]!r}, which the rig.yaml does not have"
                f"{suggestion(strange[0], rig.names)}"
            )
    calibrated = _calibrated(rig, _sizes(frames))
    return Moments(tuple(replace(frame, rig=calibrated) for frame in frames), notes)


def _named(path: Path, name: str) -> RigRecord:
    """Return a line by its name."""
    names = []
    for record in read_records(path):
        if record.name == name:
            return record
        names.append(record.name)
    hint = suggestion(name, names[:1000]) if names else ""
    raise SourceError(f"{path} has no line named {name!r}{hint}")


def _of_one_rig(path: Path, count: int) -> tuple[list[RigRecord], bool]:
    """Return lines with one calibration, and whether that is the set's only one."""
    if count == 1:
        return list(islice(read_records(path), 1)), True
    found: list[RigRecord] = []
    for record in islice(read_records(path), MOST_LINES):
        if found and _calibration(record.rig) != _calibration(found[0].rig):
            return [found[index] for index in spread(len(found), count)], False
        found.append(record)
    return [found[index] for index in spread(len(found), count)], len(found) < MOST_LINES


def _of_folder(rig: RigFile, folder: Path, count: int, frame: str | None, watch: Watch) -> Moments:
    """Read ``front.png``, or ``front/*.png``, for each camera: the n-th of each belong together."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder, no rosbag2 and no rigs.jsonl")
    files: dict[str, list[Path]] = {}
    for name in rig.names:
        inside = folder / name
        found = list(beside(inside))[:1]
        if inside.is_dir() and not found:
            found = sorted(pictures_in(inside), key=lambda path: counting(Path(path.name)))
            found = [path for path in found if frame in (None, path.stem)]
        if found:
            files[name] = found
    if not files:
        which = f" named {frame!r}" if frame else ""
        raise SourceError(
            f"{folder} has no picture{which} of any camera of the rig: expected {rig.names[0]}.png "
            f"or {rig.names[0]}/..., and so on for {', '.join(rig.names)}"
        )
    notes = []
    lengths = {name: len(found) for name, found in files.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} {length}" for name, length in lengths.items())
        notes = [
            f"note: cameras have different numbers of pictures ({counts}), so which belong "
            "together is not known: the first of each are looked at"
        ]
        count = 1
    taken = watch(spread(min(lengths.values()), count), "moments read")
    moments = [{name: read_image(found[at]) for name, found in files.items()} for at in taken]
    sizes = {name: picture.shape[:2] for name, picture in moments[0].items()}
    calibrated = _calibrated(rig, sizes)
    return Moments(tuple(RigFrame(str(folder), calibrated, one) for one in moments), notes)


def _sizes(frames: Sequence[RigFrame]) -> dict[str, Any]:
    """Return the sizes of each camera's first picture."""
    found: dict[str, Any] = {}
    for frame in frames:
        for name, picture in frame.images.items():
            found.setdefault(name, picture.shape[:2])
    return found


def _calibrated(rig: RigFile, sizes: Mapping[str, Any]) -> Rig:
    """Build the rig from its file alone."""
    for entry in rig.entries:
        if entry.intrinsics is None or entry.pose is None:
            what = "CameraInfo" if entry.intrinsics is None else "TF"
            raise SourceError(
                f"camera {entry.name}: its calibration comes from {what}, which only a bag has: "
                "write intrinsics and pose into the rig.yaml"
            )
    return rig.rig(sizes=sizes)


def _of_bag(rig: RigFile, path: Path, count: int, at_s: float, watch: Watch) -> list[RigFrame]:
    """Read moments of which all cameras have an image, near in time; else less."""
    near = _spread_over(BagMoments(path, rig, NEAR_S), count, at_s, watch)
    if _shown(near) < len(near) * len(rig.names) or not near:
        far = _spread_over(BagMoments(path, rig, FAR_S), count, at_s, watch)
        near = far if _shown(far) > _shown(near) else near
    if not near:
        raise SourceError(f"{path} has no image of camera {rig.names[0]} after {at_s:g} s")
    return [replace(frame, name=f"{path}, {frame.name}") for frame in near]


def _shown(frames: Sequence[RigFrame]) -> int:
    """Return how many pictures there are."""
    return sum(len(frame.images) for frame in frames)


def _spread_over(source: BagMoments, count: int, at_s: float, watch: Watch) -> list[RigFrame]:
    """Cut a bag into as many parts, and return of each the first moment with the most pictures."""
    parts = _Parts(len(source), count, at_s)
    best: dict[int, RigFrame] = {}
    moments: Iterator[Any] = iter(watch(source.only(parts.wants), "moments read"))
    for moment in moments:
        part, frame = parts.part, moment.frame
        if part not in best or len(frame.images) > len(best[part].images):
            best[part] = frame
        if len(frame.images) == len(frame.rig.cameras):
            parts.left = 0
        if parts.are_done:
            break
    tell(source.problems)
    return [best[part] for part in sorted(best)]


class _Parts:
    """Which moments of a bag are looked at.

    Attributes:
        part: The number of that which was wanted last.
        left: How many more of its part are looked at.
    """

    def __init__(self, length: int, count: int, at_s: float) -> None:
        """Begin; ``length`` moments are expected in all."""
        self._length, self._count, self._at_s = length, count, at_s
        self._begun_s, self._first, self._starts = -1.0, 0, list[int]()
        self.part, self.left = -1, 0

    def wants(self, number: int, stamp_s: float) -> bool:
        """Whether to look at a moment."""
        self._begun_s = stamp_s if self._begun_s < 0 else min(self._begun_s, stamp_s)
        if not self._starts:
            if stamp_s < self._begun_s + self._at_s:
                return False
            rest = max(self._length - number, 1)
            self._starts = [number + start for start in spread(rest, self._count)]
        if self.part + 1 < len(self._starts) and number >= self._starts[self.part + 1]:
            self.part, self.left = self.part + 1, TRIED
        self.left -= 1
        return self.left >= 0

    @property
    def are_done(self) -> bool:
        """Whether nothing more is wanted."""
        return bool(self._starts) and self.part + 1 == len(self._starts) and self.left <= 0
