# SPDX-License-Identifier: Apache-2.0
"""Building, reading and inspecting TensorRT engines."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import tensorrt as trt

from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.backends.engine_cache import PROGRESS_S

SETTINGS: Final = "strongly typed, no TF32, batch 1 first, inspectable"
"""How ``configure`` sets TensorRT up: part of the name of every engine, to be changed together."""
VERSION: Final[str] = trt.__version__
Shapes = Mapping[str, tuple[int, ...]]
"""Of each input, without the batch axis."""

_log = logging.getLogger(__name__)


class _Logger(trt.ILogger):
    """Hands TensorRT's messages to Python's logging, and keeps its errors for ours."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Take a message; called from TensorRT's threads too."""
        level = logging.DEBUG
        if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
            self.errors.append(msg)
            level = logging.ERROR
        elif severity == trt.ILogger.Severity.WARNING:
            level = logging.WARNING
        _log.log(level, "TensorRT: %s", msg)

    def failure(self, what: str) -> BackendError:
        """Make our error of the first one of TensorRT since the last failure or fresh start."""
        reason = self.errors[0].strip().splitlines()[0] if self.errors else "it does not say why"
        self.errors.clear()
        return BackendError(f"{what}: {reason}")


_logger = _Logger()  # TensorRT keeps a pointer to the first one of a process for ever


class _Progress(trt.IProgressMonitor):
    """Says every few seconds how far a build is."""

    def __init__(self) -> None:
        trt.IProgressMonitor.__init__(self)
        self._steps: dict[str, int] = {}
        self._said = time.monotonic()

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        """Note how long a phase will be."""
        self._steps[phase_name] = num_steps

    def step_complete(self, phase_name: str, step: int) -> bool:
        """Say where we are; True to go on."""
        now = time.monotonic()
        if now - self._said >= PROGRESS_S:
            self._said = now
            steps = self._steps.get(phase_name, 0)
            _log.info("TensorRT: %s, step %d of %d", phase_name, step + 1, steps)
        return True

    def phase_finish(self, phase_name: str) -> None:
        """Forget the phase."""
        self._steps.pop(phase_name, None)


def build(
    content: bytes, inputs: Shapes, max_batch: int, source: str, of_rigs: Collection[str] = ()
) -> bytes:
    """Build an engine for the calling thread's GPU; takes minutes.

    Args:
        content: The ONNX file, as ``tensorrt_plan.prepare`` makes it.
        inputs: What goes into it.
        max_batch: Most images of one inference; it is tuned for one.
        source: What to call the model in messages.
        of_rigs: Names of the inputs whose batch axis counts rigs: there is one.

    Raises:
        BackendError: TensorRT cannot start, or refuses the model.
    """
    _logger.errors.clear()
    try:
        builder = trt.Builder(_logger)
    except (RuntimeError, TypeError):  # pybind11's own, without TensorRT's reason
        raise _logger.failure(f"TensorRT {VERSION} cannot build engines here") from None
    network, parser = parse(builder, content, source)
    config = configure(builder, inputs, max_batch, of_rigs)
    progress = _Progress()
    config.progress_monitor = progress
    serialized = builder.build_serialized_network(network, config)
    del parser  # it owns the weights that the network points to
    if serialized is None:
        raise _logger.failure(f"TensorRT {VERSION} cannot build {source}")
    return bytes(serialized)


def configure(
    builder: trt.Builder, inputs: Shapes, max_batch: int, of_rigs: Collection[str] = ()
) -> Any:
    """Return how to build: in the graph's own precision, tuned for one image; see ``build``."""
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # for ``information``
    profile = builder.create_optimization_profile()
    for name, shape in inputs.items():
        one, most = (1, *shape), (1 if name in of_rigs else max_batch, *shape)
        profile.set_shape(name, one, one, most)
    config.add_optimization_profile(profile)
    return config


def parse(builder: trt.Builder, content: bytes, source: str) -> tuple[Any, Any]:
    """Parse an ONNX file; return the network and the parser, which must live as long.

    Raises:
        BackendError: TensorRT refuses the model.
    """
    # Always so from TensorRT 11 on, which ignores the flag.
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(network, _logger)
    if not parser.parse(content):
        # Logged first: the cause; the parser's own errors only name the node.
        _logger.errors += [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise _logger.failure(f"TensorRT {VERSION} cannot take {source}")
    return network, parser


def deserialize(content: bytes) -> tuple[Any, Any] | None:
    """Read an engine; return it and its runtime, which must live as long, or ``None`` if refused.

    Raises:
        BackendError: TensorRT cannot start.
    """
    _logger.errors.clear()
    try:
        runtime = trt.Runtime(_logger)
    except (RuntimeError, TypeError):
        raise _logger.failure(f"TensorRT {VERSION} cannot run engines here") from None
    engine = runtime.deserialize_cuda_engine(content)
    return None if engine is None else (engine, runtime)


def failure(what: str) -> BackendError:
    """Make an error that ends with TensorRT's own reason."""
    return _logger.failure(what)


def border(engine: trt.ICudaEngine) -> dict[str, tuple[str, str]]:
    """Say what goes in and out of an engine: name -> mode and element type, in its words."""
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    return {n: (engine.get_tensor_mode(n).name, engine.get_tensor_dtype(n).name) for n in names}


def information(engine: trt.ICudaEngine, context: trt.IExecutionContext) -> str:
    """Return what an engine says about its layers, as JSON.

    Args:
        engine: Built by ``build``.
        context: With the inputs' shapes set: some types are only said for a given shape.
    """
    inspector = engine.create_engine_inspector()
    inspector.execution_context = context
    text: str = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    return text
