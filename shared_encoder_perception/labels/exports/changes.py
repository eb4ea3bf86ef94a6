# SPDX-License-Identifier: Apache-2.0
"""What people changed: a corrected set held against the one that it was exported from."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.data_paths import create
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.adapters.known_pictures import OriginalSet
from shared_encoder_perception.labels.frame import LabelledFrame

REPORT: Final = "changes.jsonl"
BY_MODEL, BY_PEOPLE, NO_LABEL = "labelled by a model", "labelled by people", "not labelled"
FRAMES, CHANGED = "frames", "changed"


@dataclass
class Changes:
    """Counts of each kind of frame: what it was before.

    Attributes:
        counts: Kind -> frames, changed ones, and what the rooms count.
        columns: What they count, in the order of the tasks.
        missing: Frames of the first set that did not come back.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    missing: int = 0

    def lines(self) -> list[str]:
        """Return the table as text."""
        columns = (FRAMES, CHANGED, *self.columns)
        width = max(map(len, self.counts), default=0)
        lines = [" ".join((" " * width, *columns))]
        for kind, counts in self.counts.items():
            cells = (f"{counts[column]:>{len(column)}}" for column in columns)
            lines.append(" ".join((f"{kind:<{width}}", *cells)))
        if self.missing:
            lines.append(f"{self.missing} frames of the set did not come back")
        return lines


def compare(original: Path, corrected: Path) -> Changes:
    """Hold a corrected set against the original; frames that changed are listed beside it.

    Args:
        original: A native set.
        corrected: The folder of another, with pictures of the same names.

    Raises:
        LabelError: A faulty file of either.
    """
    before = OriginalSet(original)
    rooms = table.parts("shapes")
    changes = Changes({kind: Counter() for kind in (BY_MODEL, BY_PEOPLE, NO_LABEL)})
    came_back, labelled = 0, set[str]()
    with create(corrected / REPORT) as report:
        for new in native.read(corrected):
            old = before.frame(before.pictures.find(new.name))
            found: Counter[str] = Counter()
            for task, room in rooms.items():
                found.update(room.changes(_label(old, task), _label(new, task)))
            counts = changes.counts[_kind(old, rooms)]
            counts.update({FRAMES: 1, CHANGED: int(bool(found)), **found})
            came_back += 1
            labelled |= {*old.labels, *new.labels}
            if found:
                report.write(json.dumps({"image": new.name, **found}) + "\n")
    changes.missing = len(before) - came_back
    changes.counts = {kind: counts for kind, counts in changes.counts.items() if counts}
    changes.columns = tuple(
        name for task, room in rooms.items() if task in labelled for name in room.COUNTS
    )
    return changes


def _label(frame: LabelledFrame, task: str) -> Any:
    """Return a label, or ``None``."""
    read = frame.labels.get(task)
    return None if read is None or getattr(read, "nothing_known", False) else read()


def _kind(frame: LabelledFrame, rooms: dict[str, Any]) -> str:
    """Return what a frame was before it was corrected."""
    labelled = [task for task in rooms if _label_there(frame, task)]
    if not labelled:
        return NO_LABEL
    return BY_MODEL if set(frame.pseudo) & set(labelled) else BY_PEOPLE


def _label_there(frame: LabelledFrame, task: str) -> bool:
    """Whether a frame has a label of a task."""
    return not getattr(frame.labels.get(task), "nothing_known", frame.labels.get(task) is None)
