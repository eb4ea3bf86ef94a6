# SPDX-License-Identifier: Apache-2.0
"""Find the frames most worth labelling, and write them as a data set with pre-labels.

    python -m shared_encoder_perception mine drive_bag --out data/mined
    python -m shared_encoder_perception mine drive.mp4 --out data/mined --count 200 --other new.onnx

Every image of a rosbag2, a video, an image folder or a native data set is perceived. Reasons, which
take turns to choose until --count frames are taken, each time the one that shows most of it and
does not look like those taken before:

  models_disagree  a second model (--other) says something else
  changed          something else than in the frame before (bags and videos)
  rare             things that are seldom found together, or none at all

--out becomes a native data set (docs/dataset_format.md): pictures, with labels as the model sees
them, ready to be corrected, each with the reason in its attributes. What people have labelled in a
native set stays; pictures for which people have labelled all that the model answers are passed
over. mined.csv has every frame's numbers, sheet.jpg shows the frames taken.

Exit status: 0; 1 some images could not be read, and are told; 2 nothing was found.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import CHECKPOINT
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.evaluation.apart import apart
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.whole_file import check_outside
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.pseudo import pre_label_doubts
from shared_encoder_perception.mining.choose import Choice, choose
from shared_encoder_perception.mining.images import LABELLED, Found, Images
from shared_encoder_perception.mining.reasons import (
    CHANGED,
    MODELS,
    NO_REASON,
    RARE,
    Candidate,
    disagreement,
    look_of,
    nothing_of,
    own_reasons,
    rarity,
    reason_names,
    things_found,
)
from shared_encoder_perception.mining.write import (
    SHEET_PICTURES,
    picture,
    write_chosen,
    write_sheet,
    write_table,
)
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.companions import refuse_companions
from shared_encoder_perception.tasks.label_files import FILE_NAME

COUNT: Final = 50
DRIVE_GAP: Final = 15
"""Frames between two that are taken from a bag or a video: half a second."""
BREAK_NS: Final = 500_000_000
"""From one image to the next; after a longer time it is no wonder that something has changed."""
INCOMPLETE: Final = 1
"""Exit status."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _explained()
    parser.add_argument(
        "source", type=Path, help="rosbag2, video, folder of images, or native data set"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the new set")
    parser.add_argument("--count", type=int, default=COUNT, help=f"frames to take ({COUNT})")
    parser.add_argument("--other", metavar="MODEL", help="a second model, for models_disagree")
    parser.add_argument(
        "--reasons",
        type=lambda text: text.split(","),
        metavar="A,B",
        help="only these, in this order (all)",
    )
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--limit", type=int, metavar="N", help="look at the first N images only")
    parser.add_argument(
        "--gap",
        type=int,
        metavar="N",
        help=f"frames between two that are taken ({DRIVE_GAP} in bags and videos, else 0)",
    )
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Look at all images, choose, and write."""
    _check(args)
    images = Images.of(args.source, args.topic)
    if not images.is_drive and args.reasons and CHANGED in args.reasons:
        raise ValueError(f"--reasons {CHANGED} is for bags and videos: images have no order")
    backends = [load_engine(args)]
    try:
        if args.other:
            backends.append(_load_other(args))
        for backend in backends:
            refuse_companions(backend.spec, "mine", "choose images by another model")
        predictors = [Predictor(backend) for backend in backends]
        answered = list(predictors[0].spec.tasks)
        reasons = _reasons(args, answered)
        for predictor in predictors:
            predictor.warm_up()
        candidates = look_at(images, predictors, args.limit)
        told, problems = images.skipped.copy(), list(images.problems)
        gap = DRIVE_GAP if images.is_drive and args.gap is None else args.gap or 0
        chosen = choose(candidates, reasons, args.count, gap)
        if not chosen:
            raise ValueError(
                f"none of {len(candidates)} images gives a reason to label it "
                f"({'; '.join([_text(told), *problems])})"
            )
        sheet = write(images, predictors[0], chosen, args.out)
    finally:
        for backend in backends:
            backend.close()
    table = write_table(args.out, answered, candidates, chosen)
    print(f"{len(chosen)} of {len(candidates)} images: {args.out / FILE_NAME}")
    for reason, number in Counter(choice.reason for choice in chosen).most_common():
        print(f"  {reason:<16} {number}")
    if len(chosen) < args.count:
        print(
            f"  no more than that: the others look like these, or lie within {gap} frames of them"
        )
    print(f"every image's numbers: {table}\nthe frames taken: {sheet}")
    for problem in problems:
        print(f"problem: {printable(problem)}")
    if told:
        print(f"left out: {_text(told)}")
    return INCOMPLETE if problems or set(told) - {LABELLED} else 0


def look_at(images: Images, predictors: list[Predictor], limit: int | None) -> list[Candidate]:
    """Perceive every image and keep its numbers.

    Args:
        images: What to look at.
        predictors: The model, and a second one if there is one.
        limit: Most images.
    """
    answered = list(predictors[0].spec.tasks)
    candidates: list[Candidate] = []
    before: tuple[Found, Perception] | None = None
    total = min(images.total, limit or images.total) or None
    for index, found in enumerate(
        tqdm(islice(images.read(answered), limit), total=total, unit="image")
    ):
        answer, *others = (predictor(found.image, found.frame.crop) for predictor in predictors)
        crop = crop_of(predictors[0], found)
        reasons = {
            **own_reasons(answer, crop),
            MODELS: disagreement(apart(answer, others[0], crop)) if others else NO_REASON,
            CHANGED: NO_REASON,
            RARE: NO_REASON,
        }
        if images.is_drive:
            if before is not None and _follows(before[0], found):
                reasons[CHANGED] = disagreement(apart(before[1], answer, crop))
            before = found, answer
        candidates.append(
            Candidate(
                index=index,
                name=found.frame.name,
                stamp_ns=found.stamp_ns,
                scores={name: score for name, (score, _) in reasons.items()},
                notes={name: note for name, (_, note) in reasons.items()},
                found=things_found(answer),
                look=look_of(found.image, answer, crop),
            )
        )
    found_in = [tuple(chain.from_iterable(one.found.values())) for one in candidates]
    rare = rarity(found_in, nothing_of(answered))
    return [
        replace(one, scores={**one.scores, RARE: score}, notes={**one.notes, RARE: note})
        for one, (score, note) in zip(candidates, rare, strict=True)
    ]


def write(images: Images, predictor: Predictor, chosen: list[Choice], out: Path) -> Path:
    """Read the source again and write what was chosen; return the contact sheet's path."""
    wanted = {choice.candidate.index: (turn, choice) for turn, choice in enumerate(chosen)}
    answered, pictures = list(predictor.spec.tasks), dict[int, Any]()
    with native.Writer(out) as writer, tqdm(total=len(chosen), unit="frame") as bar:
        for index, found in enumerate(islice(images.read(answered), max(wanted) + 1)):
            if index not in wanted:
                continue
            turn, choice = wanted[index]
            answer = predictor(found.image, found.frame.crop)
            write_chosen(writer, predictor, found, choice, answer, pre_label_doubts())
            if turn < SHEET_PICTURES:
                pictures[turn] = picture(found, choice, answer, crop_of(predictor, found))
            bar.update()
    return write_sheet(out, [pictures[turn] for turn in sorted(pictures)])


def crop_of(predictor: Predictor, found: Found) -> Crop:
    """Return what the network saw of an image."""
    size = predictor.spec.input_size
    return ImageTransform.fit(found.frame.size, size, found.frame.crop).crop


def _explained() -> str:
    """Return what is said above, with the reasons that single tasks have."""
    own = [
        f"  {name:<16} {text}\n"
        for room in tasks.parts("reasons").values()
        for name, text in room.REASONS.items()
    ]
    first = f"  {MODELS}"
    return (__doc__ or "").replace(first, f"{''.join(own)}{first}", 1)


def _reasons(args: argparse.Namespace, answered: Sequence[str]) -> list[str]:
    """Return the reasons that take turns.

    Raises:
        ValueError: One of them is of no task of the model.
    """
    known = reason_names(answered)
    for name in args.reasons or ():
        if name not in known:
            raise ValueError(
                f"--reasons {name} is not for this model, which answers {', '.join(answered)}: use "
                f"some of {', '.join(known)}"
            )
    return list(dict.fromkeys(args.reasons or known))


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot end well, before the work."""
    for name, least in (("count", 1), ("limit", 1), ("gap", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ValueError(f"--{name} is {value}, expected at least {least}")
    known = reason_names(tasks.ROOMS)
    for name in args.reasons or ():
        if name not in known:
            raise ValueError(f"unknown reason {name!r}: use some of {', '.join(known)}")
    if args.reasons and MODELS in args.reasons and not args.other:
        raise ValueError(f"--reasons {MODELS} needs a second model: --other MODEL")
    if (args.out / FILE_NAME).exists():
        raise FileExistsError(
            f"{args.out / FILE_NAME} exists already: remove it, or choose another folder"
        )
    check_outside(args.out, None if is_bag(args.source) else args.source)
    args.out.mkdir(parents=True, exist_ok=True)


def _load_other(args: argparse.Namespace) -> Backend:
    """Load the second model, checkpoints by torch and others by the first one's engine."""
    options = {**vars(args), "model": args.other, "sha256": ""}
    if Path(args.other).suffix == CHECKPOINT:
        options["backend"] = "torch"
    return load_engine(argparse.Namespace(**options))


def _follows(before: Found, now: Found) -> bool:
    """Whether an image comes shortly after the one before."""
    if before.frame.size != now.frame.size:
        return False
    if before.stamp_ns is None or now.stamp_ns is None:
        return True
    return 0 < now.stamp_ns - before.stamp_ns <= BREAK_NS


def _text(told: Counter[str]) -> str:
    """Say what was left out."""
    return ", ".join(f"{number} {reason}" for reason, number in told.items()) or "none left out"
