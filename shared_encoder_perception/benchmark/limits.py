# SPDX-License-Identifier: Apache-2.0
"""How fast this machine multiplies matrices: the measure of what an engine makes of it.

A dense product of square matrices is the friendliest work there is. Each precision is tried with
everything that could do it, numpy and the engines themselves, and the fastest counts. An engine may
still exceed it: Winograd's convolutions need fewer multiplications than are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import numpy as np

from shared_encoder_perception.artifact.file import BF16, FP16, FP32
from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.benchmark.fresh_process import answer, ask
from shared_encoder_perception.benchmark.plain_graph import start

SIZE: Final = 2048
SIZE_CUDA: Final = 8192
SECONDS: Final = 1.0
"""For each way to multiply."""
PRECISIONS: Final = (FP32, BF16, FP16)
"""Those for which there is a limit here; int8 has none."""


def measure(
    precision: str,
    threads: int,
    device: str = "cpu",
    torch: bool = False,
    size: int = 0,
    seconds: float = 0.0,
) -> dict[str, float]:
    """Multiply matrices in a fresh process, limited to ``threads``.

    Args:
        precision: One of ``PRECISIONS``.
        threads: Of one product.
        device: As ``BackendInfo.device``: ``"cpu"``, ``"cuda:0 (its name)"``.
        torch: Whether to try torch too; always so on a GPU.
        size: Of the matrices; 0 for the usual one.
        seconds: For each way to multiply; 0 for the usual time.

    Returns:
        GFLOP/s by who reached it, 2 for each multiply-accumulate; empty when nothing can.

    Raises:
        RuntimeError: The process failed.
    """
    device = device.partition(" ")[0].replace("tensorrt", "cuda")
    on_gpu = device != "cpu"
    request = {
        "precision": precision,
        "threads": threads,
        "device": device,
        "torch": torch or on_gpu,
        "size": size or (SIZE_CUDA if on_gpu else SIZE),
        "seconds": seconds or SECONDS,
    }
    return ask(__spec__.name, request, threads)


def share(gmac: float, inference_ms: float, gflops: float) -> float:
    """Return what part of a rate an inference reached."""
    return 2 * gmac / (inference_ms / 1e3) / gflops


def _rates(request: dict[str, Any]) -> dict[str, Any]:
    """Be the fresh process."""
    precision, size, threads = request["precision"], request["size"], request["threads"]
    ways: dict[str, Callable[[], Callable[[], Any]]] = {}
    if request["device"] == "cpu":
        if precision == FP32:
            ways["numpy"] = lambda: _numpy(size)
            ways["onnxruntime"] = lambda: _engine("onnxruntime", precision, threads, size)
        ways["openvino"] = lambda: _engine("openvino", precision, threads, size)
    if request["torch"]:
        ways["torch"] = lambda: _torch(precision, threads, size, request["device"])
    found = {}
    for name, prepare in ways.items():
        try:
            multiply = prepare()
        except (BackendError, ImportError):  # not installed, or cannot do this precision
            continue
        found[name] = 2e-9 * size**3 / _fastest_s(multiply, request["seconds"])
    return found


def _fastest_s(multiply: Callable[[], Any], seconds: float) -> float:
    """Return how long the fastest of several products took; the first one warms up."""
    multiply()
    fastest, end = float("inf"), perf_counter() + seconds
    while fastest == float("inf") or perf_counter() < end:
        begin = perf_counter()
        multiply()
        fastest = min(fastest, perf_counter() - begin)
    return fastest


def _factors(size: int) -> list[np.ndarray]:
    """Return two square matrices."""
    return list(np.random.default_rng(0).random((2, size, size), np.float32))


def _numpy(size: int) -> Callable[[], Any]:
    """Multiply with numpy's BLAS."""
    left, right = _factors(size)
    out = np.empty_like(left)
    return lambda: np.matmul(left, right, out=out)


def _engine(engine: str, precision: str, threads: int, size: int) -> Callable[[], Any]:
    """Multiply with an engine; the right factor is a weight, as in a network.

    Only its largest element is returned, so that copying it out does not count.
    """
    from onnx import TensorProto, helper, numpy_helper

    left, right = _factors(size)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["left", "right"], ["product"]),
            helper.make_node("ReduceMax", ["product"], ["largest"], keepdims=0),
        ],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.FLOAT, left.shape)],
        [helper.make_tensor_value_info("largest", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(right, "right")],
    )
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    content = model.SerializeToString()
    run, _ = start(engine, content, {"left": left}, precision, threads, "cpu")
    return run


def _torch(precision: str, threads: int, size: int, device: str) -> Callable[[], Any]:
    """Multiply with torch, in full fp32 where that is asked for (no TF32)."""
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise BackendError("this build of torch has no CUDA")
    torch.set_num_threads(threads or torch.get_num_threads())
    kind = {FP32: torch.float32, BF16: torch.bfloat16, FP16: torch.float16}[precision]
    left, right = (torch.from_numpy(item).to(device, kind) for item in _factors(size))

    def multiply() -> None:
        torch.mm(left, right)
        if device != "cpu":
            torch.cuda.synchronize()

    return multiply


if __name__ == "__main__":
    answer(_rates)
