# SPDX-License-Identifier: Apache-2.0
"""Quantise a model to int8 on images of your own: static, per channel, one file for every engine.

    python -m shared_encoder_perception quantize --images DATA/frames.jsonl --out int8.onnx
    python -m shared_encoder_perception compare --int8 int8.onnx --input OTHER/frames.jsonl
      --engine onnxruntime:fp32 onnxruntime:int8 openvino:int8

Ranges of activations are measured on what our own preprocessing makes of the images: give such as
the vehicle will see. A range is the mean of the images' lowest and highest values: what is beyond
is cut off, so that one strange image does not make the steps coarse for all. Convolutions are
quantised; the encoder's first few and those of the decoder stay in float32 (``--keep-first``,
``--keep``), which costs no time that we could measure. Compare before you ship.

A model that compares images with others, such as backgrounds, takes those that a data set's list
names. What else it takes beside the image (tables of a rig; a background of images that no list
names) is given as arrays of the shape that its spec says, or several of them, which then take
turns: ``--input NAME=FILE.npy``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.artifact.calibration_inputs import (
    FEWEST,
    calibration_inputs,
    open_images,
    read_extras,
    take_from_lists,
    with_extras,
)
from shared_encoder_perception.artifact.file import (
    FP32,
    ArtifactError,
    read_artifact,
    write_artifact,
)
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.artifact.tensors import check_inputs
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.spec import ModelSpec

IMAGES: Final = 120
"""Images that are used by default."""
KEEP_FIRST: Final = 3
"""Convolutions from the input on that stay in float32."""
KEEP: Final = ("decoder.",)
"""Parts of the names of further ones' weights."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model",
        nargs="?",
        default=DEFAULT_MODEL,
        help="fp32 artifact: a path, or s3://, gs://, https://",
    )
    parser.add_argument(
        "--images",
        type=Path,
        nargs="+",
        required=True,
        help="folders, frames.jsonl, videos or bags",
    )
    parser.add_argument(
        "--count", type=int, default=IMAGES, help="images, the same share of each of --images"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE.npy",
        help="what the model takes beside the image",
    )
    parser.add_argument("--out", type=Path, required=True, help="the int8 artifact")
    parser.add_argument(
        "--keep-first", type=int, default=KEEP_FIRST, help="first convolutions left in fp32"
    )
    parser.add_argument(
        "--keep", nargs="*", default=list(KEEP), help="and those whose weights' names contain this"
    )
    parser.add_argument(
        "--symmetric",
        action="store_true",
        help="signed, zero points at 0, as TensorRT wants; costs more accuracy",
    )


def run(args: argparse.Namespace) -> int:
    """Quantise and say what became of the model."""
    for name, given, least in (("count", args.count, FEWEST), ("keep-first", args.keep_first, 0)):
        if given < least:
            raise ValueError(f"--{name} is {given}, expected {least} or more")
    model = fetch(args.model)
    if args.out.is_dir() or args.out.resolve() == model.resolve():
        raise ValueError(f"--out is {args.out}, expected another file than the model")
    artifact = read_artifact(model)
    if artifact.precision != FP32:
        raise ArtifactError(f"{model} is {artifact.precision} already: give the fp32 model")
    spec = artifact.spec
    spec.expect_images("leave it in fp32 or fp16, no images of rigs are measured on")
    sources = [open_images(path) for path in args.images]
    extras = read_extras(args.input, spec, take_from_lists(sources, args.input, spec))
    images = calibration_inputs(sources, args.count, spec)
    inputs = with_extras(images, extras)
    quantised, left = quantise(
        model, spec, inputs, args.out, args.keep_first, args.keep, args.symmetric
    )
    print(f"{quantised} convolutions in int8, {left} left in fp32")
    print(f"model: {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)")
    return tell([problem for source in sources for problem in source.problems])


def quantise(
    model: Path,
    spec: ModelSpec,
    inputs: Iterable[Mapping[str, NDArray]],
    out: Path,
    keep_first: int = KEEP_FIRST,
    keep: Sequence[str] = KEEP,
    symmetric: bool = False,
) -> tuple[int, int]:
    """Write the quantised model, with the spec of the other one.

    Args:
        model: fp32 artifact.
        spec: Its spec.
        inputs: ``spec.input_tensors()`` by name, for one image each, with the batch axis.
        out: File to write; appears only when complete.
        keep_first: How many convolutions from the input on stay in float32.
        keep: And those whose weights' names contain one of these.
        symmetric: Signed activations with zero points at 0.

    Returns:
        How many convolutions were quantised, and how many were not.

    Raises:
        InputError: Inputs that the model does not take.
        ValueError: None is left to quantise, or ``keep`` has a name that no weights have.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        """Hands the inputs to ONNX Runtime one by one."""

        def __init__(self) -> None:
            self._inputs = iter(tqdm(inputs, desc="measuring ranges", unit="image"))

        def get_next(self) -> dict[str, NDArray] | None:
            """Return the next one."""
            given = next(self._inputs, None)
            if given is not None:
                check_inputs(given, spec.input_tensors())
            return None if given is None else dict(given)

    kind = quantization.QuantType
    with scratch_folder() as folder, _without_advice():
        prepared, result = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        excluded = _left_in_float(onnx.load(prepared).graph, keep_first, keep)
        quantization.quantize_static(
            str(prepared),
            str(result),
            Reader(),
            per_channel=True,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=excluded,
            activation_type=kind.QInt8 if symmetric else kind.QUInt8,
            weight_type=kind.QInt8,
            extra_options={
                "ActivationSymmetric": symmetric,
                "WeightSymmetric": True,
                "CalibMovingAverage": True,
            },
        )
        quantised = onnx.load(result)
    # Without what the network was built from: it is not to be trained on.
    write_artifact(quantised, spec, out)
    return _count(quantised.graph)


def _left_in_float(graph: onnx.GraphProto, first: int, parts: Sequence[str]) -> list[str]:
    """Name the convolutions that are not quantised; see ``quantise``."""
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    for part in parts:
        if not any(part in node.input[1] for node in convolutions):
            raise ValueError(
                f"no convolution's weights have {part!r} in their name, as in "
                f"{convolutions[-1].input[1] if convolutions else 'none'!r}: correct --keep"
            )
    left = [
        node.name
        for index, node in enumerate(convolutions)
        if index < first or any(part in node.input[1] for part in parts)
    ]
    if len(left) == len(convolutions):
        raise ValueError(f"all {len(left)} convolutions are to stay in fp32: keep fewer")
    return left


def _count(graph: onnx.GraphProto) -> tuple[int, int]:
    """Count the convolutions with integer weights, and the others."""
    integers = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    found = [node.input[1] in integers for node in graph.node if node.op_type == "Conv"]
    return sum(found), len(found) - sum(found)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence ONNX Runtime, which logs the advice to do what was just done."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
