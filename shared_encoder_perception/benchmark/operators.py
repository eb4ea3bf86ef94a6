# SPDX-License-Identifier: Apache-2.0
"""Where the time of an inference goes: its operators, as the engine itself times them.

Timing each operator costs time of its own, so that this runs after everything else was measured,
and the sum is above the inference that ``stages`` tells. Shares are what to read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import CHECKPOINT, read_artifact
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import BackendError, BackendOptions, load_backend
from shared_encoder_perception.benchmark.combinations import Combination
from shared_encoder_perception.benchmark.moments import rig_of
from shared_encoder_perception.benchmark.peers import read_peer
from shared_encoder_perception.benchmark.plain_graph import (
    onnxruntime_session,
    openvino_request,
    random_arrays,
)
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.rig.table import Sight
from shared_encoder_perception.rig_predictor import view_inputs
from shared_encoder_perception.spec import ModelSpec

RUNS: Final = 30
WARM_UP: Final = 5
CONVOLUTIONS: Final = ("conv", "gemm", "matmul", "fullyconnected")
"""What the names of multiplying operators hold, in small letters, in any engine."""


@dataclass(frozen=True)
class Operator:
    """One operator of a network as an engine runs it.

    Attributes:
        name: Of the node; of the operation in torch, which does not say more.
        kind: Of the operator, as the engine calls it, with the way it is computed where it says.
        ms: Milliseconds of one inference.
        multiplies: Whether it is a convolution or a matrix product.
    """

    name: str
    kind: str
    ms: float
    multiplies: bool


def profile(combination: Combination, precision: str, threads: int) -> list[Operator]:
    """Time the operators of a combination, on noise.

    Args:
        combination: What to run.
        precision: That it ran in.
        threads: That it ran with.

    Returns:
        All of them, the dearest first.

    Raises:
        BackendError: The engine does not say, or cannot run it.
    """
    engine = ENGINES.get(combination.engine)
    if engine is None:
        raise BackendError(f"{combination.engine} does not say what its operators cost")
    totals, kinds = engine(combination, precision, threads)
    return sorted(
        (
            Operator(name, kinds[name], ms, is_product(kinds[name]))
            for name, ms in totals.items()
            if ms > 0.0
        ),
        key=lambda one: -one.ms,
    )


def is_product(kind: str) -> bool:
    """Say whether a kind of operator is a convolution or a matrix product."""
    return any(word in kind.lower() for word in CONVOLUTIONS)


def other_share(found: Sequence[Operator]) -> float:
    """Return the share of the time that is spent in anything but products, 0 to 1."""
    total = sum(one.ms for one in found)
    return sum(one.ms for one in found if not one.multiplies) / total if total else 0.0


Times = tuple[Mapping[str, float], Mapping[str, str]]
"""Milliseconds of one inference, and the kind, by the name of the operator."""


def _graph(combination: Combination) -> tuple[bytes, dict[str, NDArray]]:
    """Return the ONNX file, and noise to feed it."""
    if combination.peer:
        peer = read_peer(Path(combination.model), combination.size)
        return peer.content, random_arrays(peer.inputs)
    if Path(combination.model).suffix == CHECKPOINT:
        raise BackendError(f"{combination.engine} runs no checkpoint")
    artifact = read_artifact(fetch(combination.model))
    return artifact.content, _noise(artifact.spec, combination)


def _noise(spec: ModelSpec, combination: Combination) -> dict[str, NDArray]:
    """Return one image, or those of one rig with its view table, and what belongs to it."""
    rigs, batch = spec.of_rigs(), combination.batch
    found = random_arrays(
        {
            name: ((1 if name in rigs else batch, *one.shape), np.dtype(one.dtype))
            for name, one in spec.input_tensors().items()
        }
    )
    for task, block in spec.tasks.items():
        if combination.rig and tasks.is_rig(task):  # where it is looked up decides what that costs
            sight = Sight.of(rig_of(combination.rig), block.grid, spec.input_size)
            found |= view_inputs(task, block, sight, None)
    return found


def _onnxruntime(combination: Combination, precision: str, threads: int) -> Times:
    """Sum up the trace that ONNX Runtime writes."""
    content, inputs = _graph(combination)
    with scratch_folder() as folder:
        prefix = str(Path(folder) / "trace")

        def record(options: Any) -> None:
            options.enable_profiling = True
            options.profile_file_prefix = prefix

        session, _ = onnxruntime_session(content, threads, combination.device, record)
        for _ in range(WARM_UP + RUNS):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    suffix = "_kernel_time"
    seen: dict[str, list[float]] = defaultdict(list)
    kinds = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(suffix):
            name = event["name"].removesuffix(suffix)
            seen[name].append(event["dur"] * 1e-3)
            kinds[name] = event["args"]["op_name"]
    return {name: float(np.median(times[WARM_UP:])) for name, times in seen.items()}, kinds


def _openvino(combination: Combination, precision: str, threads: int) -> Times:
    """Ask OpenVINO after each inference."""
    content, inputs = _graph(combination)
    request = openvino_request(
        content, inputs, precision, threads, combination.device, {"PERF_COUNT": True}
    )
    seen: dict[str, list[float]] = defaultdict(list)
    kinds = {}
    for run in range(WARM_UP + RUNS):
        request.infer(inputs, share_inputs=True)
        if run >= WARM_UP:
            for one in request.get_profiling_info():
                seen[one.node_name].append(one.real_time.total_seconds() * 1e3)
                kinds[one.node_name] = f"{one.node_type} {one.exec_type}"
    return {name: float(np.median(times)) for name, times in seen.items()}, kinds


def _torch(combination: Combination, precision: str, threads: int) -> Times:
    """Let torch's own profiler watch."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as watch

    options = BackendOptions(combination.device, precision, threads, max_batch=combination.batch)
    backend = load_backend(combination.model, "torch", options)
    inputs = _noise(backend.spec, combination)
    for _ in range(WARM_UP):
        backend.infer(inputs)
    on_gpu = not backend.info.device.startswith("cpu")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with watch(activities=activities) as seen:
        for _ in range(RUNS):
            backend.infer(inputs)
    backend.close()
    times = {
        one.key: (one.self_device_time_total if on_gpu else one.self_cpu_time_total) * 1e-3 / RUNS
        for one in seen.key_averages()
    }
    return times, {name: name for name in times}


ENGINES: Final[Mapping[str, Callable[[Combination, str, int], Times]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "torch": _torch,
}
"""Those that say what their operators cost."""
