# SPDX-License-Identifier: Apache-2.0
"""Unlabelled pictures as the network sees them, and pairs of frames of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.continual.supervision.config import SupervisionConfig
from shared_encoder_perception.continual.supervision.flow import flow_between
from shared_encoder_perception.images.frames import Frame, Source, tell
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.mixture import shuffled


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a step looks at, N pictures.

    Attributes:
        now: uint8 (N, H, W, 3) BGR.
        before: Likewise, some frames earlier; empty where no pairs are asked for.
        field: float32 (N, H, W, 2), as of ``flow.Flow``; empty likewise.
        agreed: bool (N, H, W), likewise.
    """

    now: NDArray[np.uint8]
    before: NDArray[np.uint8]
    field: NDArray[np.float32]
    agreed: NDArray[np.bool_]


class UnlabelledFrames:
    """Pictures of some paths, read once and kept in a file that goes with the process.

    Attributes:
        told: What was read of each path, for the record.
    """

    def __init__(self, paths: Sequence[str], size: Size, settings: SupervisionConfig) -> None:
        """Read them, and find the flow of pairs.

        Args:
            paths: Videos, folders of frames in their order, bags, native sets.
            size: ``(height, width)`` of pictures.
            settings: How many of which.

        Raises:
            ValueError: Nothing can be read, or pairs are wanted and there are none.
        """
        self._paired = settings.paired
        lag = settings.step_frames if settings.paired else 0
        kinds: tuple[tuple[Any, tuple[int, ...]], ...] = (
            (np.uint8, (*size, 3)),
            (np.uint8, (*size, 3)),
            (np.float16, (*size, 2)),
            (np.bool_, size),
        )
        self._kept = [_Kept(*kind) for kind in kinds[: 4 if self._paired else 1]]
        self.told: list[dict[str, str | int]] = []
        for path in paths:
            before, usable = len(self), 0
            for pair in _pairs(open_source(Path(path)), size, lag, settings.frames):
                usable += self._keep(*pair)
            found: dict[str, str | int] = {"path": path, "frames": len(self) - before}
            self.told.append({**found, "pairs": usable} if self._paired else found)
        if not len(self) or (self._paired and not any(one["pairs"] for one in self.told)):
            raise ValueError(
                f"{', '.join(paths)}: no two frames, {lag} apart, show the same things: expected "
                "videos, bags, or folders of frames in their order; or set supervision.temporal "
                "and supervision.depth to 0"
            )

    def __len__(self) -> int:
        """Return the number of pictures, or pairs."""
        return self._kept[0].count

    def draw(self, seed: tuple[int, ...], first: int, count: int) -> Drawn:
        """Return what is seen from a position on; each is seen once before any is seen twice.

        Args:
            seed: Decides the order.
            first: Position, counted in pictures from the task's beginning.
            count: How many.
        """
        numbers = []
        for position in range(first, first + count):
            turn, place = divmod(position, len(self))
            numbers.append(int(shuffled((*seed, turn), len(self))[place]))
        columns = [np.stack([kept[number] for number in numbers]) for kept in self._kept]
        if not self._paired:
            empty = columns[0][:0]
            columns += [empty, empty[..., :2], empty[..., 0].astype(np.bool_)]
        now, before, field, agreed = columns
        return Drawn(now, before, field.astype(np.float32), agreed)

    def close(self) -> None:
        """Forget them."""
        for kept in self._kept:
            kept.close()

    def _keep(self, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> bool:
        """Keep a pair; return whether both show the same."""
        if not self._paired:
            self._kept[0].add(now)
            return False
        field, agreed = flow_between(before, now)
        arrays: tuple[NDArray, ...] = (now, before, field, agreed)
        for kept, array in zip(self._kept, arrays, strict=True):
            kept.add(array)
        return bool(agreed.any())


class _Kept:
    """Arrays of one shape, in a file without a name."""

    def __init__(self, dtype: Any, shape: tuple[int, ...]) -> None:
        """Begin with none."""
        self._file = TemporaryFile()  # noqa: SIM115  # removed with these arrays, at the latest
        self._remove = finalize(self, self._file.close)
        self._dtype, self._shape = np.dtype(dtype), shape
        self._bytes = self._dtype.itemsize * int(np.prod(shape))
        self.count = 0

    def add(self, array: NDArray) -> None:
        """Add one."""
        self._file.seek(self.count * self._bytes)
        self._file.write(np.ascontiguousarray(array, self._dtype).tobytes())
        self.count += 1

    def __getitem__(self, number: int) -> NDArray:
        """Read one."""
        self._file.seek(number * self._bytes)
        return np.frombuffer(self._file.read(self._bytes), self._dtype).reshape(self._shape)

    def close(self) -> None:
        """Remove the file."""
        self._remove()


def _pairs(
    source: Source, size: Size, lag: int, most: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield pictures ``lag`` frames apart, at most ``most``, spread evenly over the source.

    Where the source does not know how many there are, the first ones. What cannot be read is told.
    """
    total = max(len(source) - lag, 0)
    wanted = {index * total // most for index in range(most)} if total > most else None
    waiting: dict[int, NDArray[np.uint8]] = {}
    given = 0
    for index, frame in enumerate(source):
        picture = None
        if wanted is None or index in wanted:
            waiting[index] = picture = _seen(frame, size)
        if (before := waiting.pop(index - lag, None)) is not None:
            yield before, _seen(frame, size) if picture is None else picture
            given += 1
        if given == most:
            break
    tell(source.problems)


def _seen(frame: Frame, size: Size) -> NDArray[np.uint8]:
    """Return a picture as the network sees it."""
    height, width = frame.image.shape[:2]
    return ImageTransform.fit((height, width), size, frame.crop).image_to_input(frame.image)
