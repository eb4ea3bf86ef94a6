# SPDX-License-Identifier: Apache-2.0
"""The moments of a set of labelled rigs, as a source of pictures; labels are not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared_encoder_perception.images.frames import SourceError
from shared_encoder_perception.labels.rigs.native import RigSet
from shared_encoder_perception.rig.moments import RigMoment, RigSource, read_moment
from shared_encoder_perception.rig.rig_file import RigFile


class SetMoments(RigSource):
    """The moments that a ``rigs.jsonl`` lists, each with its own calibration."""

    def __init__(self, path: Path, rig_file: RigFile | None = None) -> None:
        """Count the lines; they are parsed as they are read.

        Raises:
            SourceError: There is none.
            LabelError: The first one cannot be read.
        """
        self._set = RigSet(path)
        if not len(self._set):
            raise SourceError(f"{self._set.path} is empty: expected one JSON object per line")
        self._given = None if rig_file is None else rig_file.rig()
        super().__init__(path, self._given or self._set[0].rig)
        if self._given:
            self.notes.append(f"note: the calibration is that of --rig, not that in {path}")

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._set)

    def _read(self) -> Iterator[RigMoment | str]:
        """Read the pictures of each line."""
        folder = self._set.path.parent
        for record in self._set:
            called = {
                name: path.relative_to(folder).as_posix() for name, path in record.pictures.items()
            }
            rig = self._given or record.rig
            if unknown := [name for name in called if name not in rig.names]:
                raise ValueError(
                    f"{record.where}: the rig has no camera {unknown[0]!r}, only "
                    f"{', '.join(rig.names)}"
                )
            yield from read_moment(record.name, rig, record.pictures, called)
