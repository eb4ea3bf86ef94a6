# SPDX-License-Identifier: Apache-2.0
"""What is measured, loaded: one call is one image, or one moment of a rig.

It says how long each stage took.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import INT8
from shared_encoder_perception.backends import (
    AUTO,
    Backend,
    BackendError,
    BackendInfo,
    BackendOptions,
    load_backend,
)
from shared_encoder_perception.benchmark.combinations import Combination
from shared_encoder_perception.benchmark.moments import Pictures, rig_of
from shared_encoder_perception.benchmark.peers import read_peer
from shared_encoder_perception.benchmark.plain_graph import ENGINES, random_arrays, start
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig_predictor import RigPredictor
from shared_encoder_perception.spec import INPUT_IMAGE

TOTAL: Final = "total"
"""Key beside the stages: their sum."""
RIG_OPTION: Final = "benchmark --rig four or --rig rig.yaml"


class Runner(Protocol):
    """A loaded combination.

    Attributes:
        device: Where it runs.
        precision: Arithmetic that it really runs in.
        threads: Of one inference.
    """

    device: str
    precision: str
    threads: int

    def __call__(self, image: Any) -> dict[str, float]:
        """Return milliseconds by stage, and ``TOTAL``.

        Args:
            image: (H, W, 3) uint8 BGR; of a rig those of all cameras, by their names.
        """

    def close(self) -> None:
        """Release it."""


def load(combination: Combination, nvtx: Any = None) -> Runner:
    """Load a combination.

    Args:
        combination: What to load.
        nvtx: What ``require_nvtx`` returned, to mark the stages for Nsight.

    Raises:
        BackendError, ArtifactError, SpecError: It cannot run here.
        ValueError: It cannot be asked of the rig.
    """
    if combination.peer:
        return PeerRunner(combination, nvtx)
    options = BackendOptions(
        device=combination.device,
        precision=combination.precision,
        threads=combination.threads,
        max_batch=combination.batch,
    )
    rig = rig_of(combination.rig) if combination.rig else None
    return ModelRunner(load_backend(combination.model, combination.engine, options), nvtx, rig)


def require_nvtx() -> Any:
    """Return the library that marks ranges for NVIDIA's Nsight Systems.

    Raises:
        RuntimeError: It is not installed.
    """
    try:
        return import_module("nvtx")
    except ImportError:
        raise RuntimeError("--nvtx needs the package 'nvtx': pip install nvtx") from None


class MarkedBackend:
    """A backend whose call ends the range ``preprocess`` and begins the range ``decode``.

    So the predictor's stages show without the predictor knowing.
    """

    def __init__(self, backend: Backend, nvtx: Any) -> None:
        """Wrap a loaded backend."""
        self.spec, self.info = backend.spec, backend.info
        self._backend, self._nvtx = backend, nvtx

    def infer(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Run; see ``Backend.infer``."""
        self._nvtx.pop_range()
        self._nvtx.push_range("inference")
        outputs = self._backend.infer(inputs)
        self._nvtx.pop_range()
        self._nvtx.push_range("decode")
        return outputs

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()


class ModelRunner:
    """One of our models, from image or moment to perception."""

    def __init__(self, backend: Backend, nvtx: Any = None, rig: Rig | None = None) -> None:
        """Wrap a loaded backend.

        Raises:
            SpecError: It is asked of rigs, and there is none.
            ValueError: It says nothing of the ground around the rig.
        """
        info: BackendInfo = backend.info
        self.device, self.precision, self.threads = info.device, info.precision, info.threads
        self._torch = sys.modules["torch"] if info.name == "torch" else None
        self._nvtx = nvtx
        self._backend = MarkedBackend(backend, nvtx) if nvtx else backend
        self._perceive = _of_images(self._backend) if rig is None else _of_rig(self._backend, rig)

    def __call__(self, image: Any) -> dict[str, float]:
        """Perceive an image or a moment; see ``Runner``."""
        if self._torch and self.threads and self._torch.get_num_threads() != self.threads:
            self._torch.set_num_threads(self.threads)  # one number for the whole process
        if self._nvtx:
            self._nvtx.push_range("preprocess")
        stages = dict(self._perceive(image))
        if self._nvtx:
            self._nvtx.pop_range()
        return {**stages, TOTAL: sum(stages.values())}

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()


def _of_images(backend: Backend) -> Callable[[NDArray[np.uint8]], Mapping[str, float]]:
    """Return what perceives an image and says how long each stage took; extra inputs are noise."""
    backend.spec.expect_images(RIG_OPTION)
    predictor, tensors = Predictor(backend), backend.spec.input_tensors()
    extras = random_arrays(
        {
            name: (tensor.shape, np.dtype(tensor.dtype))
            for name, tensor in tensors.items()
            if name != INPUT_IMAGE
        }
    )
    return lambda image: predictor(image, extras=extras).stage_ms


def _of_rig(backend: Backend, rig: Rig) -> Callable[[Pictures], Mapping[str, float]]:
    """Return what perceives a moment, with all answers for single cameras, likewise."""
    predictor = RigPredictor(backend, rig)
    return lambda pictures: predictor.predict(pictures).stage_ms


class PeerRunner:
    """Somebody else's network, which gets noise of its own instead of the image."""

    def __init__(self, combination: Combination, nvtx: Any = None) -> None:
        """Read and load it.

        Raises:
            BackendError, ArtifactError: It cannot run so.
        """
        peer = read_peer(Path(combination.model), combination.size)
        asked, engine = combination.precision, combination.engine
        self.precision = peer.precision if asked == AUTO else asked
        if engine not in ENGINES:
            raise BackendError(f"a peer runs on {' or '.join(ENGINES)}, not on {engine}")
        fixed = engine == "onnxruntime" or INT8 in (asked, peer.precision)
        if fixed and self.precision != peer.precision:
            raise BackendError(
                f"{engine} runs {combination.name} as it is written, in {peer.precision}, not in "
                f"{asked}"
            )
        self.threads, self._nvtx = combination.threads, nvtx
        inputs = random_arrays(peer.inputs)
        run, self.device = start(
            engine, peer.content, inputs, self.precision, self.threads, combination.device
        )
        self._run: Callable[[], Any] = run

    def __call__(self, image: Any) -> dict[str, float]:
        """Run once; see ``Runner``. There is only the stage ``inference``."""
        if self._nvtx:
            self._nvtx.push_range("inference")
        begin = perf_counter()
        self._run()
        milliseconds = (perf_counter() - begin) * 1e3
        if self._nvtx:
            self._nvtx.pop_range()
        return {"inference": milliseconds, TOTAL: milliseconds}

    def close(self) -> None:
        """Release the engine."""
        del self._run
