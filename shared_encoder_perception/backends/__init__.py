"""Engines that run a model artifact: one Protocol, one literal table, imported when chosen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.spec import ModelSpec

DEFAULT_MODEL: Final = Path(__file__).resolve().parent.parent / "models" / "default.onnx"
"""The model shipped inside the package."""

BACKENDS: Final = {
    "onnxruntime": ("shared_encoder_perception.backends.onnxruntime", "OnnxRuntimeBackend"),
}
"""Name -> (module, class)."""


class BackendError(RuntimeError):
    """A backend or model that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class BackendInfo:
    """What really runs, as reported by the engine.

    Attributes:
        name: Key in ``BACKENDS``.
        version: Version of the engine.
        device: Where it runs, e.g. ``"cpu"``.
        precision: Arithmetic it runs in, e.g. ``"fp32"``.
        source: Where the model came from.
        sha256: Of the model file, lower-case hexadecimal.
    """

    name: str
    version: str
    device: str
    precision: str
    source: str
    sha256: str


class Backend(Protocol):
    """A loaded model: uint8 images in, named output arrays out."""

    spec: ModelSpec
    info: BackendInfo

    def infer(self, images: NDArray[np.uint8]) -> dict[str, NDArray]:
        """Run (N, H, W, 3) uint8 BGR images of ``spec.input_size``.

        Returns:
            The outputs of ``spec.output_shapes(N)`` by name.
        """

    def close(self) -> None:
        """Release the engine. The backend cannot be used afterwards."""


@dataclass(frozen=True)
class BackendOptions:
    """How to run a model.

    Attributes:
        device: ``"cpu"`` (this version runs on the CPU only).
        threads: Threads of one inference, 0 = as many as the process may use.
    """

    device: str = "cpu"
    threads: int = 0


def load_backend(
    model: Path | str = DEFAULT_MODEL,
    name: str = "onnxruntime",
    options: BackendOptions | None = None,
) -> Backend:
    """Load ``model`` into the engine called ``name``.

    Raises:
        BackendError: Unknown name, missing package, or a model that cannot be read.
        SpecError: A model without a valid spec.
    """
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(sorted(BACKENDS))}")
    module_name, class_name = BACKENDS[name]
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise BackendError(
            f"backend {name!r} needs the package {error.name!r}: pip install {error.name}"
        ) from None
    backend: Backend = getattr(module, class_name)(Path(model), options or BackendOptions())
    return backend


def read_model_file(path: Path) -> tuple[bytes, str]:
    """Read a model file once, for the engine and for its identity.

    Returns:
        The content, and its sha256 in lower-case hexadecimal.

    Raises:
        BackendError: The file is missing, unreadable or empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BackendError(
            f"cannot read the model {path}: {error.strerror or error}; "
            "give the path of an .onnx file written by this package's export"
        ) from None
    if not content:
        raise BackendError(f"the model {path} is empty (0 bytes): copy or export it again")
    return content, hashlib.sha256(content).hexdigest()
