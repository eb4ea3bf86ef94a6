# SPDX-License-Identifier: Apache-2.0
"""Run any ONNX graph on ONNX Runtime or OpenVINO, set up as our backends set them up.

For what carries no spec of ours: other people's networks, and the matrix product that shows what
the machine can do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import FP16, FP32, INT8
from shared_encoder_perception.backends import AUTO, BackendError
from shared_encoder_perception.backends.hardware import gpus

Arrays = Mapping[str, NDArray]
ENGINES: Final = ("onnxruntime", "openvino")
"""Those that take any graph."""


def start(
    engine: str, content: bytes, inputs: Arrays, precision: str, threads: int, device: str = AUTO
) -> tuple[Callable[[], Any], str]:
    """Load a graph.

    Args:
        engine: One of ``ENGINES``.
        content: The ONNX file.
        inputs: What to feed, by name; the shapes are fixed to theirs.
        precision: Of the arithmetic; ONNX Runtime runs a graph as it is written.
        threads: Of one inference.
        device: ``"auto"``, ``"cpu"`` or, with ONNX Runtime, ``"cuda"``.

    Returns:
        A function that runs the graph on ``inputs`` once and waits for its outputs, and the device.

    Raises:
        BackendError: The engine is not installed, or cannot run the graph so.
    """
    try:
        if engine == "openvino":
            return _openvino(content, inputs, precision, threads, device)
        return _onnxruntime(content, inputs, threads, device)
    except ImportError as error:
        raise BackendError(f"{engine} is not installed ({error}): pip install {engine}") from None
    except BackendError:
        raise
    except Exception as error:  # both engines raise types of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise BackendError(f"{engine} cannot run it: {reason}") from None


def random_arrays(shapes: Mapping[str, tuple[tuple[int, ...], Any]]) -> dict[str, NDArray]:
    """Return noise of the given shapes and types: floats in [0, 1], integers in [0, 255]."""
    random = np.random.default_rng(0)
    return {
        name: (
            random.integers(0, 256, shape).astype(kind)
            if np.issubdtype(kind, np.integer)
            else random.random(shape, np.float32).astype(kind)
        )
        for name, (shape, kind) in shapes.items()
    }


def _onnxruntime(
    content: bytes, inputs: Arrays, threads: int, device: str
) -> tuple[Callable[[], Any], str]:
    """Start a session."""
    session, device = onnxruntime_session(content, threads, device)
    fed = dict(inputs)
    return lambda: session.run(None, fed), device


def onnxruntime_session(
    content: bytes, threads: int, device: str, configure: Callable[[Any], None] | None = None
) -> tuple[Any, str]:
    """Start a session of ONNX Runtime, and say on which device.

    Args:
        content: The ONNX file.
        threads: Of one inference.
        device: As for ``start``.
        configure: Changes the ``SessionOptions`` before.

    Raises:
        BackendError: There is no such device for it.
    """
    import onnxruntime as ort

    from shared_encoder_perception.backends.onnxruntime import PROVIDERS

    there = ort.get_available_providers()
    if device == AUTO:
        device = "cuda" if gpus() and PROVIDERS["cuda"] in there else "cpu"
    kind, _, index = device.partition(":")
    if PROVIDERS[kind] not in there:
        raise BackendError(f"this build of ONNX Runtime has no provider for {device!r}")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if configure:
        configure(options)
    settings = {"cuda": {"device_id": index or "0", "use_tf32": "0"}}
    providers: list[Any] = [(PROVIDERS[kind], settings.get(kind, {}))]
    if kind != "cpu":
        providers.append(PROVIDERS["cpu"])
    session = ort.InferenceSession(content, options, providers=providers)
    if PROVIDERS[kind] not in session.get_providers():
        raise BackendError(f"ONNX Runtime could not start its provider for {device!r}, see its log")
    return session, device


def _openvino(
    content: bytes, inputs: Arrays, precision: str, threads: int, device: str
) -> tuple[Callable[[], Any], str]:
    """Compile for exactly these inputs."""
    request = openvino_request(content, inputs, precision, threads, device)
    fed = dict(inputs)

    def run() -> list[NDArray]:
        return [array.copy() for array in request.infer(fed, share_inputs=True).values()]

    return run, "cpu"


def openvino_request(
    content: bytes,
    inputs: Arrays,
    precision: str,
    threads: int,
    device: str,
    more: Mapping[str, Any] | None = None,
) -> Any:
    """Compile with OpenVINO; see ``start``.

    Args:
        content: The ONNX file.
        inputs: As for ``start``.
        precision: As for ``start``.
        threads: Of one inference.
        device: ``"auto"`` or ``"cpu"``.
        more: Properties of OpenVINO beside ours.

    Raises:
        BackendError: No such device or precision.
    """
    import io

    from shared_encoder_perception.backends.openvino import DEVICE, HINTS, the_core

    if device not in (AUTO, "cpu"):
        raise BackendError(f"openvino runs on the device cpu here, not {device!r}")
    core = the_core()
    can = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    if precision not in (FP32, INT8) and precision.upper() not in can:
        raise BackendError(f"OpenVINO has no {precision} on this CPU, only {', '.join(can)}")
    model = core.read_model(io.BytesIO(content))
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    config = {
        "INFERENCE_PRECISION_HINT": HINTS.get(precision, HINTS[FP32]),
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        **(more or {}),
    }
    return core.compile_model(model, DEVICE, config).create_infer_request()


def written_precision(types: set[int], operators: set[str]) -> str:
    """Say what arithmetic a graph is written for, from its weights' types and its operators."""
    from onnx import TensorProto

    if operators & {"QuantizeLinear", "QLinearConv", "ConvInteger", "DynamicQuantizeLinear"}:
        return INT8
    return FP16 if TensorProto.FLOAT16 in types else FP32
