# SPDX-License-Identifier: Apache-2.0
"""Hold engines and precisions against one another: the same images through each, one report.

    python -m shared_encoder_perception compare --input DATA/frames.jsonl
    python -m shared_encoder_perception compare runs/mine --input BAG --engine torch onnxruntime
    python -m shared_encoder_perception compare --int8 int8.onnx --input DATA/frames.jsonl
      --engine onnxruntime:fp32 openvino:bf16 onnxruntime:int8 openvino:int8 --out report

The first engine is the reference. Raw outputs are compared on every image: of a data set, a folder,
a video or a bag. Where the input is a native data set, each engine is scored on its labels too. An
image that comes without the background that a model compares it with is compared with the one
before it. A run's folder or checkpoint is exported first; torch then runs the checkpoint, the
others the export.

The exit status is 1 when an engine exceeds the tolerances (``--tolerances``, a YAML file like
config/compare.yaml) or could not run, or images could not be read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.artifact.file import CHECKPOINT, FP32, INT8
from shared_encoder_perception.artifact.tensors import check_outputs
from shared_encoder_perception.backends import (
    AUTO,
    DEFAULT_MODEL,
    Backend,
    BackendError,
    BackendOptions,
    load_backend,
)
from shared_encoder_perception.backends.options import Choice, parse_engine
from shared_encoder_perception.evaluation.differences import (
    Differences,
    Tolerances,
    read_tolerances,
    report,
)
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.whole_file import sole_writer, write_text
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.images.spread import evenly
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.companions import companions_of, network_inputs
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.predictor import Decoder
from shared_encoder_perception.tasks.label_files import FILE_NAME
from shared_encoder_perception.tasks.options import own_options

ENGINES: Final = ("onnxruntime:fp32", "openvino:fp32", "openvino:bf16", "torch:fp32")
"""Those that a model in fp32 can be run on without a GPU."""
IMAGES: Final = 50
EXCEEDED: Final = 1
"""Exit status."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", nargs="?", default=str(DEFAULT_MODEL), help=".onnx, .pt, or the folder of a run"
    )
    parser.add_argument("--int8", default="", help="the quantised model, for engines with :int8")
    parser.add_argument(
        "--input", type=Path, required=True, help="data set, image folder, video or bag"
    )
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--engine", nargs="+", default=list(ENGINES), metavar="ENGINE[:PRECISION]")
    parser.add_argument("--images", type=int, default=IMAGES, help="most images; 0 for all")
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as there are")
    parser.add_argument("--device", default=AUTO)
    parser.add_argument("--cache", type=Path, help="folder of engines that are built once")
    parser.add_argument(
        "--tolerances", type=Path, help="YAML file (default: as config/compare.yaml)"
    )
    parser.add_argument("--out", type=Path, help="folder for report.json and report.md")


def run(args: argparse.Namespace) -> int:
    """Compare, print, write."""
    if args.images < 0:
        raise ValueError(f"--images is {args.images}, expected 0 or more")
    tolerances = read_tolerances(args.tolerances)
    choices = list(dict.fromkeys(parse_engine(text) for text in args.engine))
    options = BackendOptions(device=args.device, threads=args.threads, cache=args.cache)
    with sole_writer(args.out) if args.out else nullcontext():
        return _compare(args, choices, options, tolerances)


def _compare(
    args: argparse.Namespace,
    choices: Sequence[Choice],
    options: BackendOptions,
    tolerances: dict[str, Tolerances],
) -> int:
    """Run the engines, judge, print and write."""
    problems: list[str] = []
    with scratch_folder() as folder:
        models = _models(args.model, args.int8, Path(folder))
        backends, failed = load(choices, models, options)
        try:
            frames = read_frames(args.input, args.topic, args.images, problems)
            found = compare(backends, tqdm(frames, unit="image", desc="comparing"))
        finally:
            for backend in backends.values():
                backend.close()
    table, result = report(found, failed, tolerances)
    print(table)
    if args.out:
        write_text(args.out / "report.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
        write_text(args.out / "report.md", table + "\n")
        print(f"report: {args.out / 'report.md'}")
    return tell(problems) if result["passed"] else EXCEEDED


Frame = tuple[str, Sample, Crop | None]
"""Source, image with what is known about it, crop."""


def read_frames(
    path: Path, topic: str | None, limit: int, problems: list[str] | None = None
) -> Iterator[Frame]:
    """Yield up to ``limit`` images, 0 for all; tell what cannot be read in ``problems``.

    Of a native data set, given by its folder or its ``frames.jsonl``, they come with their labels
    and evenly spread; of anything else they are the first ones.

    Raises:
        LabelError, SourceError, BagError: What cannot be read.
    """
    labels = path / FILE_NAME if (path / FILE_NAME).is_file() else path
    if labels.suffix == Path(FILE_NAME).suffix and topic is None:
        with plain(labels).open("rb") as lines:
            total = sum(1 for _ in lines)
        for frame in evenly(native.read(labels), total, limit):
            # A teacher's opinion is no truth.
            yield frame.source, frame.to_score().load(), frame.crop
        return
    source = open_source(path, topic)
    for image in islice(source, limit or None):
        yield "images", Sample(image.image, name=image.name), image.crop
    if problems is not None:
        problems += source.problems


def load(
    choices: Sequence[Choice], models: dict[str, str], options: BackendOptions
) -> tuple[dict[str, Backend], dict[str, str]]:
    """Load every engine that can run.

    Returns:
        Backends by label, the reference first; and why others cannot run.

    Raises:
        BackendError: The reference cannot run.
    """
    backends: dict[str, Backend] = {}
    failed: dict[str, str] = {}
    for name, precision in choices:
        label = f"{name}:{precision}"
        kind = INT8 if precision == INT8 else name
        model = models.get(kind) or models[FP32]
        try:
            backend = load_backend(model, name, replace(options, precision=precision))
            backend.spec.expect_images("evaluate --rigs with one engine, then with the other")
            backends[label] = backend
        except BackendError as error:
            if not backends:
                raise
            failed[label] = str(error)
    return backends, failed


def compare(backends: dict[str, Backend], frames: Iterator[Frame]) -> list[Differences]:
    """Run every frame through every backend; the first one is the reference.

    A picture that a model takes beside the image is the one that the labels carry; without one, the
    image before it, if that has its size. What it takes that is no picture is zeros.

    Raises:
        ValueError: There is no frame, or the models' outputs are not alike.
    """
    spec = next(iter(backends.values())).spec
    shapes = spec.output_shapes()
    for label, backend in backends.items():
        if (found_shapes := backend.spec.output_shapes()) != shapes:
            raise ValueError(
                f"{label} runs a model with the outputs {found_shapes}, the reference one with "
                f"{shapes}: compare models of one input size and the same tasks"
            )
    found = [Differences(label, item.info, item.spec) for label, item in backends.items()]
    decoders = {label: Decoder(item.spec) for label, item in backends.items()}
    promised = spec.output_tensors()
    count, before = 0, None
    for source, sample, crop in frames:
        height, width = sample.image.shape[:2]
        transform = ImageTransform.fit((height, width), spec.input_size, crop, shrink=spec.shrink)
        inputs = network_inputs(spec, sample, transform)
        if before is not None and before.shape == sample.image.shape:
            shown = transform.image_to_input(before)[np.newaxis]
            carried = companions_of(sample.labels)
            inputs |= {name: shown for name in spec.companions() if name not in carried}
        before = sample.image
        reference: dict[str, NDArray] | None = None
        for difference, (label, backend) in zip(found, backends.items(), strict=True):
            arrays = backend.infer(inputs)
            check_outputs(arrays, promised, 1)
            outputs = {name: array[0] for name, array in arrays.items()}
            reference = reference or outputs
            difference.update(outputs, reference, sample.name)
            options = own_options(backend.spec)
            perception = decoders[label](outputs, transform, options, sample.image)
            difference.scorer.update(source, perception, sample, crop)
        count += 1
    if not count:
        raise ValueError("there is no image to compare on")
    return found


def _models(model: str, int8: str, folder: Path) -> dict[str, str]:
    """Return which file each engine runs; a checkpoint is exported to ``folder`` first.

    Raises:
        BackendError: That needs what is not installed.
        CheckpointError: The checkpoint cannot be used.
    """
    path = Path(model)
    models = {FP32: model} | ({INT8: int8} if int8 else {})
    if not (path.is_dir() or path.suffix == CHECKPOINT):
        return models
    try:
        from shared_encoder_perception.model.onnx_export import export_checkpoint
    except ModuleNotFoundError as error:
        raise BackendError(
            f"{model} has to be exported, which needs {error.name!r}: "
            "pip install '.[train]', or give an .onnx file"
        ) from None
    exported, checkpoint = export_checkpoint(path, folder)
    return {**models, FP32: str(exported), "torch": str(checkpoint)}
