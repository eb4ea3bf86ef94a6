# SPDX-License-Identifier: Apache-2.0
"""The profile: which operators an engine spends an inference on."""

import json

import pytest
from small_convolutions import write_convolutions

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import BACKENDS, BackendError
from shared_encoder_perception.benchmark.combinations import Combination
from shared_encoder_perception.benchmark.operators import (
    ENGINES,
    Operator,
    is_product,
    other_share,
    profile,
)
from shared_encoder_perception.benchmark.report import DEAREST, operator_table


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_convolutions(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engines_say_what_each_operator_costs(model, engine):
    pytest.importorskip(BACKENDS[engine].requires)
    found = profile(Combination("small", str(model), engine, "fp32", 1), "fp32", 1)
    assert found and all(one.ms > 0 for one in found)
    assert [one.ms for one in found] == sorted((one.ms for one in found), reverse=True)
    assert any(one.multiplies and "conv" in one.kind.lower() for one in found)
    assert 0.0 < other_share(found) < 1.0


def test_torch_says_it_too():
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    from shared_encoder_perception.backends import DEFAULT_MODEL

    found = profile(Combination("default", str(DEFAULT_MODEL), "torch", "fp32", 1), "fp32", 1)
    assert any(one.multiplies for one in found)


def test_an_engine_that_does_not_say_is_named():
    assert set(ENGINES) < set(BACKENDS)
    with pytest.raises(BackendError, match="tensorrt does not say"):
        profile(Combination("any", "any.onnx", "tensorrt", "fp32", 1), "fp32", 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *((kind, True) for kind in ("Conv", "FusedConv", "QLinearConv", "Convolution jit_amx")),
        *((kind, True) for kind in ("aten::mkldnn_convolution", "Gemm", "MatMul")),
        *((kind, False) for kind in ("Resize", "Interpolate jit_avx2", "Add", "Sigmoid", "Cast")),
    ],
)
def test_products_are_told_from_the_rest(kind, expected):
    assert is_product(kind) == expected


def test_shares_add_up():
    found = [Operator("a", "Conv", 3.0, True), Operator("b", "Resize", 1.0, False)]
    assert other_share(found) == 0.25
    assert other_share([]) == 0.0


def test_the_table_shows_the_dearest_ten():
    operators = [
        {"name": f"node{n}", "kind": "Conv", "ms": 20.0 - n, "multiplies": True} for n in range(12)
    ]
    row = {"label": "m x1", "precision": "fp32", "operators": operators, "other_share": 0.0}
    lines = operator_table(row)
    assert len(lines) == DEAREST + 2
    assert "node0" in lines[1] and "node10" not in "".join(lines)
    assert lines[-1].startswith("12 operators")
    assert max(len(line) for line in lines) <= 120


def test_the_command_prints_and_writes_it(model, tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["--model", str(model), "--engine", "onnxruntime", "--images", "3", "--no-node"]
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(["benchmark", *arguments, *cache, "--profile", "--json", str(out)]) == 0
    assert "dearest operators" in capsys.readouterr().out
    (row,) = json.loads(out.read_text())["rows"]
    assert row["operators"] and 0 <= row["other_share"] <= 1
