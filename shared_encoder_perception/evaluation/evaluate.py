"""Score a model on labelled images: a native data set (``frames.jsonl``), or synthetic worlds.

python -m shared_encoder_perception evaluate --labels DIR/frames.jsonl
python -m shared_encoder_perception evaluate --synthetic 200 --reliability diagram.png
python -m shared_encoder_perception evaluate --labels DIR/frames.jsonl --worst failures.jpg
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception.engine_options import add_engine_options, load_engine
from shared_encoder_perception.evaluation.failures import WorstFrames
from shared_encoder_perception.evaluation.metrics import LaneScore
from shared_encoder_perception.evaluation.reliability import plot, require_matplotlib
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.preprocess import Crop
from shared_encoder_perception.training.datasets import native
from shared_encoder_perception.training.sample import Sample
from shared_encoder_perception.training.synthetic import VALIDATION_SEED, render_sample
from shared_encoder_perception.visualize import write_picture

SYNTHETIC: Final = "synthetic"
"""Source name of rendered worlds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", type=Path, help="frames.jsonl of a native data set")
    source.add_argument("--synthetic", type=int, metavar="N", help="score N rendered worlds")
    parser.add_argument(
        "--worst", type=Path, metavar="PICTURE", help="draw the worst frames of each source"
    )
    add_engine_options(parser, "onnxruntime")  # the same on every machine
    parser.add_argument("--out", type=Path, help="write the scores as JSON")
    parser.add_argument(
        "--reliability", type=Path, metavar="PNG", help="draw stated against true confidence"
    )


def run(args: argparse.Namespace) -> int:
    """Score and print a table."""
    if args.reliability:
        require_matplotlib()  # before the work, not after it
    predictor = Predictor(load_engine(args))
    if args.labels:
        frames, total = native_frames(args.labels), sum(1 for _ in args.labels.open())
    else:
        frames, total = synthetic_frames(args.synthetic, predictor.spec.input_size), args.synthetic
    worst = WorstFrames(predictor.spec.input_size) if args.worst else None
    scores = score(predictor, tqdm(frames, total=total, unit="image"), worst)
    print(table(scores))
    if args.out:
        args.out.write_text(json.dumps(scores, indent=2) + "\n")
        print(f"scores: {args.out}")
    if worst:
        write_picture(args.worst, worst.sheet())
        print(f"worst frames: {args.worst}")
    if args.reliability:
        write_picture(args.reliability, plot(scores))
        print(f"reliability diagram: {args.reliability}")
    return 0


Frame = tuple[str, Sample, Crop | None]
"""Source name, labelled image, crop to use."""


def synthetic_frames(count: int, size: tuple[int, int]) -> Iterator[Frame]:
    """Yield ``count`` validation worlds."""
    for index in range(count):
        yield SYNTHETIC, render_sample(VALIDATION_SEED + index, size), None


def native_frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a native data set.

    Raises:
        ValueError: A line or a file that cannot be read, with file and line.
    """
    for frame in native.read(path):
        sample = frame.load()
        if "mask" in frame.pseudo:
            sample = replace(sample, mask=None)  # a teacher's opinion is no truth to score against
        yield frame.source, sample, frame.crop


def score(
    predictor: Predictor, frames: Iterable[Frame], worst: WorstFrames | None = None
) -> dict[str, dict[str, Any]]:
    """Run the predictor over frames; see ``Scorer.compute`` for what comes out.

    Args:
        predictor: The model.
        frames: What to score it on.
        worst: Gets to see every frame too.
    """
    scorer = Scorer(predictor.spec.input_size)
    for source, sample, crop in frames:
        perception = predictor(sample.image, crop)
        scorer.update(source, perception, sample, crop)
        if worst:
            worst.update(source, perception, sample, crop)
    return scorer.compute()


def table(scores: dict[str, dict[str, Any]]) -> str:
    """Render scores for a terminal; rows without labels are left out."""
    lines = [
        f"{'source':<16}{'lane':<18}{'rows right':>11}{'precision':>11}{'recall':>8}{'F1':>7}"
        f"{'over-reach':>12}{'present':>9}{'absent':>8}{'false alarms':>14}"
    ]
    for source, values in scores.items():
        for name, value in values["lanes"].items():
            lane = LaneScore(**value)
            if lane.labelled or lane.absent:
                lines.append(
                    f"{source:<16}{name:<18}{_cell(lane.valid_row_accuracy, 11)}"
                    f"{_cell(lane.precision, 11)}{_cell(lane.recall, 8)}{_cell(lane.f1, 7)}"
                    f"{_cell(lane.over_reach, 12)}{lane.labelled:>9}{lane.absent:>8}"
                    f"{lane.false_alarms:>14}"
                )
    lines.append(
        f"\n{'source':<16}{'mask IoU':>9}{'mean':>8}{'median':>8}{'< 0.4':>7}{'images':>8}"
    )
    for source, values in scores.items():
        mask = values["mask"]
        if mask["images"]:
            lines.append(
                f"{source:<16}{_cell(mask['iou'], 9)}{_cell(mask['mean_iou'], 8)}"
                f"{_cell(mask['median_iou'], 8)}{mask['below']:>7}{mask['images']:>8}"
            )
    lines.append(f"\n{'source':<16}calibration error, lanes / mask")
    for source, values in scores.items():
        errors = (_cell(values["calibration"][task]["ece"], 0) for task in ("lanes", "mask"))
        lines.append(f"{source:<16}{' / '.join(errors)}")
    return "\n".join(lines)


def _cell(value: float, width: int) -> str:
    """Three decimals, or a dash for nothing to count."""
    return f"{'-' if math.isnan(value) else format(value, '.3f'):>{width}}"
