# SPDX-License-Identifier: Apache-2.0
"""Fill in a model card's scores: measure a model, and replace the marked tables of a text.

python -m shared_encoder_perception card docs/model_card.md --labels DATA/val/frames.jsonl

Only what stands between the markers is replaced: the words around it are people's. Beside the model
it draws the reliability diagram, MODEL_reliability.png, where the model states confidence, and the
rendered worlds that it does worst on, MODEL_failures.jpg; real pictures are only measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from tqdm import tqdm

from shared_encoder_perception.artifact.remote import local_path
from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.evaluation.evaluate import native_frames, score, synthetic_frames
from shared_encoder_perception.evaluation.failures import WorstFrames
from shared_encoder_perception.evaluation.reliability import plot
from shared_encoder_perception.evaluation.report_tables import card_tables, statements
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable, redact
from shared_encoder_perception.libraries import can_write
from shared_encoder_perception.predictor import Predictor

BEGIN: Final = "<!-- scores:begin -->"
END: Final = "<!-- scores:end -->"
WORLDS: Final = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("cards", type=Path, nargs="+", help="texts with marked tables")
    add_engine_options(parser, "onnxruntime")  # the same on every machine
    parser.add_argument("--labels", type=Path, help="frames.jsonl of a native data set")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="rendered worlds to score on")


def run(args: argparse.Namespace) -> int:
    """Measure, then write."""
    least = 0 if args.labels else 1
    if args.worlds < least:  # else the tables would be replaced by nothing
        raise ValueError(f"--worlds is {args.worlds}, expected at least {least}")
    drawn = can_write("the reliability diagram", "matplotlib")
    model = local_path(args.model)
    if model is None:
        raise ValueError(
            "the pictures are drawn beside the model, which cannot be at "
            f"{printable(redact(args.model))}: download it, and give its path"
        )
    for card in args.cards:
        fill_in(plain(card).read_text(encoding="utf-8"), "")  # before the work, not after it
    predictor = Predictor(load_engine(args))
    size = predictor.spec.input_size
    worst = WorstFrames(size)
    worlds = synthetic_frames(args.worlds, predictor.spec.tasks)
    scores = score(predictor, tqdm(worlds, total=args.worlds, unit="world"), worst)
    if args.labels:
        total = sum(1 for _ in plain(args.labels).open())
        frames = native_frames(args.labels)
        scores = {**score(predictor, tqdm(frames, total=total, unit="image")), **scores}
    for card in args.cards:
        card.write_text(
            fill_in(card.read_text(encoding="utf-8"), card_tables(scores)), encoding="utf-8"
        )
        print(f"card: {card}")
    pictures = {"reliability.png": plot(scores)} if drawn and statements(scores) else {}
    if worst.found:
        pictures["failures.jpg"] = worst.sheet()
    for suffix, picture in pictures.items():
        path = model.with_name(f"{model.stem}_{suffix}")
        write_picture(path, picture)
        print(f"picture: {path}")
    return 0


def fill_in(text: str, block: str) -> str:
    """Replace what stands between the markers.

    Raises:
        ValueError: The text has not exactly one pair of markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after or END in before:
        raise ValueError(f"the card needs exactly one {BEGIN} and, after it, one {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"
