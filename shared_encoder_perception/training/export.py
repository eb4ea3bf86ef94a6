# SPDX-License-Identifier: Apache-2.0
"""Checkpoint -> ONNX artifact with its ModelSpec inside, compared with torch before it is kept.

python -m shared_encoder_perception export runs/default --images DATA/val/frames.jsonl
python -m shared_encoder_perception export runs/default --held-out DATA/train --sources tusimple
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.artifact.file import (
    CHECKPOINT,
    kept_metadata,
    read_spec,
    write_artifact,
)
from shared_encoder_perception.artifact.halves import HALVES, STORED_KEY, pack
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.files.safe_text import redact
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.model.checkpoint import load_network, save_network
from shared_encoder_perception.model.network import plain_spec
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import INPUT_SIZE, ModelSpec
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.agreement import compare
from shared_encoder_perception.training.calibrate import learn_priors
from shared_encoder_perception.training.calibrated_artifact import (
    add_calibration_options,
    calibrate_artifact,
    replace_spec,
)
from shared_encoder_perception.training.held_out import held_out_frames
from shared_encoder_perception.training.kept import kept_blocks
from shared_encoder_perception.training.origin import Course, read_course, read_origin
from shared_encoder_perception.training.rig_export import ROUNDING, compare_rigs
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED, render_sample

COMPARED: Final = 50
WORLDS_COMPARED: Final = 8
WORLDS_FOR_PRIORS: Final = 240
"""What is usual needs no more, where a split lies ahead in each."""
SMALL: Final = (64, 160)
"""Size of pictures of which only the labels count."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", type=Path, help="network.pt of a run, or the run's folder")
    parser.add_argument("--out", type=Path, help="the .onnx file (default: beside the checkpoint)")
    parser.add_argument("--name", default="default", help="model name in the spec")
    parser.add_argument("--version", default="0.1.0", help="model version in the spec")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the pictures that it takes (default: that of the run's last stage, as the "
        f"config.yaml beside the checkpoint has it; without one {INPUT_SIZE[0]} {INPUT_SIZE[1]})",
    )
    parser.add_argument(
        "--training-data", help="one line for people (default: the run's data sets)"
    )
    parser.add_argument(
        "--images", type=Path, help="folder or frames.jsonl of real images to compare with torch on"
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="keep the weights as half floats in the file: half the size, the same arithmetic",
    )
    parser.add_argument(
        "--keep-calibration",
        metavar="ARTIFACT",
        help="take the priors, thresholds and calibration of the tasks that this artifact answers "
        "from it, but for those that the run trained: for a network that other tasks have moved "
        "into, or of which some alone were trained (train_only)",
    )
    add_calibration_options(parser)


def run(args: argparse.Namespace) -> int:
    """Export, compare with torch, calibrate the decoder, score; all goes into the spec."""
    checkpoint = args.checkpoint
    if checkpoint.is_dir():
        checkpoint = checkpoint / "network.pt"
    course = read_course(checkpoint.parent)
    size = _size(args.size, course, checkpoint)
    # Before the work: they may not be there.
    held_out = held_out_frames(args.held_out, args.sources, size)
    old = load_backend(args.keep_calibration) if args.keep_calibration else None
    network = load_network(checkpoint)
    origin = read_origin(checkpoint.parent)
    out = args.out or checkpoint.with_name("model.onnx")
    spec = replace(
        plain_spec(network.config, args.name, size),
        version=args.version,
        training_data=args.training_data or origin.data,
        git_commit=origin.commit,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out.parent) as folder:  # what was there stays until all is done
        part = Path(folder) / out.name
        export_onnx(network, spec, part)
        deviation = compare(network, load_backend(part), _images(args.images, spec))
        print(f"compared with torch: {deviation}")
        if not deviation.small:
            raise RuntimeError(f"the exported model does not answer as torch does: {deviation}")
        if spec.of_rigs():
            apart = compare_rigs(network, load_backend(part))
            print(f"compared with torch on rigs: {apart:.1e}")
            if not apart <= ROUNDING:
                raise RuntimeError(
                    f"the exported model says {apart:.1e} other than torch of rigs, expected at "
                    f"most {ROUNDING}"
                )
        if args.half:
            store_halves(part)
        kept = {}
        if old is not None:
            images = _images(args.images, spec)
            title, trained = redact(args.keep_calibration), course.train_only
            kept = kept_blocks(old, title, load_backend(part), images, trained)
        new = [name for name in spec.tasks if name not in kept]
        spec = learn_priors(spec, _usual_worlds(new), new)
        replace_spec(part, spec)
        spec = calibrate_artifact(part, spec, held_out, args.worlds, kept)
        os.replace(part, out)
    save_network(network, out.with_suffix(CHECKPOINT), spec)
    print(
        f"model: {out} ({out.stat().st_size / 1e6:.1f} MB); for the backend torch: "
        f"{out.with_suffix(CHECKPOINT)}"
    )
    return 0


def _size(asked: Sequence[int] | None, course: Course, checkpoint: Path) -> Size:
    """Say, and return, the size to export at."""
    given = (asked[0], asked[1]) if asked else None
    size = given or course.size or INPUT_SIZE
    shown = f"{size[0]}x{size[1]}"
    if given is None:
        why = "that of the run's last stage" if course.size else f"no config beside {checkpoint}"
        shown += f" ({why})"
    print(f"size: {shown}")
    if course.size and size != course.size:
        trained = f"{course.size[0]}x{course.size[1]}"
        print(
            f"warning: --size is {shown}, and the run's last stage was trained at {trained}: "
            "scores may be much lower",
            file=sys.stderr,
        )
    return size


def store_halves(path: Path) -> None:
    """Keep the weights of the ONNX file ``path`` as half floats."""
    model = onnx.load(path)
    spec = read_spec(model, str(path))
    pack(model)
    write_artifact(model, spec, path, {**kept_metadata(model), STORED_KEY: HALVES})


def _usual_worlds(tasks: Collection[str]) -> Iterator[Sample]:
    """Render the worlds that teach tasks what is usual."""
    for index in tqdm(range(WORLDS_FOR_PRIORS), desc="what is usual", unit="image"):
        yield render_sample(CALIBRATION_SEED + index, SMALL, split_probability=1.0, tasks=tasks)


def _images(path: Path | None, spec: ModelSpec) -> Iterator[NDArray[np.uint8]]:
    """Network inputs to compare on: up to ``COMPARED`` of the given images, or worlds."""
    if path is None:
        for index in range(WORLDS_COMPARED):
            yield render_sample(CALIBRATION_SEED + index, spec.input_size, tasks=()).image
        return
    source = open_source(path)
    for frame in islice(source, COMPARED):
        size = (frame.image.shape[0], frame.image.shape[1])
        transform = ImageTransform.fit(size, spec.input_size, frame.crop, shrink=spec.shrink)
        yield transform.image_to_input(frame.image)
    tell(source.problems)
