# SPDX-License-Identifier: Apache-2.0
"""Models whose load goes wrong, in every process that finds this folder's engine first.

``write_engine`` leaves an ``onnxruntime`` that is the real one, but for models that ask for trouble
in what they say they were trained on.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_model import SPEC, write_tiny_model

HOLDS, CRASHES = "holds the interpreter", "takes its process down"

ENGINE = f"""
import os, signal, sys

here = os.path.dirname(__file__)
sys.path.remove(here)
del sys.modules[__name__]
import onnxruntime

sys.path.insert(0, here)
sessions = onnxruntime.InferenceSession


def session(content, *options, **more):
    if {HOLDS.encode()!r} in content:
        print("the engine holds the interpreter", flush=True)
        sum(range(10**15))
    if {CRASHES.encode()!r} in content:
        os.kill(os.getpid(), signal.SIGSEGV)
    return sessions(content, *options, **more)


onnxruntime.InferenceSession = session
"""


def use_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that are started from now on find the engine."""
    (folder / "engine").mkdir()
    (folder / "engine" / "onnxruntime.py").write_text(ENGINE)
    paths = [str(folder / "engine"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def write_bad_model(path: Path, trouble: str) -> Path:
    """Write a model that asks the engine for trouble."""
    return write_tiny_model(path, replace(SPEC, training_data=trouble))


def write_endless_model(path: Path) -> Path:
    """Write a model that every engine loads, and whose first inference never ends."""
    model = onnx.load(write_tiny_model(path))
    graph = model.graph
    number = helper.make_tensor_value_info
    go_on = helper.make_node("Identity", ["go"], ["goes_on"])
    add = helper.make_node("Add", ["sum", "one"], ["next"])
    body = helper.make_graph(
        [go_on, add],
        "body",
        [
            number("turn", TensorProto.INT64, []),
            number("go", TensorProto.BOOL, []),
            number("sum", TensorProto.FLOAT, [1]),
        ],
        [number("goes_on", TensorProto.BOOL, []), number("next", TensorProto.FLOAT, [1])],
    )
    graph.initializer.extend(
        numpy_helper.from_array(array, name)
        for name, array in {
            "turns": np.array(2**62, np.int64),
            "yes": np.array(True),
            "one": np.ones(1, np.float32),
        }.items()
    )
    for node in graph.node:
        node.input[:] = ["looped" if name == "mean5" else name for name in node.input]
    place = [node.output[0] for node in graph.node].index("mean5") + 1
    for node in (
        # From what the image says: nothing for an engine to work out when it loads the model.
        helper.make_node("ReduceMean", ["mean5"], ["begin5"], keepdims=0),
        helper.make_node("Unsqueeze", ["begin5", "first_axis"], ["begin"]),
        helper.make_node("Loop", ["turns", "yes", "begin"], ["total"], body=body),
        helper.make_node("Add", ["mean5", "total"], ["looped"]),
    ):
        graph.node.insert(place, node)
        place += 1
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), "first_axis"))
    onnx.save(model, path)
    return path
