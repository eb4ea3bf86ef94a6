# SPDX-License-Identifier: Apache-2.0
"""The benchmark: what is combined, how it is measured, and that one run gives all it promises."""

import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from small_graphs import FLOAT, convolution, model_of
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import BF16, FP32, INT8
from shared_encoder_perception.backends import AUTO, DEFAULT_MODEL, load_backend
from shared_encoder_perception.benchmark import limits, plain_graph, report, turns
from shared_encoder_perception.benchmark.combinations import combine, parse_engine, parse_size
from shared_encoder_perception.benchmark.peers import read_peer
from shared_encoder_perception.benchmark.rows import new_row
from shared_encoder_perception.benchmark.runners import ModelRunner, require_nvtx


def write(model, path):
    onnx.save(model, path)
    return path


def test_everything_is_combined_with_everything_once(tmp_path):
    peer = write(convolution(), tmp_path / "peer.onnx")
    found = combine(["a.onnx"], ["onnxruntime", "torch"], [1, 2, 1], peers=[str(peer)])
    assert [item.label for item in found] == [
        "a.onnx onnxruntime x1",
        "a.onnx onnxruntime x2",
        "a.onnx torch x1",
        "a.onnx torch x2",
        "peer.onnx onnxruntime x1",
        "peer.onnx onnxruntime x2",
    ]
    assert [item.peer for item in found] == [False] * 4 + [True] * 2


def test_by_default_every_installed_engine_runs_the_shipped_model():
    found = {(item.engine, item.precision) for item in combine([str(DEFAULT_MODEL)], [], [0])}
    assert ("onnxruntime", AUTO) in found
    pytest.importorskip("openvino")
    assert {("openvino", FP32), ("openvino", BF16)} <= found


def test_a_quantised_peer_runs_as_it_is_written(tmp_path):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    constants = [numpy_helper.from_array(np.float32(1), "s")]
    path = write(model_of(nodes, [("x", FLOAT, [1, 2])], constants), tmp_path / "q.onnx")
    assert read_peer(path).precision == INT8
    found = combine(["a.onnx"], ["openvino:fp32", "openvino:bf16"], [1], peers=[str(path)])
    assert [item.precision for item in found if item.peer] == [AUTO]


def test_files_of_one_name_are_told_apart_by_their_folders():
    found = combine(["a/net.onnx", "b/net.onnx"], ["onnxruntime"], [1])
    assert [item.name for item in found] == ["a/net.onnx", "b/net.onnx"]


@pytest.mark.parametrize("text", ["caffe", "openvino:fp8", ""])
def test_an_unknown_engine_is_refused_with_what_there_is(text):
    with pytest.raises(ValueError, match="openvino:bf16"):
        parse_engine(text)


@pytest.mark.parametrize("text", ["320", "320x", "0x8", "-1x8", "axb"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="HEIGHTxWIDTH"):
        parse_size(text)


def test_each_takes_each_image_in_changing_order():
    order = []

    def runner(name):
        return lambda image: order.append((name, image)) or {"inference": image, "total": image}

    taken = turns.measure([runner("a"), runner("b")], iter(range(1, 9)), 8)
    assert [[row["total"] for row in rows] for rows in taken] == [list(range(1, 9))] * 2
    assert sorted(order) == sorted((name, image) for name in "ab" for image in range(1, 9))
    assert {order[index][0] for index in range(0, 16, 2)} == {"a", "b"}


def test_percentiles_and_throughput_are_those_of_the_times():
    summary = turns.summarise([{"total": float(value)} for value in range(1, 102)])
    assert summary["total"] == {"p50": 51, "p95": 96, "p99": 100, "mean": 51}
    assert turns.images_per_second(summary) == pytest.approx(1000 / 51)
    assert turns.summarise([]) == {}


def test_nvtx_ranges_enclose_each_stage_and_close(tmp_path):
    """The ranges go to a list instead of Nsight; the predictor that is marked is the real one."""
    seen = []
    nvtx = SimpleNamespace(push_range=seen.append, pop_range=lambda: seen.append("end"))
    runner = ModelRunner(load_backend(write_tiny_model(tmp_path / "tiny.onnx")), nvtx)
    times = runner(random_image(1))
    assert seen == ["preprocess", "end", "inference", "end", "decode", "end"]
    assert list(times) == ["preprocess", "inference", "decode", "total"]


def test_nvtx_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nvtx", None)
    with pytest.raises(RuntimeError, match="pip install nvtx"):
        require_nvtx()


def test_a_peer_gives_what_the_engine_computes(tmp_path):
    peer = read_peer(write(convolution(), tmp_path / "peer.onnx"))
    inputs = plain_graph.random_arrays(peer.inputs)
    run, device = plain_graph.start("onnxruntime", peer.content, inputs, FP32, 1, "cpu")
    padded = np.pad(inputs["x"], ((0, 0), (0, 0), (1, 1), (1, 1)))
    assert run()[0][0, 0, 1, 1] == pytest.approx(padded[0, :, 2:5, 2:5].sum() + 1, rel=1e-5)
    assert device == "cpu"


def test_tables_fit_120_columns_whatever_the_names_and_times(tmp_path):
    item = combine([f"{'long' * 20}.onnx"], ["onnxruntime"], [64])[0]
    points = {"p50": 12345.6, "p95": 12345.6, "p99": 12345.6, "mean": 12345.6}
    stages = dict.fromkeys(("preprocess", "inference", "decode", "total"), points)
    row = {**new_row(item), "stages": stages, "images_per_s": 1234.5}
    lines = [*report.latency_table([row]), *report.cost_table([row])]
    assert max(map(len, lines)) <= 120 and "…" in lines[1]


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """Put three images where the drive would be rendered to."""
    from shared_encoder_perception.demo import clip

    folder = tmp_path / f"clip-{clip.version_of(clip.SPEED_M_PER_FRAME, clip.SCENES)}"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), random_image(index))
    lines = [f'{{"image": "{index}.png", "focal_px": 800}}\n' for index in range(3)]
    (folder / "frames.jsonl").write_text("".join(lines))
    return tmp_path


def test_one_run_gives_tables_json_and_plot(tmp_path, clip, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(limits, "SIZE", 64)
    monkeypatch.setattr(limits, "SECONDS", 0.01)
    model = write_tiny_model(tmp_path / "tiny.onnx")
    peer = write(convolution(height="H", width="W"), tmp_path / "peer.onnx")
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    arguments = ["--model", str(model), "missing.onnx", "--engine", "onnxruntime", "--threads", "1"]
    arguments += ["--peer", str(peer), "--peer-size", "8x10", "--images", "3", "--no-node"]
    arguments += ["--cache", str(clip), "--json", str(out), "--plot", str(picture)]
    assert main(["benchmark", *arguments]) == 0
    result = json.loads(out.read_text())
    tiny, missing, other = result["rows"]
    assert (tiny["ran"], missing["ran"], other["ran"]) == (True, False, True)
    assert "missing.onnx" in missing["reason"]
    assert set(tiny["stages"]) == {"preprocess", "inference", "decode", "total"}
    assert set(other["stages"]) == {"inference", "total"}
    assert other["cost"]["macs"] == 6 * 4 * 5 * 27 and other["share_of_limit"] > 0
    for row in (tiny, other):
        assert row["images_per_s"] > 0 and row["cold_start"]["load_ms"] > 0
        assert row["cold_start"]["peak_mb"] > row["cold_start"]["model_mb"]
    assert result["limits"][0]["best"] == max(result["limits"][0]["gflops"].values())
    assert cv2.imread(str(picture)).shape[1] > 500
    text = capsys.readouterr().out
    assert "tiny.onnx" in text and "not run: missing.onnx" in text
    assert not list(tmp_path.glob("*.part"))


def test_a_run_in_which_nothing_can_run_fails_and_says_why(clip, capsys):
    arguments = ["--model", "missing.onnx", "--engine", "onnxruntime", "--cache", str(clip)]
    assert main(["benchmark", *arguments, "--no-node"]) == 1
    assert "not run: missing.onnx" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "0"], "--images"),
        (["--threads", "-1"], "threads"),
        (["--engine", "caffe"], "caffe"),
        (["--json", "no/such/folder/out.json"], "no folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(arguments, message, capsys):
    assert main(["benchmark", *arguments]) == 2
    assert message in capsys.readouterr().err
