# SPDX-License-Identifier: Apache-2.0
"""compare: every kind of input, every engine, one verdict."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from labelled_set import write_set
from pair_model import noise, write_pair_model
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from small_convolutions import SIZE, write_convolutions
from smallest import ENCODER
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import FP32, INT8
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.evaluation.compare import compare as compare_on
from shared_encoder_perception.evaluation.compare import read_frames
from shared_encoder_perception.spec import ModelSpec

SCORES = ("lane_accuracy", "lane_f1", "mask_iou")
TWO = ["--engine", "onnxruntime", "onnxruntime:fp32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models, and the same four pictures as a data set, as a folder, and as a bag."""
    folder = tmp_path_factory.mktemp("compare")
    write_tiny_model(folder / "tiny.onnx")
    write_convolutions(folder / "small.onnx")
    write_set(folder / "data", 4)
    (folder / "pictures").mkdir()
    for index in range(9):
        cv2.imwrite(str(folder / "pictures" / f"{index}.png"), random_image(index, SIZE))
    write_bag(folder / "bag")
    images = ["--images", str(folder / "pictures"), "--count", "9", "--keep-first", "1"]
    out = ["--out", str(folder / "int8.onnx")]
    assert main(["quantize", str(folder / "small.onnx"), *images, *out]) == 0
    return folder


def write_bag(path):
    """Two images on /camera."""
    store, kind = get_typestore(Stores.ROS2_JAZZY), "sensor_msgs/msg/Image"
    types = store.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera", kind, typestore=store)
        for index in range(2):
            image = random_image(index, SIZE)
            stamp = types["builtin_interfaces/msg/Time"](sec=index, nanosec=0)
            message = types[kind](
                header=types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera"),
                height=SIZE[0],
                width=SIZE[1],
                encoding="bgr8",
                is_bigendian=0,
                step=3 * SIZE[1],
                data=image.reshape(-1),
            )
            writer.write(connection, index, store.serialize_cdr(message, kind))


def compare(folder, model, *arguments):
    """Run the command; return exit status and report."""
    out = folder / "report"
    (out / "report.json").unlink(missing_ok=True)
    status = main(["compare", str(folder / model), *map(str, arguments), "--out", str(out)])
    path = out / "report.json"
    assert not list(out.glob("*.part"))
    return status, json.loads(path.read_text()) if path.exists() else None


@pytest.mark.parametrize(
    ("source", "images", "labelled"),
    [
        ("data", 4, True),
        ("data/frames.jsonl", 4, True),
        ("pictures", 9, False),
        ("pictures/3.png", 1, False),
        ("bag", 2, False),
    ],
)
def test_every_kind_of_input(source, images, labelled, folder, capsys):
    status, result = compare(folder, "tiny.onnx", "--input", folder / source, *TWO)
    assert status == 0 and result["passed"]
    assert [row["engine"] for row in result["engines"]] == ["onnxruntime:auto", "onnxruntime:fp32"]
    for row in result["engines"]:
        assert (row["images"], row["precision"]) == (images, FP32)
        assert set(row["largest"].values()) == {0.0}
        assert all((row["scores"][key] is not None) == labelled for key in SCORES)
    text = capsys.readouterr().out
    assert f"{images} images, against onnxruntime:auto" in text
    assert (folder / "report" / "report.md").read_text() in text


def test_another_engine_is_compared_with_the_first(folder, tmp_path):
    pytest.importorskip("openvino")
    engines = ["--engine", "onnxruntime:fp32", "openvino:fp32", "--images", "2"]
    arguments = ["--input", folder / "data", *engines, "--cache", tmp_path]
    status, result = compare(folder, "small.onnx", *arguments)
    assert status == 0
    first, second = result["engines"]
    assert (first["runs"].split()[0], second["runs"].split()[0]) == ("onnxruntime", "openvino")
    assert first["largest"]["start"] == 0.0 < second["largest"]["start"] < 1e-4
    assert first["images"] == second["images"] == 2


def test_what_exceeds_its_tolerance_is_named_and_the_exit_status_says_so(folder, tmp_path, capsys):
    arguments = ["--input", folder / "pictures", "--int8", folder / "int8.onnx"]
    arguments += ["--engine", "onnxruntime:fp32", "onnxruntime:int8"]
    status, result = compare(folder, "small.onnx", *arguments)
    assert status == 0  # nothing is asked of int8 but scores
    found = result["engines"][1]
    assert found["precision"] == INT8 and found["largest"]["heat"] > found["mean"]["heat"] > 0.0
    assert found["largest_heat_error_on"] in {f"{index}.png" for index in range(9)}
    strict = tmp_path / "strict.yaml"
    strict.write_text("int8: {heat: 1.0e-9, mask: 0}\n")
    capsys.readouterr()
    status, result = compare(folder, "small.onnx", *arguments, "--tolerances", strict)
    assert status == 1 and not result["passed"]
    (exceeding,) = result["engines"][1]["exceeded"]
    assert exceeding.startswith("heat error ") and exceeding.endswith(" > 1e-09")
    assert f"| {exceeding} |" in capsys.readouterr().out
    assert result["engines"][0]["exceeded"] == []


def test_an_engine_that_cannot_run_is_reported_and_the_exit_status_says_so(folder, capsys):
    arguments = ["--input", folder / "pictures", *TWO]
    status, result = compare(folder, "tiny.onnx", *arguments, "onnxruntime:bf16", "openvino:int8")
    assert status == 1 and not result["passed"]
    assert set(result["failed"]) == {"onnxruntime:bf16", "openvino:int8"}
    assert len(result["engines"]) == 2
    assert "onnxruntime:bf16 could not run: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "onnxruntime:bf16", "onnxruntime"], "runs a model as it is written"),
        (["--engine", "caffe"], "engine 'caffe': expected one of onnxruntime"),
        (["--engine", "openvino:int4"], "engine 'openvino:int4'"),
        (["--images", "-1"], "--images is -1"),
        (["--tolerances", "none.yaml"], "none.yaml: No such file"),
        (["--topic", "/camera"], "--topic is for bags"),
        (["--int8", "none.onnx", "--engine", "onnxruntime:int8"], "none.onnx"),
        (["--input", "nowhere.jsonl"], "nowhere.jsonl: No such file"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, folder, capsys):
    defaults = ["--input", folder / "data", *TWO]
    status, result = compare(folder, "tiny.onnx", *defaults, *arguments)
    assert (status, result) == (2, None)
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_models_of_different_input_sizes_are_not_compared(folder, capsys):
    arguments = ["--input", folder / "pictures", "--int8", folder / "int8.onnx"]
    engines = ["--engine", "onnxruntime:fp32", "onnxruntime:int8"]
    assert compare(folder, "tiny.onnx", *arguments, *engines)[0] == 2
    assert "compare models of one input size and the same tasks" in capsys.readouterr().err


def test_a_part_of_a_data_set_is_spread_over_it_and_a_teachers_mask_is_no_truth(folder, tmp_path):
    frames = list(read_frames(folder / "data", None, 2))
    assert [sample.name.rpartition(", ")[2] for _, sample, _ in frames] == ["line 1", "line 3"]
    assert all(set(sample.labels) == {"lanes", "drivable_surface"} for _, sample, _ in frames)
    labelled = write_set(tmp_path / "taught", 1, pseudo=["mask"])
    ((source, sample, crop),) = read_frames(labelled / "frames.jsonl", None, 0)
    assert (source, set(sample.labels), crop.height) == ("road", {"lanes"}, 128)


def test_a_run_is_exported_first_and_torch_runs_its_checkpoint(folder, tmp_path):
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    from shared_encoder_perception.model.checkpoint import save_network
    from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork

    config = NetworkConfig(ENCODER, channels=16, head_channels=8)
    network = PerceptionNetwork(config).eval()
    spec = ModelSpec("mine", "7", input_size=SIZE)
    save_network(network, tmp_path / "run" / "network.pt", spec)
    arguments = ["--input", folder / "pictures", "--images", "3"]
    status, result = compare(tmp_path, "run", *arguments, "--engine", "torch", "onnxruntime")
    assert status == 0
    assert [row["runs"].split()[0] for row in result["engines"]] == ["torch", "onnxruntime"]
    assert result["engines"][1]["largest"]["heat"] < 1e-4
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["network.pt"]


def test_without_torch_a_run_cannot_be_exported_and_that_is_said(folder):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from shared_encoder_perception.__main__ import main\n"
        f"sys.exit(main(['compare', {str(folder)!r}, '--input', {str(folder / 'data')!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert "has to be exported, which needs 'torch': pip install '.[train]'" in result.stderr


def test_an_image_without_a_background_is_compared_with_the_one_before(tmp_path, monkeypatch):
    backend = load_backend(write_pair_model(tmp_path / "pair.onnx"), "onnxruntime")
    (tmp_path / "in").mkdir()
    sizes = [(64, 160), (64, 160), (32, 80)]
    images = [noise(index, size) for index, size in enumerate(sizes)]
    for index, image in enumerate(images):
        cv2.imwrite(str(tmp_path / "in" / f"{index}.png"), image)
    seen = []
    infer = backend.infer
    monkeypatch.setattr(backend, "infer", lambda inputs: seen.append(inputs) or infer(inputs))
    compare_on({"onnxruntime:fp32": backend}, read_frames(tmp_path / "in", None, 0))
    same = [bool((one["image"] == one["background"]).all()) for one in seen]
    assert same == [True, False, True], "the first one, and one of another size, are alone"
    np.testing.assert_array_equal(seen[1]["background"][0], images[0])
