# SPDX-License-Identifier: Apache-2.0
"""Quantisation: integers where they were asked for, an artifact as any other, clear refusals."""

import json
import logging

import cv2
import numpy as np
import onnx
import pytest
from labelled_set import write_set
from onnx import TensorProto, numpy_helper
from pair_model import noise
from small_convolutions import SIZE, SPEC, STRIDES, write_convolutions
from tiny_model import random_image

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import (
    CHECKSUM_KEY,
    INT8,
    metadata,
    read_artifact,
    read_model,
)
from shared_encoder_perception.artifact.quantize import (
    KEEP,
    KEEP_FIRST,
    calibration_inputs,
    open_images,
    read_extras,
    take_from_lists,
    with_extras,
)
from shared_encoder_perception.backends import (
    BACKENDS,
    DEFAULT_MODEL,
    BackendError,
    BackendOptions,
    load_backend,
)
from shared_encoder_perception.backends.tensorrt_plan import prepare
from shared_encoder_perception.images.spread import evenly
from shared_encoder_perception.spec import METADATA_KEY, ModelSpec, blocks

FEW = ["--count", "8"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_convolutions(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set's folder: nine pictures, and as many masks."""
    return write_set(tmp_path_factory.mktemp("data"), 9)


@pytest.fixture(scope="module")
def quantised(model, data):
    out = model.with_name("int8.onnx")
    arguments = ["quantize", str(model), "--images", str(data), "--out", str(out), *FEW]
    assert main([*arguments, "--keep-first", "1"]) == 0
    return out


def arrays(graph):
    return {item.name: numpy_helper.to_array(item) for item in graph.initializer}


def test_weights_are_integers_with_a_scale_for_each_channel(model, quantised):
    graph, before = onnx.load(quantised).graph, arrays(onnx.load(model).graph)
    values, made_by = arrays(graph), {node.output[0]: node for node in graph.node}
    integer, kept = [], []
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        if node.input[1] in values:
            kept.append(node.name)
            assert np.array_equal(values[node.input[1]], before[f"{node.name}.weight"])
            continue
        integer.append(node.name)
        source = made_by[node.input[1]]
        assert source.op_type == "DequantizeLinear"
        weight, scale = values[source.input[0]], values[source.input[1]]
        assert weight.dtype == np.int8 and scale.shape == (8,)
        error = weight * scale[:, None, None, None] - before[f"{node.name}.weight"]
        assert (np.abs(error) <= 0.51 * scale[:, None, None, None]).all()
    assert integer == ["encoder.1", "encoder.2", "encoder.3", "encoder.4"]
    assert kept == ["encoder.0", "decoder.lanes"]


def test_how_many_are_kept_is_as_asked_and_said(model, data, tmp_path, capsys):
    out = tmp_path / "new" / "int8.onnx"
    arguments = ["quantize", str(model), "--images", str(data), "--out", str(out), *FEW]
    assert main(arguments) == 0
    assert "2 convolutions in int8, 4 left in fp32" in capsys.readouterr().out
    assert main([*arguments, "--keep-first", "0", "--keep", "encoder.4"]) == 0
    assert "5 convolutions in int8, 1 left in fp32" in capsys.readouterr().out
    assert main([*arguments, "--keep-first", "0", "--keep"]) == 0
    assert f"{len(STRIDES)} convolutions in int8, 0 left in fp32" in capsys.readouterr().out


def test_by_default_the_names_fit_the_shipped_model():
    names = [
        node.input[1] for node in read_model(DEFAULT_MODEL).graph.node if node.op_type == "Conv"
    ]
    kept = [name for name in names if any(part in name for part in KEEP)]
    assert KEEP_FIRST + len(kept) < len(names) / 2
    assert {name.split(".")[2] for name in kept} == {"neck", "narrow", "lateral", "smooth", "heads"}


def test_it_is_an_artifact_with_the_same_spec_that_is_not_to_be_trained_on(quantised):
    artifact = read_artifact(quantised)  # checks graph and checksum
    assert (artifact.spec, artifact.precision) == (SPEC, INT8)
    assert set(metadata(onnx.load(quantised))) == {METADATA_KEY, CHECKSUM_KEY}


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_it_runs_in_int8_and_answers_nearly_as_before(name, model, quantised, tmp_path):
    pytest.importorskip(BACKENDS[name].requires)
    batch = np.stack([random_image(seed, SIZE) for seed in range(2)])
    expected = load_backend(model).infer({"image": batch})
    backend = load_backend(quantised, name, BackendOptions(cache=tmp_path))
    assert backend.info.precision == INT8
    found = backend.infer({"image": batch})
    error = np.abs(found["lanes"] - expected["lanes"])
    assert 0.0 < error.mean() < 0.02 * expected["lanes"].std()
    assert np.array_equal(found["mask"], expected["mask"])


def test_only_the_symmetric_kind_is_for_tensorrt(model, quantised, data, tmp_path):
    with pytest.raises(BackendError, match="symmetrically"):
        prepare(read_artifact(quantised), INT8)
    out = tmp_path / "symmetric.onnx"
    arguments = ["quantize", str(model), "--images", str(data), "--out", str(out), *FEW]
    assert main([*arguments, "--symmetric"]) == 0
    graph = onnx.load_model_from_string(prepare(read_artifact(out), INT8)).graph
    assert any(item.data_type == TensorProto.INT8 for item in graph.initializer)


def test_of_a_data_set_the_pictures_are_used_and_not_the_masks(data):
    assert len(open_images(data)) == 9
    assert [frame.name for frame in open_images(data)] == [
        frame.name for frame in open_images(data / "frames.jsonl")
    ]


def test_images_are_spread_over_each_source_and_cropped_as_for_the_node(tmp_path):
    for folder, count in (("a", 20), ("b", 9)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            image = np.full((128, 160, 3), 10 * index, np.uint8)
            image[:64] = 255  # above the default crop
            cv2.imwrite(str(tmp_path / folder / f"{index:02d}.png"), image)
    sources = [open_images(tmp_path / name) for name in "ab"]
    found = [shown["image"] for shown in calibration_inputs(sources, 16, SPEC)]
    assert {image.shape for image in found} == {(*SIZE, 3)}
    assert all(np.ptp(image) == 0 for image in found)
    means = [int(image.mean()) // 10 for image in found]
    assert means == [0, 2, 5, 7, 10, 12, 15, 17, 0, 1, 2, 3, 4, 5, 6, 7]


def test_lists_give_the_pictures_that_a_model_compares_images_with(tmp_path):
    size, lines = (64, 160), []
    spec = ModelSpec("pair", "1", size, blocks("foreground"))
    for index in range(9):
        names = [f"{index}.png", f"empty_{index}.png"]
        for number, name in enumerate(names):
            cv2.imwrite(str(tmp_path / name), noise(10 * index + number, size))
        lines.append(json.dumps(dict(zip(("image", "background"), names, strict=True))) + "\n")
    list_, folder = tmp_path / "frames.jsonl", tmp_path / "folder"
    list_.write_text("".join(lines))
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), noise(0, size))
    sources = [open_images(list_)]
    names = take_from_lists(sources, [], spec)
    extras = read_extras([], spec, names)
    assert names == ["background"] and not extras
    found = list(with_extras(calibration_inputs(sources, 9, spec), extras))
    for index, inputs in enumerate(found):
        for number, name in enumerate(("image", "background")):
            np.testing.assert_array_equal(inputs[name], noise(10 * index + number, size)[None])
    assert take_from_lists([*sources, open_images(folder)], [], spec) == []
    assert take_from_lists(sources, ["background=a.npy"], spec) == []
    cv2.imwrite(str(tmp_path / "empty_3.png"), noise(1, (32, 80)))
    take_from_lists(sources, [], spec)
    with pytest.raises(ValueError, match=r"3.png is 160x64, its 'background' 80x32"):
        list(calibration_inputs(sources, 9, spec))


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        (10, 4, [0, 2, 5, 7]),
        (10, 9, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (3, 8, [0, 1, 2]),
        (5, 0, [0, 1, 2, 3, 4]),
        (0, 2, [0, 1]),
    ],
)
def test_evenly(total, count, expected):
    assert list(evenly(range(total or 5), total, count)) == expected


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        ("nowhere", [], "there is no"),
        ("empty", [], "holds no images"),
        ("seven", [], "7 images are too few to measure ranges: expected 8 or more"),
        ("nine", ["--count", "7"], "--count is 7, expected 8 or more"),
        ("nine", ["--keep", "head."], "no convolution's weights have 'head.' in their name"),
        ("nine", ["--keep-first", "6"], "all 6 convolutions are to stay in fp32"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_the_old_file_alone(
    images, arguments, message, model, tmp_path, capsys
):
    (tmp_path / "empty").mkdir()
    for name, count in (("seven", 7), ("nine", 9)):
        write_pictures(tmp_path / name, count)
    out = tmp_path / "out" / "int8.onnx"
    out.parent.mkdir()
    out.write_bytes(b"before")
    images = ["--images", str(tmp_path / images), "--out", str(out)]
    level = logging.getLogger().level
    assert main(["quantize", str(model), *images, *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in out.parent.iterdir()] == ["int8.onnx"]
    assert out.read_bytes() == b"before"
    assert logging.getLogger().level == level


def test_a_damaged_picture_is_left_out_and_told(model, tmp_path, capsys):
    last = write_pictures(tmp_path / "damaged", 9)
    last.write_bytes(last.read_bytes()[:200])
    out = tmp_path / "int8.onnx"
    assert main(["quantize", str(model), "--images", str(last.parent), "--out", str(out)]) == 1
    assert "damaged" in capsys.readouterr().err
    assert load_backend(out).spec.version


def write_pictures(folder, count):
    """Write so many pictures; return the last one."""
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"{index}.png"), random_image(index, SIZE))
    return folder / f"{count - 1}.png"


def test_a_quantised_model_and_the_model_itself_are_refused(
    model, quantised, data, tmp_path, capsys
):
    images = ["--images", str(data), "--out"]
    assert main(["quantize", str(quantised), *images, str(tmp_path / "again.onnx")]) == 2
    assert "is int8 already: give the fp32 model" in capsys.readouterr().err
    before = model.read_bytes()
    for out in (model, tmp_path):
        assert main(["quantize", str(model), *images, str(out)]) == 2
        assert "expected another file than the model" in capsys.readouterr().err
    assert model.read_bytes() == before
