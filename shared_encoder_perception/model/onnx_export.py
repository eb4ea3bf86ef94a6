# SPDX-License-Identifier: Apache-2.0
"""Network -> ONNX artifact with its ModelSpec inside."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch

from shared_encoder_perception.artifact.file import CHECKPOINT, NETWORK_KEY, write_artifact
from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.layers.lift import GRID_SAMPLE, use_sampler
from shared_encoder_perception.model.checkpoint import read_network, save_network
from shared_encoder_perception.model.fold_input import fold_input
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork, plain_spec
from shared_encoder_perception.spec import ModelSpec

OPSET: Final = 18


def export_onnx(
    network: PerceptionNetwork, spec: ModelSpec, path: Path, sampler: str = GRID_SAMPLE
) -> None:
    """Write ``network`` as an ONNX file that keeps ``spec``'s promise.

    The batch axis of images is dynamic, that of rigs is one. Weights are inside the file, which
    also says what the network was built from, so that it can be trained on (``from_artifact``).

    Args:
        network: Trained network; put into inference mode.
        spec: Goes into the file's metadata.
        path: File to write; replaced if it exists.
        sampler: How features of cameras are sampled, a key of ``layers.lift.SAMPLERS``. The usual
            one is the faster one; the other is for engines whose ``GridSample`` is wrong.

    Raises:
        ValueError: An unknown sampler, or a spec that the network does not keep.
    """
    wrapper = DeployWrapper(network.cpu(), spec.tasks)
    use_sampler(wrapper, sampler)
    of_rigs = spec.of_rigs()
    # Two images: torch.export takes an axis of one for a constant.
    arrays = blank(spec.input_tensors(), 2, of_rigs)
    images = {0: torch.export.Dim("N", min=1)}
    free = tuple(None if name in of_rigs else images for name in arrays)
    with warnings.catch_warnings():
        # torch.export walks trees in a way that torch itself has deprecated.
        warnings.filterwarnings("ignore", ".*treespec", FutureWarning)
        program = torch.onnx.export(
            wrapper,
            tuple(torch.from_numpy(array) for array in arrays.values()),
            input_names=wrapper.inputs,
            output_names=wrapper.outputs,
            dynamic_shapes=(free,),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    fold_input(model)
    write_artifact(model, spec, path, {NETWORK_KEY: json.dumps(asdict(network.config))})


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
    spec = ModelSpec.from_json(text) if text else plain_spec(network.config, path.stem)
    exported, again = folder / "exported.onnx", folder / f"exported{CHECKPOINT}"
    save_network(network, again, spec)
    export_onnx(network, spec, exported)
    return exported, again
