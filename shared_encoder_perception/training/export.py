"""Checkpoint -> ONNX artifact with its ModelSpec inside, compared with torch before it is kept.

python -m shared_encoder_perception export runs/default --images DATA/val/frames.jsonl
python -m shared_encoder_perception export runs/default --held-out DATA/train --sources tusimple
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import NETWORK_KEY, write_artifact
from shared_encoder_perception.backends import CHECKPOINT, Backend, load_backend
from shared_encoder_perception.compat import flat
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.model.checkpoint import load_network, read_network, save_network
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES
from shared_encoder_perception.training.calibrate import learn_start_priors
from shared_encoder_perception.training.calibrated_artifact import (
    add_calibration_options,
    calibrate_artifact,
    calibration_worlds,
)
from shared_encoder_perception.training.held_out import held_out_frames
from shared_encoder_perception.training.origin import read_origin
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED, render_sample

OPSET: Final = 18
COMPARED: Final = 50
WORLDS_COMPARED: Final = 8
WORLDS_FOR_STARTS: Final = 400
"""Where lanes start is a median, which needs no more."""
MOST_DEVIATION: Final = 1e-3
"""Of float32 rounding in another order of operations; usual are 1e-5."""


def export_onnx(network: PerceptionNetwork, spec: ModelSpec, path: Path) -> None:
    """Write ``network`` as an ONNX file that keeps ``spec``'s promise.

    The batch axis is dynamic and weights are inside the file, which also says what the network was
    built from, so that it can be trained on (``from_artifact``).

    Args:
        network: Trained network; put into inference mode.
        spec: Goes into the file's metadata.
        path: File to write; replaced if it exists.
    """
    wrapper = DeployWrapper(network.cpu())
    images = torch.zeros((2, *spec.input_size, 3), dtype=torch.uint8)
    program = torch.onnx.export(
        wrapper,
        (images,),
        input_names=[INPUT_IMAGE],
        output_names=[OUTPUT_LANES, OUTPUT_MASK],
        dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    write_artifact(model, spec, path, {NETWORK_KEY: json.dumps(asdict(network.config))})


@dataclass(frozen=True)
class Deviation:
    """Largest differences between the artifact and torch.

    Attributes:
        images: How many were compared.
        lanes: Of heat maps and positions, and of start vectors in units of the grid.
        mask: Of mask probabilities, in steps of 1/255.
    """

    images: int
    lanes: float
    mask: int

    @property
    def small(self) -> bool:
        """Whether rounding explains it."""
        return self.images > 0 and self.lanes <= MOST_DEVIATION and self.mask <= 1

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.images} images, lanes {self.lanes:.1e}, mask {self.mask}/255"


def compare(
    network: PerceptionNetwork, backend: Backend, images: Iterable[NDArray[np.uint8]]
) -> Deviation:
    """Run network inputs (H, W, 3) through the artifact and through torch."""
    wrapper = DeployWrapper(network)
    rows, columns = backend.spec.map_size
    unit = np.array((1, columns, rows, 1, 1)).reshape(1, 1, 5, 1, 1)
    count, lanes, mask = 0, 0.0, 0
    for image in images:
        with torch.inference_mode():
            expected = [output.numpy() for output in wrapper(torch.from_numpy(image)[None])]
        found = backend.infer(image[np.newaxis])
        lanes = max(lanes, float(np.abs((found[OUTPUT_LANES] - expected[0]) / unit).max()))
        difference = found[OUTPUT_MASK].astype(np.int16) - expected[1]
        mask, count = max(mask, int(np.abs(difference).max())), count + 1
    return Deviation(count, lanes, mask)


def export_checkpoint(path: Path, folder: Path) -> tuple[Path, Path]:
    """Export a checkpoint, uncalibrated unless it has a spec already.

    Args:
        path: A run's folder, its network.pt, or what ``run`` wrote beside an export.
        folder: Where the two files go.

    Returns:
        The ``.onnx`` file and the checkpoint with the same spec.
    """
    checkpoint = path / "network.pt" if path.is_dir() else path
    network, text = read_network(checkpoint, str(checkpoint))
    spec = ModelSpec.from_json(text) if text else ModelSpec(path.stem, "0")
    exported, again = folder / "exported.onnx", folder / f"exported{CHECKPOINT}"
    save_network(network, again, spec)
    export_onnx(network, spec, exported)
    return exported, again


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", type=Path, help="network.pt of a run, or the run's folder")
    parser.add_argument("--out", type=Path, help="the .onnx file (default: beside the checkpoint)")
    parser.add_argument("--name", default="default", help="model name in the spec")
    parser.add_argument("--version", default="0.1.0", help="model version in the spec")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), default=(320, 800)
    )
    parser.add_argument(
        "--training-data", help="one line for people (default: the run's data sets)"
    )
    parser.add_argument(
        "--images", type=Path, help="folder or frames.jsonl of real images to compare with torch on"
    )
    add_calibration_options(parser)


def run(args: argparse.Namespace) -> int:
    """Export, compare with torch, calibrate the decoder, score; all goes into the spec."""
    size = (args.size[0], args.size[1])
    held_out = held_out_frames(
        args.held_out, args.sources, size
    )  # before the work: it may not be there
    checkpoint = args.checkpoint
    if checkpoint.is_dir():
        checkpoint = checkpoint / "network.pt"
    network = load_network(checkpoint)
    origin = read_origin(checkpoint.parent)
    out = args.out or checkpoint.with_name("model.onnx")
    spec = ModelSpec(
        args.name,
        args.version,
        input_size=tuple(args.size),
        training_data=args.training_data or origin.data,
        git_commit=origin.commit,
    )
    worlds = calibration_worlds(spec, min(args.worlds, WORLDS_FOR_STARTS))
    spec = flat(spec, start_priors=learn_start_priors(spec, worlds))
    export_onnx(network, spec, out)
    deviation = compare(network, load_backend(out), _images(args.images, spec))
    print(f"compared with torch: {deviation}")
    if not deviation.small:
        out.unlink()
        raise RuntimeError(f"the exported model does not answer as torch does: {deviation}")
    spec = calibrate_artifact(out, spec, held_out, args.worlds)
    save_network(network, out.with_suffix(CHECKPOINT), spec)
    print(
        f"model: {out} ({out.stat().st_size / 1e6:.1f} MB); for the backend torch: "
        f"{out.with_suffix(CHECKPOINT)}"
    )
    return 0


def _images(path: Path | None, spec: ModelSpec) -> Iterator[NDArray[np.uint8]]:
    """Network inputs to compare on: up to ``COMPARED`` of the given images, or worlds."""
    if path is None:
        for index in range(WORLDS_COMPARED):
            yield render_sample(CALIBRATION_SEED + index, spec.input_size).image
        return
    for frame in islice(open_source(path), COMPARED):
        size = (frame.image.shape[0], frame.image.shape[1])
        transform = ImageTransform.fit(size, spec.input_size, frame.crop)
        yield transform.image_to_input(frame.image)
