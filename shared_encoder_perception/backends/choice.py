# SPDX-License-Identifier: Apache-2.0
"""Which engine runs when the user leaves it to us, and what may run instead of one that cannot.

The order is by what was fastest where it was measured (docs/engines.md):

1. an NVIDIA GPU: ``tensorrt``, then ``onnxruntime`` with a CUDA provider, then ``torch``;
2. a CPU with AMX: ``openvino`` (it then runs in bf16, unless precision says otherwise);
3. any other CPU: ``onnxruntime``, ``openvino``, ``torch``.

An engine is passed over, and that is said, when its package is not installed, or when it cannot run
the model as asked (torch: a quantised one). One that should run and fails is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from shared_encoder_perception.artifact.file import Artifact
from shared_encoder_perception.backends import (
    AUTO,
    BACKENDS,
    Backend,
    BackendError,
    BackendOptions,
    UnfitError,
    start,
)
from shared_encoder_perception.backends.hardware import gpus, has_amx

CUDA: Final = "CUDAExecutionProvider"


class Candidate(NamedTuple):
    """An engine that could run here.

    Attributes:
        name: Key of ``BACKENDS``.
        why: What speaks for it.
        cuda: Whether that is a GPU.
    """

    name: str
    why: str
    cuda: bool = False


def start_best(artifact: Artifact, options: BackendOptions) -> Backend:
    """Start the best engine for a model.

    Returns:
        It; its ``info`` says why it and not those before it.

    Raises:
        BackendError: None is installed or can run the model as asked, or the best one fails; and
            nothing else may run instead.
    """
    passed_over: list[str] = []
    remedy = ": pip install onnxruntime"
    for candidate in candidates(options):
        reason = _missing(candidate)
        if not reason:
            try:
                backend = start(candidate.name, artifact, options)
            except UnfitError as error:
                reason, remedy = str(error), ""
            except BackendError as error:
                return _instead(candidate.name, error, artifact, options)
            else:
                why = "; ".join([candidate.why, *passed_over])
                backend.info = replace(backend.info, reason=why)
                return backend
        passed_over.append(f"{candidate.name}: {reason}")
    nothing = (
        f"no engine can run {artifact.source} on device {options.device} in precision "
        f"{options.precision} ({'; '.join(dict.fromkeys(passed_over))}){remedy}"
    )
    return _instead(AUTO, BackendError(nothing), artifact, options)


def start_or_fall_back(name: str, artifact: Artifact, options: BackendOptions) -> Backend:
    """Start an engine as asked, or what can run instead where that is allowed.

    Raises:
        BackendError: It cannot run, and nothing else may or can.
    """
    try:
        return start(name, artifact, options)
    except BackendError as error:
        return _instead(name, error, artifact, options)


def candidates(options: BackendOptions) -> Iterator[Candidate]:
    """Yield the engines that could do what is asked, best first."""
    device = options.device.partition(":")[0]
    if device == "tensorrt":
        yield Candidate("onnxruntime", "the device tensorrt is a provider of ONNX Runtime")
        return
    if device != "cpu" and (gpus() or device == "cuda"):
        gpu = f"GPU {gpus()[0].name}" if gpus() else "the device cuda was asked for"
        yield Candidate("tensorrt", gpu, cuda=True)
        yield Candidate("onnxruntime", gpu, cuda=True)
        yield Candidate("torch", gpu, cuda=True)
    if device == "cuda":
        return
    here = "CPU" if device == "cpu" else "no GPU, CPU"
    if has_amx():
        yield Candidate("openvino", f"{here} with AMX")
        yield Candidate("onnxruntime", f"{here} with AMX")
    else:
        yield Candidate("onnxruntime", f"{here} without AMX")
        yield Candidate("openvino", f"{here} without AMX")
    yield Candidate("torch", here)


def _instead(
    name: str, error: BackendError, artifact: Artifact, options: BackendOptions
) -> Backend:
    """Start what can run where ``name`` cannot: any engine, in the best order, on any device.

    Raises:
        BackendError: Nothing else may, ``error`` itself, or nothing can, with every reason.
    """
    if not options.allow_fallback:
        raise error
    anything = replace(options, device=AUTO, precision=AUTO)
    errors = [f"{name}: {error}"]
    for candidate in candidates(anything):
        if _missing(candidate):
            continue
        try:
            backend = start(candidate.name, artifact, anything)
        except BackendError as other:
            errors.append(f"{candidate.name}: {other}")
            continue
        info = backend.info
        fallback = (
            f"asked for {name} on {options.device} in {options.precision}, runs on {info.name}, "
            f"{info.device}, {info.precision}, because {error}"
        )
        backend.info = replace(info, fallback=fallback)
        return backend
    raise BackendError("no engine can run the model: " + "; ".join(dict.fromkeys(errors)))


def _missing(candidate: Candidate) -> str:
    """Say what an engine lacks; empty when it can run."""
    engine = BACKENDS[candidate.name]
    if find_spec(engine.requires) is None:
        return "not installed"
    if candidate.cuda and candidate.name != "tensorrt":
        library: Any = import_module(engine.requires)
        if candidate.name == "torch" and not library.cuda.is_available():
            return "built without CUDA"
        if candidate.name == "onnxruntime" and CUDA not in library.get_available_providers():
            return "built without CUDA"
    return ""
