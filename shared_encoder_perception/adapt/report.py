# SPDX-License-Identifier: Apache-2.0
"""What was done and found, for programs and for people: ``report.json`` and ``sheet.png``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.adapt.gate import Verdict
from shared_encoder_perception.adapt.release import rows
from shared_encoder_perception.adapt.taught import taught
from shared_encoder_perception.drawing.overlay import draw_beside_labels
from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.files.whole_file import write_json
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.masks.values import YES

REPORT, SHEET = "report.json", "sheet.png"
PICTURES: Final = 8
"""Of each part of the drives on the sheet."""
WIDTH: Final = 480
COLUMNS: Final = ("driven over", "before", "after")


def write_report(
    work: Path,
    drives: Sequence[Mapping[str, Any]],
    verdict: Verdict,
    conditions: Mapping[str, Any],
    written: str,
) -> Path:
    """Write ``report.json``; return it.

    Args:
        work: Folder.
        drives: ``Labelled.to_json`` of each.
        verdict: Of the gate.
        conditions: Model before, memory, steps, seed and the like.
        written: Path of the model that was written; empty for none.
    """
    path = work / REPORT
    content = {
        "written": written,
        "verdict": verdict.to_json(),
        "drives": list(drives),
        "conditions": dict(conditions),
    }
    write_json(path, content)
    return path


def write_sheet(work: Path, old: Predictor, new: Predictor, sets: Sequence[Path]) -> Path:
    """Draw some pictures of sets with the ground driven over, the old and the new answer."""
    frames = [frame for path in sets for frame in native.read(path)]
    at = np.linspace(0, len(frames) - 1, min(PICTURES, len(frames))).round().astype(int)
    parts = [part for index in at for part in _row(frames[index], old, new)]
    captions = [
        f"{COLUMNS[place % len(COLUMNS)]} ({frames[at[place // len(COLUMNS)]].name})"
        for place in range(len(parts))
    ]
    path = work / SHEET
    write_picture(path, tile(parts, len(COLUMNS), WIDTH, captions))
    return path


def _row(frame: LabelledFrame, old: Predictor, new: Predictor) -> list[NDArray[np.uint8]]:
    """Return a picture as it is labelled, and as either model sees it."""
    image = frame.read_image()
    crop = ImageTransform.fit(frame.size, old.spec.input_size, frame.crop).crop
    names = taught(old.spec.tasks)
    labels = {task: frame.labels[task]() for task in names}
    shown = image.copy()
    for label in labels.values():
        shown[label.mask == YES] = shown[label.mask == YES] // 2 + np.array((0, 127, 0), np.uint8)
    shown = np.ascontiguousarray(shown[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width])
    seen = [draw_beside_labels(image, one(image, frame.crop), labels, crop) for one in (old, new)]
    return [shown, *seen]


def lines_of(verdict: Verdict) -> list[str]:
    """Say for a terminal what was measured, and what follows."""
    found = [f"{what}: {was:.4f} -> {now:.4f}" for what, was, now in rows(verdict)]
    if verdict.gain.known:
        found.append(f"95 % interval of the rise: {verdict.gain.low:+.4f} {verdict.gain.high:+.4f}")
    return found
