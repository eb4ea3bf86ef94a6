# SPDX-License-Identifier: Apache-2.0
"""``dataset split``: one native set -> ``train`` and ``test``, whole stretches of drives apart.

Neighbouring frames of a drive look alike: who trains on one and tests on the next tests what was
learned by heart. So what is held out is contiguous, and on both sides of it frames are left out of
both sets; or whole drives are held out, where a set has many short ones.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.images.listing import counting
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.progress import shown

HELP: Final = "make a set to train on and one to test on, whole stretches of drives apart"
TRAIN, TEST, LEFT_OUT = "train", "test", "left out"
"""Where a frame goes; the first two are folders of ``--out``."""
MOST_SHOWN: Final = 12
"""Drives whose counts are printed one by one."""


@dataclass(frozen=True)
class Stretches:
    """How much is held out, and how.

    Attributes:
        share: Of the frames, 0 to 1, that is tested on.
        gap: Frames on each side of a block that go into neither set.
        blocks: Into how many stretches each drive is cut; the end of each is held out.
        whole: Hold out whole drives instead: every so many, so that it is ``share`` of the frames.
    """

    share: float = 0.2
    gap: int = 5
    blocks: int = 1
    whole: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: A number out of range.
        """
        if not 0 < self.share < 1:
            raise ValueError(f"--hold-out is {self.share:g}, expected more than 0 and less than 1")
        if self.gap < 0 or self.blocks < 1:
            raise ValueError(
                f"--gap is {self.gap}, --blocks {self.blocks}; expected 0 or more, and 1 or more"
            )

    def of_drive(self, count: int) -> list[str]:
        """Return where each of the frames of one drive goes; of too few frames none is tested on.

        Args:
            count: Of its frames.
        """
        tested: set[int] = set()
        for number in range(self.blocks):
            start, end = (round(count * at / self.blocks) for at in (number, number + 1))
            tested.update(range(end - round(self.share * (end - start)), end))
        near = {at + off for at in tested for off in range(-self.gap, self.gap + 1)}
        return [TEST if at in tested else LEFT_OUT if at in near else TRAIN for at in range(count)]

    def of_drives(self, counts: Sequence[int]) -> list[str]:
        """Return where each of some whole drives goes.

        Args:
            counts: Of the frames of each.
        """
        where, seen, held = [], 0, 0
        for count in counts:
            seen += count
            is_held = held + count / 2 <= self.share * seen
            held += count if is_held else 0
            where.append(TEST if is_held else TRAIN)
        return where


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``split``."""
    add.add_argument("path", type=Path, help="a set's folder, or its frames.jsonl")
    add.add_argument(
        "--out", type=Path, required=True, help=f"folder of the new sets {TRAIN} and {TEST}"
    )
    add.add_argument(
        "--hold-out", type=float, default=0.2, metavar="SHARE", help="share that is tested on (0.2)"
    )
    add.add_argument(
        "--gap", type=int, default=5, help="frames beside a block that go into neither set (5)"
    )
    add.add_argument(
        "--blocks", type=int, default=1, help="blocks of each drive, spread over it (1)"
    )
    add.add_argument(
        "--whole-drives",
        action="store_true",
        help="hold out whole drives, where there are many short ones",
    )
    add.add_argument("--drives", nargs="+", metavar="DRIVE", help="only these drives (all)")
    add.add_argument(
        "--drive-of",
        metavar="PATTERN",
        help="regular expression at the beginning of a picture's file name, whose first group "
        "names its drive (default: the folder of the picture is its drive)",
    )


def run(args: argparse.Namespace) -> int:
    """Write both sets, and say what went where."""
    stretches = Stretches(args.hold_out, args.gap, args.blocks, args.whole_drives)
    counts = split(args.path, args.out, stretches, args.drives, args.drive_of)
    drives = list(counts)
    shown = drives if len(drives) <= MOST_SHOWN else []
    for drive in shown:
        print(f"{printable(drive)}: {_words(counts[drive])}")
    what = "drive" if len(drives) == 1 else "drives"
    print(f"{len(drives)} {what}: {_words(sum(counts.values(), Counter()))}")
    print(f"sets: {args.out / TRAIN}, {args.out / TEST}")
    return 0


def split(
    path: Path,
    out: Path,
    stretches: Stretches,
    drives: Sequence[str] | None = None,
    pattern: str | None = None,
) -> dict[str, Counter[str]]:
    """Write two sets of one.

    Args:
        path: The set.
        out: Folder of the new ones, ``train`` and ``test``.
        stretches: What is held out.
        drives: Only these; ``None`` for all.
        pattern: Of a file's name, whose first group names the drive; ``None``: its folder does.

    Returns:
        Number of frames for ``TRAIN``, ``TEST`` and ``LEFT_OUT``, by the drive's name.

    Raises:
        ValueError: A drive that there is not or that is too short, or a name without a drive.
        LabelError: A faulty line.
        FileExistsError: There is a set in one of the folders.
    """
    found: dict[str, list[str]] = {}
    for name, drive in _named(path, pattern):
        found.setdefault(drive, []).append(name)
    for asked in drives or ():
        if asked not in found:
            raise ValueError(f"--drives: {path} has no drive {asked!r}{suggestion(asked, found)}")
    names = {
        drive: sorted(found[drive], key=lambda name: counting(Path(name)))
        for drive in sorted(found, key=lambda drive: counting(Path(drive)))
        if drives is None or drive in drives
    }
    goes = _placed(names, stretches)
    counts: dict[str, Counter[str]] = {drive: Counter() for drive in names}
    with native.Writer(out / TRAIN, path) as train, native.Writer(out / TEST, path) as test:
        writers = {TRAIN: train, TEST: test}
        for frame in shown(native.read(path), leave=False):
            drive = drive_of(frame.name, pattern)
            if drive not in names:
                continue
            where = goes[frame.name]
            counts[drive][where] += 1
            if where in writers:
                writers[where].write(frame)
    return counts


def drive_of(name: str, pattern: str | None) -> str:
    """Return the name of a picture's drive.

    Args:
        name: Of the picture, in its set.
        pattern: As of ``split``.

    Raises:
        ValueError: The pattern is none, or has nothing to say of the name.
    """
    if pattern is None:
        return Path(name).parent.name
    try:
        match = re.match(pattern, Path(name).name)
        drive = match and match.group(1)
    except (re.error, IndexError) as error:
        raise ValueError(
            f"--drive-of is {pattern!r}, expected a regular expression with a group: {error}"
        ) from None
    if not drive:
        raise ValueError(f"--drive-of {pattern!r} names no drive in {Path(name).name!r}")
    return drive


def _named(path: Path, pattern: str | None) -> Iterator[tuple[str, str]]:
    """Yield each frame's name and drive."""
    for frame in native.read(path):
        yield frame.name, drive_of(frame.name, pattern)


def _placed(names: dict[str, list[str]], stretches: Stretches) -> dict[str, str]:
    """Return where each frame goes, by its name.

    Raises:
        ValueError: Nothing would be left to train on, or to test on: of a drive, or of all.
    """
    if stretches.whole:
        kinds = stretches.of_drives([len(frames) for frames in names.values()])
        placed = {
            name: kind
            for frames, kind in zip(names.values(), kinds, strict=True)
            for name in frames
        }
        _check(placed.values(), f"{len(names)} drives", "take another --hold-out")
        return placed
    placed = {}
    for drive, frames in names.items():
        kinds = stretches.of_drive(len(frames))
        what = f"the drive {drive!r} of {len(frames)} frames"
        _check(kinds, what, "take fewer --blocks, a smaller --gap, or --whole-drives")
        placed |= dict(zip(frames, kinds, strict=True))
    return placed


def _check(kinds: Collection[str], what: str, remedy: str) -> None:
    """Refuse a split one of whose sides is empty."""
    for side in (TRAIN, TEST):
        if side not in kinds:
            raise ValueError(f"{what}: nothing would be left for {side}; {remedy}")


def _words(counts: Counter[str]) -> str:
    """Say how many frames went where."""
    return ", ".join(f"{counts[where]} {where}" for where in (TRAIN, TEST, LEFT_OUT))
