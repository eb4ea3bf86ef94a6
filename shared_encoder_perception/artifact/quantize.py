"""Quantise a model to int8 on images of your own: static, per channel, one file for every engine.

    python -m shared_encoder_perception quantize --images DATA/frames.jsonl --out int8.onnx
    python -m shared_encoder_perception compare --int8 int8.onnx --input OTHER/frames.jsonl
      --engine onnxruntime:fp32 onnxruntime:int8 openvino:int8

Ranges of activations are measured on what our own preprocessing makes of the images: give such as
the vehicle will see. A range is the mean of the images' lowest and highest values: what is beyond
is cut off, so that one strange image does not make the steps coarse for all. Convolutions are
quantised; the encoder's first few and those of the decoder stay in float32 (``--keep-first``,
``--keep``), which costs no time that we could measure. Compare before you ship.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.artifact.file import (
    FP32,
    ArtifactError,
    read_artifact,
    write_artifact,
)
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import Source, open_source
from shared_encoder_perception.images.spread import evenly
from shared_encoder_perception.labels.record_faults import FILE_NAME
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec
from shared_encoder_perception.structures import Size

IMAGES: Final = 120
"""Images that are used by default."""
FEWEST: Final = 8
"""Images below which ranges are guesses."""
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
    if args.count < FEWEST or args.keep_first < 0:
        raise ValueError(f"expected --count of {FEWEST} or more and --keep-first of 0 or more")
    model = fetch(args.model)
    if args.out.is_dir() or args.out.resolve() == model.resolve():
        raise ValueError(f"--out is {args.out}, expected another file than the model")
    artifact = read_artifact(model)
    if artifact.precision != FP32:
        raise ArtifactError(f"{model} is {artifact.precision} already: give the fp32 model")
    sources = [open_images(path) for path in args.images]
    inputs = calibration_inputs(sources, args.count, artifact.spec.input_size)
    quantised, left = quantise(
        model, artifact.spec, inputs, args.out, args.keep_first, args.keep, args.symmetric
    )
    print(f"{quantised} convolutions in int8, {left} left in fp32")
    print(f"model: {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)")
    return 0


def open_images(path: Path) -> Source:
    """Open a source; a data set's folder by its list, since its masks are no camera images.

    Raises:
        SourceError: It cannot be read.
    """
    labels = path / FILE_NAME
    return open_source(labels if labels.is_file() else path)


def calibration_inputs(
    sources: Sequence[Source], count: int, size: Size
) -> Iterator[NDArray[np.uint8]]:
    """Yield network inputs (H, W, 3) of about ``count`` images, spread evenly over each source.

    Raises:
        ValueError: There are too few images.
    """
    each, seen = -(-count // len(sources)), 0
    for source in sources:
        for frame in evenly(source, len(source), each):
            height, width = frame.image.shape[:2]
            yield ImageTransform.fit((height, width), size, frame.crop).image_to_input(frame.image)
            seen += 1
    if seen < FEWEST:
        raise ValueError(f"{seen} images are too few to measure ranges: expected {FEWEST} or more")


def quantise(
    model: Path,
    spec: ModelSpec,
    inputs: Iterable[NDArray[np.uint8]],
    out: Path,
    keep_first: int = KEEP_FIRST,
    keep: Sequence[str] = KEEP,
    symmetric: bool = False,
) -> tuple[int, int]:
    """Write the quantised model, with the spec of the other one.

    Args:
        model: fp32 artifact.
        spec: Its spec.
        inputs: (H, W, 3) uint8 network inputs.
        out: File to write; appears only when complete.
        keep_first: How many convolutions from the input on stay in float32.
        keep: And those whose weights' names contain one of these.
        symmetric: Signed activations with zero points at 0.

    Returns:
        How many convolutions were quantised, and how many were not.

    Raises:
        ValueError: None is left to quantise, or ``keep`` has a name that no weights have.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        """Hands the inputs to ONNX Runtime one by one."""

        def __init__(self) -> None:
            self._images = iter(tqdm(inputs, desc="measuring ranges", unit="image"))

        def get_next(self) -> dict[str, NDArray] | None:
            """Return the next one."""
            image = next(self._images, None)
            return None if image is None else {INPUT_IMAGE: image[np.newaxis]}

    kind = quantization.QuantType
    with tempfile.TemporaryDirectory() as folder, _without_advice():
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
