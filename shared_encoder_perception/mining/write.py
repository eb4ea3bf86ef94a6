# SPDX-License-Identifier: Apache-2.0
"""What `mine` leaves: a native data set with pre-labels, a table, and a contact sheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.overlay import draw_beside_labels
from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.drawing.text import draw_notes
from shared_encoder_perception.files.safe_text import csv_cell
from shared_encoder_perception.files.whole_file import replacing
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.pseudo import Doubts, with_labels
from shared_encoder_perception.mining.choose import Choice
from shared_encoder_perception.mining.images import Found
from shared_encoder_perception.mining.reasons import Candidate, finding, reason_names
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception

TABLE, SHEET = "mined.csv", "sheet.jpg"
SHEET_PICTURES: Final = 48
SHEET_COLUMNS: Final = 3
PICTURE_WIDTH: Final = 640


def write_chosen(
    writer: native.Writer,
    predictor: Predictor,
    found: Found,
    choice: Choice,
    answer: Perception,
    doubts: Doubts,
) -> None:
    """Add a frame to the set: labels of people, pre-labels for what they left open, the reason."""
    frame = with_labels(predictor, found.frame, answer, doubts)
    attributes = {
        **frame.attributes,
        "mined_for": choice.reason,
        "mined_because": choice.candidate.notes[choice.reason],
    }
    if found.stamp_ns is not None:
        attributes["stamp_ns"] = str(found.stamp_ns)
    frame = replace(frame, attributes=attributes)
    is_file = frame.image_path.is_file()
    writer.write(frame, encoded=None if is_file else native.encode_picture(found.image))


def picture(found: Found, choice: Choice, answer: Perception, crop: Crop) -> NDArray[np.uint8]:
    """Draw a frame with what the model said of it, and why it was taken."""
    labels = {task: found.frame.labels[task]() for task in found.frame.known()}
    drawn = draw_beside_labels(found.image, answer, labels, crop)
    drawn = tile([drawn], 1, PICTURE_WIDTH)
    candidate = choice.candidate
    notes = (candidate.name, choice.reason.replace("_", " "), candidate.notes[choice.reason])
    draw_notes(drawn, notes)
    return drawn


def write_sheet(folder: Path, pictures: Sequence[NDArray[np.uint8]]) -> Path:
    """Write the contact sheet of the first frames taken."""
    path = folder / SHEET
    write_picture(path, tile(pictures[:SHEET_PICTURES], SHEET_COLUMNS, PICTURE_WIDTH))
    return path


def write_table(
    folder: Path,
    answered: Sequence[str],
    candidates: Iterable[Candidate],
    chosen: Sequence[Choice],
) -> Path:
    """Write a line for each frame that was looked at.

    Args:
        folder: Gets the file.
        answered: Tasks of the model; those that find things have a column with their names.
        candidates: All frames.
        chosen: Those that were taken.

    Returns:
        The file.
    """
    things, reasons = finding(answered), reason_names(answered)
    path = folder / TABLE
    turns = {choice.candidate.index: (choice, turn) for turn, choice in enumerate(chosen, 1)}
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["frame", "stamp_ns", *things, *reasons, "taken_for", "turn"])
        for one in candidates:
            taken, turn = turns.get(one.index, (None, ""))
            rows.writerow(
                [
                    csv_cell(one.name),
                    "" if one.stamp_ns is None else one.stamp_ns,
                    *(csv_cell(" ".join(one.found.get(task, ()))) for task in things),
                    *(f"{one.scores[name]:.4f}" for name in reasons),
                    taken.reason if taken else "",
                    turn,
                ]
            )
    return path
