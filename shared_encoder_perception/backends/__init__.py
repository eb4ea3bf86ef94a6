# SPDX-License-Identifier: Apache-2.0
"""Engines that run a model artifact: one Protocol, one literal table, imported when chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import (
    BF16,
    CHECKPOINT,
    FP16,
    FP32,
    INT8,
    Artifact,
    read_artifact,
)
from shared_encoder_perception.artifact.remote import FOLDER
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.files.safe_text import printable, redact
from shared_encoder_perception.spec import ModelSpec

DEFAULT_MODEL: Final = FOLDER / "default.onnx"
"""The model shipped inside the package."""

AUTO: Final = "auto"
"""Value of a backend, device or precision that leaves the choice to us."""
PRECISIONS: Final = (AUTO, FP32, FP16, BF16, INT8)


class Engine(NamedTuple):
    """Where a backend is found.

    Attributes:
        module: To import.
        class_name: In it; takes an ``Artifact`` and ``BackendOptions``.
        requires: The library, as it is imported.
        package: What to install when it is missing.
    """

    module: str
    class_name: str
    requires: str
    package: str


_HERE: Final = "shared_encoder_perception.backends"
BACKENDS: Final = {
    "onnxruntime": Engine(
        f"{_HERE}.onnxruntime",
        "OnnxRuntimeBackend",
        "onnxruntime",
        "onnxruntime, or onnxruntime-gpu for CUDA",
    ),
    "openvino": Engine(f"{_HERE}.openvino", "OpenVinoBackend", "openvino", "openvino"),
    "tensorrt": Engine(
        f"{_HERE}.tensorrt", "TensorRtBackend", "tensorrt", "tensorrt-cu12 cuda-bindings"
    ),
    "torch": Engine(f"{_HERE}.torch", "TorchBackend", "torch", "torch timm"),
}
"""Name -> where it is."""


class BackendError(RuntimeError):
    """A backend or model that cannot be used; the message says what to do."""


class UnfitError(BackendError):
    """An engine that cannot run this model as asked, where another may: ``auto`` passes it over."""


@dataclass(frozen=True)
class BackendInfo:
    """What really runs, as reported by the engine.

    Attributes:
        name: Key in ``BACKENDS``.
        version: Version of the engine.
        device: Where it runs, e.g. ``"cpu"``.
        precision: Arithmetic of its convolutions, e.g. ``"fp32"``.
        threads: Of one inference; 0 where the engine does not say.
        source: Where the model came from.
        sha256: Of the model file, lower-case hexadecimal.
        reason: Why this engine was taken, when it was left to us.
        fallback: Why not what was asked for; empty when it is what was asked for.
    """

    name: str
    version: str
    device: str
    precision: str
    threads: int
    source: str
    sha256: str
    reason: str = ""
    fallback: str = ""


class Backend(Protocol):
    """A loaded model: named arrays in, named arrays out."""

    spec: ModelSpec
    info: BackendInfo

    def infer(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Run N images, and what else belongs to them.

        Each image's answer is the same as if it were alone.

        Args:
            inputs: ``spec.input_tensors()`` by name, each with a batch axis of N: the images
                (N, H, W, 3) uint8 BGR, of ``spec.input_size``, are called ``image``.

        Returns:
            ``spec.output_tensors()`` by name, each with a batch axis of N.

        Raises:
            InputError: The inputs are others than the model takes; see ``tensors``.
        """

    def close(self) -> None:
        """Release the engine. The backend cannot be used afterwards."""


@dataclass(frozen=True)
class BackendOptions:
    """How to run a model.

    Attributes:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; ONNX Runtime also ``"tensorrt"``, its own
            TensorRT provider; ``"auto"`` for a GPU if there is one that the engine can use.
        precision: A value of ``PRECISIONS``. ``"auto"`` is the model's own; on a CPU with AMX,
            OpenVINO runs an fp32 model in bf16. ``"int8"`` needs a model that was quantised.
        threads: Threads of one inference, 0 = as many as the process may use.
        max_batch: Most images of one inference, for engines that are built for it.
        cache: Folder of engines that are built once; ``None`` for the user's cache folder.
        allow_fallback: Whether another engine, device or precision may run when what was asked for
            cannot; ``BackendInfo.fallback`` says so.
        compile: Torch only: compile the network, with CUDA graphs on a GPU.
    """

    device: str = AUTO
    precision: str = AUTO
    threads: int = 0
    max_batch: int = 1
    cache: Path | None = None
    allow_fallback: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse what no engine could do."""
        kind, _, index = self.device.partition(":")
        if kind not in (AUTO, "cpu", "cuda", "tensorrt") or (index and not index.isdigit()):
            raise BackendError(
                f"device is {self.device!r}, expected auto, cpu, cuda, cuda:N or tensorrt"
            )
        if self.precision not in PRECISIONS:
            raise BackendError(
                f"precision is {self.precision!r}, expected one of {', '.join(PRECISIONS)}"
            )
        if self.threads < 0 or self.max_batch < 1:
            raise BackendError(
                f"threads is {self.threads} and max_batch {self.max_batch}, expected 0 or more "
                "and 1 or more"
            )


def load_backend(
    model: Path | str = DEFAULT_MODEL,
    name: str = "onnxruntime",
    options: BackendOptions | None = None,
    sha256: str = "",
) -> Backend:
    """Load ``model`` into an engine.

    Args:
        model: An ``.onnx`` artifact, or a checkpoint (``.pt``) that ``export`` wrote: a path, or
            the URL of a store; see ``model_store.fetch``.
        name: A key of ``BACKENDS``, or ``"auto"``: see ``choice``.
        options: How to run it.
        sha256: What the model file must have; empty for any.

    Raises:
        BackendError: Unknown name, missing package, or an engine that cannot run the model as
            asked.
        StoreError: A model that cannot be fetched.
        ArtifactError: A model file that cannot be read.
        SpecError: A model without a valid spec.
    """
    from shared_encoder_perception.backends import choice

    options = options or BackendOptions()
    if name not in (*BACKENDS, AUTO):
        raise BackendError(f"unknown backend {name!r}: choose {AUTO} or one of {_known()}")
    path, source = fetch(model, sha256), printable(redact(str(model)))
    if path.suffix == CHECKPOINT:
        if name not in (AUTO, "torch"):
            raise BackendError(
                f"{source} is a checkpoint, which only torch runs, not {name}: "
                "export it to .onnx, or choose the backend torch"
            )
        name, artifact = "torch", _class("torch").read(path, sha256, source)
    else:
        artifact = read_artifact(path, sha256, source)
    if name == AUTO:
        return choice.start_best(artifact, options)
    return choice.start_or_fall_back(name, artifact, options)


def start(name: str, artifact: Artifact, options: BackendOptions) -> Backend:
    """Start an engine, as asked and not otherwise; see ``load_backend``."""
    backend: Backend = _class(name)(artifact, options)
    return backend


def _class(name: str) -> Any:
    """Import a backend.

    Raises:
        BackendError: Its package is missing, or lacks a library of its own.
    """
    engine = BACKENDS[name]
    try:
        import_module(engine.requires)
        return getattr(import_module(engine.module), engine.class_name)
    except ImportError as error:
        what = error.name if isinstance(error, ModuleNotFoundError) else error
        raise BackendError(
            f"backend {name!r} needs what is not there ({what}): pip install {engine.package}"
        ) from None


def _known(names: Sequence[str] = tuple(BACKENDS)) -> str:
    """List names for a message."""
    return ", ".join(sorted(names))
