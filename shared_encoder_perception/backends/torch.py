# SPDX-License-Identifier: Apache-2.0
"""PyTorch: a checkpoint, or the network unfolded from an artifact; cpu or CUDA."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import (
    BF16,
    CHECKPOINT,
    FP16,
    FP32,
    INT8,
    Artifact,
    ArtifactError,
    check_sha256,
    parse,
    read_file,
)
from shared_encoder_perception.artifact.tensors import blank, check_inputs
from shared_encoder_perception.backends import (
    AUTO,
    BackendError,
    BackendInfo,
    BackendOptions,
    UnfitError,
)
from shared_encoder_perception.backends.hardware import cores
from shared_encoder_perception.model.checkpoint import CheckpointError, read_network
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork
from shared_encoder_perception.model.unfold import unfold
from shared_encoder_perception.spec import ModelSpec, SpecError

PROBE = (64, 64)
"""Size of the picture that shows in what precision the network runs."""
TYPES = {FP32: torch.float32, BF16: torch.bfloat16, FP16: torch.float16}


class TorchBackend:
    """Runs the network in eager torch or compiled, through the wrapper that is exported too."""

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        """Build the network and move it to the device.

        Raises:
            BackendError: No such device, or a model or precision that torch does not run.
        """
        self._device = _device(options)
        self._type = TYPES[_precision(artifact, options, self._device)]
        # Otherwise "fp32" would be TF32 on a GPU: 10 bits of mantissa.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        if options.threads:
            torch.set_num_threads(options.threads)
        elif self._device.type == "cpu":
            torch.set_num_threads(cores())
        network = _wrapped(artifact).to(self._device)
        network = network.to(memory_format=torch.channels_last).requires_grad_(False)
        self._run: Any = network
        if options.compile:
            mode = "reduce-overhead" if self._device.type == "cuda" else "default"
            self._run = torch.compile(network, mode=mode)
        self.spec = artifact.spec
        self._inputs, self._of_rigs = self.spec.input_tensors(), self.spec.of_rigs()
        self.info = BackendInfo(
            name="torch",
            version=torch.__version__,
            device=_device_name(self._device),
            precision=self._seen_precision(network),
            threads=torch.get_num_threads() if self._device.type == "cpu" else 0,
            source=artifact.source,
            sha256=artifact.sha256,
        )
        self._outputs = network.outputs

    @staticmethod
    def read(path: Path, sha256: str, source: str) -> Artifact:
        """Read a checkpoint as ``read_artifact`` does an ONNX file.

        Raises:
            ArtifactError: Missing, unreadable, foreign or another file than was asked for.
            SpecError: Nobody gave it a spec, or one that this version cannot read.
        """
        content = read_file(path)
        found = check_sha256(content, sha256, source)
        try:
            _, text = read_network(io.BytesIO(content), source)
        except CheckpointError as error:
            raise ArtifactError(str(error)) from None
        if not text:
            raise SpecError(
                f"{source} carries no model spec: give the {CHECKPOINT} file that `export` writes "
                "beside the .onnx file, not that of the training run"
            )
        return Artifact(source, content, found, ModelSpec.from_json(text), FP32)

    def infer(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Run images and what belongs to them; see ``Backend.infer``."""
        check_inputs(inputs, self._inputs, self._of_rigs)
        tensors = [
            torch.from_numpy(np.ascontiguousarray(inputs[name])).to(self._device)
            for name in self._inputs
        ]
        with torch.inference_mode(), self._autocast():
            outputs = self._run(*tensors)
        # A CUDA graph's outputs are overwritten by the next run.
        arrays = [output.cpu().numpy().copy() for output in outputs]
        return dict(zip(self._outputs, arrays, strict=True))

    def close(self) -> None:
        """Release the network."""
        del self._run

    def _autocast(self) -> torch.autocast:
        """Return the context in which convolutions run in the precision."""
        half = self._type != torch.float32
        return torch.autocast(self._device.type, self._type if half else None, enabled=half)

    def _seen_precision(self, network: torch.nn.Module) -> str:
        """Look at what a convolution answers in."""
        seen: list[torch.dtype] = []
        first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
        hook = first.register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
        small = blank(replace(self.spec, input_size=PROBE).input_tensors())
        with torch.inference_mode(), self._autocast():
            network(*(torch.from_numpy(array).to(self._device) for array in small.values()))
        hook.remove()
        return {dtype: name for name, dtype in TYPES.items()}[seen[0]]


ZIP: Final = b"PK"
"""How a checkpoint begins; the name of one behind a URL need not end in its suffix."""


def _wrapped(artifact: Artifact) -> DeployWrapper:
    """Build what runs.

    Raises:
        BackendError: The network cannot be taken back from the file, or lacks a task of its spec.
    """
    try:
        return DeployWrapper(_network(artifact), artifact.spec.tasks)
    except ValueError as error:
        raise UnfitError(f"torch cannot run this model: {error}") from None


def _network(artifact: Artifact) -> PerceptionNetwork:
    """Build the network of a checkpoint or an ONNX file.

    Raises:
        CheckpointError: It cannot be taken back from the file.
    """
    if artifact.content.startswith(ZIP):
        return read_network(io.BytesIO(artifact.content), artifact.source)[0]
    return unfold(parse(artifact.content, artifact.source), artifact.source)[0]


def _device(options: BackendOptions) -> torch.device:
    """Return the device to run on.

    Raises:
        BackendError: It is not there.
    """
    there = torch.cuda.is_available()
    if options.device == AUTO:
        return torch.device("cuda" if there else "cpu")
    if options.device == "tensorrt":
        raise BackendError("the backend torch runs on cpu or cuda, not on tensorrt")
    device = torch.device(options.device)
    if device.type == "cuda" and (not there or (device.index or 0) >= torch.cuda.device_count()):
        raise BackendError(
            f"torch {torch.__version__} sees no device {options.device!r} "
            f"({torch.cuda.device_count()} GPUs): check the driver, or use the device cpu"
        )
    return device


def _device_name(device: torch.device) -> str:
    """Name a device with its hardware."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else "cpu"


def _precision(artifact: Artifact, options: BackendOptions, device: torch.device) -> str:
    """Return the arithmetic to run in.

    Raises:
        BackendError: Torch does not run the network in it.
    """
    asked = FP32 if options.precision == AUTO else options.precision
    if INT8 in (asked, artifact.precision):
        raise UnfitError(
            "the backend torch does not run quantised models: use onnxruntime, openvino or tensorrt"
        )
    if asked == FP16 and device.type == "cpu":
        raise UnfitError("the backend torch runs fp16 on a GPU only: use bf16 or fp32 on a CPU")
    return asked
