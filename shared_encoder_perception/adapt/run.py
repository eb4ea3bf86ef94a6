# SPDX-License-Identifier: Apache-2.0
r"""Let a model learn from where a vehicle drove; keep what it learned only if nothing is forgotten.

    python -m shared_encoder_perception adapt --bag drive --model M.onnx --guard DATA/val \
        --out adapted.onnx

The bag has images with CameraInfo, the camera's place on the vehicle (TF), and its path: odometry,
TF to a frame that stands still, or --path FILE. Ground that the vehicle drove over is drivable in
the pictures that were taken before; of all else nothing is said. The encoder stays as it is, the
rest is trained on these pictures and, as often, on --memory: labelled sets, or rendered worlds.

The gate: no headline score of the guard may fall by more than 0.005, and of the last quarter of the
drive, which was not trained on, more must be said to be drivable. Only then --out is written, with
a card beside it; otherwise the model before stays, and the reason is told. --work has the drives as
labelled sets (see them with `dataset view`), the run, report.json and sheet.png.

Exit status: 0 written; 1 refused by the gate, or nothing to learn; 2 bad input.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.adapt import gate, release, report
from shared_encoder_perception.adapt.drive import Where
from shared_encoder_perception.adapt.label import HELD_OUT, TRAIN, Labelled, Options
from shared_encoder_perception.adapt.label_bags import bags_of, label_bags
from shared_encoder_perception.adapt.learn import (
    HEAD,
    PARTS,
    Learning,
    Start,
    learn,
)
from shared_encoder_perception.adapt.trajectory import NothingToLearnError
from shared_encoder_perception.artifact.file import CHECKPOINT
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.files.safe_text import printable, redact
from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.labels import native
from shared_encoder_perception.predictor import Predictor

CANDIDATE: Final = "candidate.onnx"
"""In the folder of the work: what the gate judges."""
REFUSED: Final = 1
"""Exit status: the model before stays."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    need = parser.add_argument_group("what is needed").add_argument
    need(
        "--bag", type=Path, action="append", required=True, help="rosbag2; a folder of them; again"
    )
    need(
        "--guard", type=Path, action="append", required=True, help="native set that must not suffer"
    )
    need("--out", type=Path, required=True, help="the new .onnx file, which must not be there")
    need("--work", type=Path, help="folder of the run (default: beside --out)")
    add_engine_options(parser, "onnxruntime")  # the same on every machine
    _add_drive(parser.add_argument_group("the drive").add_argument)
    _add_learning(parser.add_argument_group("learning").add_argument)
    add = parser.add_argument_group("many bags").add_argument
    add("--ray", nargs="?", const="local", metavar="ADDRESS", help="label bags in parallel by Ray")
    add("--workers", type=int, help="bags at a time (as many as the cluster has room for)")


def _add_drive(add: Any) -> None:
    """Declare what is taken from a bag."""
    plain, label = Where(), Options()
    add("--topic", help="with images, if there are several")
    add("--info", metavar="TOPIC", help="with CameraInfo (default: beside the images)")
    add("--odometry", metavar="TOPIC", help="with the path, if there are several")
    add("--fixed-frame", metavar="FRAME", help="frame of TF that stands still, for the path by TF")
    add("--base-frame", default=plain.base_frame, metavar="FRAME", help="of the vehicle, on ground")
    add("--path", type=Path, metavar="FILE", help="path of --base-frame: TUM's format, or .csv")
    add("--camera-pose", type=Path, metavar="FILE", help="the vehicle's frame in the camera's")
    add("--rectified", action="store_true", help="the images are rectified: CameraInfo's p counts")
    add("--width", type=float, default=label.width_m, metavar="M", help="of the vehicle")
    add("--near", type=float, default=label.near_m, metavar="M", help="ground used from there on")
    add("--ahead", type=float, default=label.far_m, metavar="M", help="ground used up to there")
    add("--images", type=int, default=label.images, metavar="N", help="of each drive, at most")
    add("--hold-out", type=float, default=label.held_out, metavar="SHARE", help="judged by, only")


def _add_learning(add: Any) -> None:
    """Declare how much is learned."""
    plain = Learning()
    add("--memory", type=Path, action="append", default=[], help="native set (rendered worlds)")
    add("--steps", type=int, default=plain.steps)
    add("--batch", type=int, default=plain.batch_size, help="pictures of a step")
    add("--part", choices=PARTS, default=plain.part, help="what is trained; see docs/adapt.md")
    add("--rate", type=float, default=plain.learning_rate, help="peak of the learning rate")
    add("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="(the model's own)")
    add("--seed", type=int, default=plain.seed)
    add("--loaders", type=int, default=plain.workers, help="processes that load pictures")


def run(args: argparse.Namespace) -> int:
    """Label, train, judge, and perhaps write."""
    options, learning = _options(args), _learning(args)
    if args.out.suffix != ".onnx":
        raise ValueError(f"--out is {args.out}, expected an .onnx file")
    for path in (args.out, args.out.with_suffix(".md")):
        if path.exists():
            raise FileExistsError(f"{path} is there already: remove it, or choose another --out")
    work = args.work or args.out.with_name(f"{args.out.stem}_work")
    try:
        with sole_writer(work):
            return _adapt(args, options, learning, work)
    except NothingToLearnError as error:
        print(f"nothing to learn: {printable(str(error))}")
        print(f"the model before stays: {printable(redact(args.model))}")
        return REFUSED


def _options(args: argparse.Namespace) -> Options:
    """Return how drives are labelled."""
    where = Where(
        args.topic,
        args.info,
        args.odometry,
        args.fixed_frame,
        args.base_frame,
        args.path,
        args.camera_pose,
        args.rectified,
    )
    return Options(where, args.width, args.near, args.ahead, args.images, args.hold_out)


def _learning(args: argparse.Namespace) -> Learning:
    """Return how much is learned."""
    size = (args.size[0], args.size[1]) if args.size else None
    device = "gpu" if args.device.startswith("cuda") else args.device
    sizes = (args.seed, size, args.loaders, device)
    return Learning(args.steps, args.batch, args.rate, args.part, *sizes)


def _adapt(args: argparse.Namespace, options: Options, learning: Learning, work: Path) -> int:
    """Do it, in a folder that no other run writes to."""
    bags = bags_of(args.bag)
    if args.path is not None and len(bags) > 1:
        raise ValueError(f"--path is the path of one drive, and --bag names {len(bags)}")
    model = fetch(args.model, args.sha256)
    if model.suffix == CHECKPOINT:
        args.backend = "torch"
    start = Start.of(model)
    guards = gate.open_guards(args.guard, list(start.spec.tasks))
    _check_memory(args.memory, args.guard)
    before = load_engine(args)
    old = Predictor(before)
    drives = label_bags(bags, work / "drives", old, options, args)
    sets = {part: [work / "drives" / name / part for name in drives] for part in (TRAIN, HELD_OUT)}
    for one in drives.values():
        for problem in one.problems:
            print(f"problem: {printable(problem)}")
    print("\n".join(_told(drives.values())))
    network = learn(start, sets[TRAIN], args.memory, work, learning)
    data = f"{len(drives)} drives, {sum(one.images[TRAIN] for one in drives.values())} pictures"
    candidate = work / CANDIDATE
    release.export(network, start, sets[TRAIN], data, candidate)
    new = Predictor(_load(args, candidate))
    verdict = gate.judge(old, new, guards, sets[HELD_OUT], sets[TRAIN])
    conditions = _conditions(args, before, learning)
    records = [one.to_json() for one in drives.values()]
    written = str(args.out) if verdict.passed else ""
    told = report.write_report(work, records, verdict, conditions, written)
    sheet = report.write_sheet(work, old, new, sets[HELD_OUT])
    print("\n".join([*report.lines_of(verdict), f"report: {told}", f"pictures: {sheet}"]))
    if not verdict.passed:
        for reason in verdict.reasons:
            print(f"refused: {printable(reason)}")
        print(f"the model before stays: {printable(redact(args.model))}")
        return REFUSED
    card = release.card_of(args.out.name, records, verdict, conditions)
    print(f"card: {release.publish(candidate, args.out, card)}\nmodel: {args.out}")
    return 0


def _check_memory(memory: Sequence[Path], guard: Sequence[Path]) -> None:
    """Refuse to guard by what is trained on."""
    ours = {native.labels_file(path).resolve() for path in memory}
    for path in guard:
        if native.labels_file(path).resolve() in ours:
            raise ValueError(
                f"--guard {path} is --memory, too: what is trained on cannot tell of forgetting"
            )


def _load(args: argparse.Namespace, model: Path) -> Backend:
    """Load the new model as the old one; checkpoints have become artifacts."""
    backend = "onnxruntime" if args.backend == "torch" else args.backend
    options = {**vars(args), "model": str(model), "sha256": "", "backend": backend}
    return load_engine(argparse.Namespace(**options))


def _told(drives: Any) -> list[str]:
    """Say what the drives are."""
    return [_line(one) for one in drives]


def _line(one: Labelled) -> str:
    """Say what a drive is."""
    return (
        f"{printable(one.bag)}: {one.driven_m:.0f} m driven by {printable(one.path_of)}; "
        f"{one.images[TRAIN]} pictures to train on, {one.images[HELD_OUT]} to judge by; {one.rule}"
    )


def _conditions(args: argparse.Namespace, before: Backend, learning: Learning) -> dict[str, Any]:
    """Return what was done, for report and card."""
    memory = ", ".join(map(str, args.memory)) or "rendered worlds"
    return {
        "model before": f"{before.spec.name} {before.spec.version}",
        "sha256 of it": before.info.sha256,
        "what was trained": learning.part,
        "teacher": "none: other tasks stay to the bit"
        if learning.part == HEAD
        else "the model before, of tasks that the path does not teach",
        "memory": f"{memory}, half of the pictures in the mean",
        "steps": learning.steps,
        "pictures of a step": learning.batch_size,
        "learning rate": learning.learning_rate,
        "seed": learning.seed,
        "vehicle's width, m": args.width,
        "ground used, m": f"{args.near:g} to {args.ahead:g}",
    }
