# SPDX-License-Identifier: Apache-2.0
"""The model file: what is refused before any engine sees it, in words that help."""

import errno
import hashlib
from pathlib import Path

import changes_task
import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import (
    CHECKSUM_KEY,
    ArtifactError,
    read_artifact,
    write_artifact,
)
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.spec import METADATA_KEY, SpecError


@pytest.fixture
def model(tmp_path):
    return onnx.load(tiny_model.write_tiny_model(tmp_path / "unsealed.onnx"))


@pytest.fixture
def sealed(tmp_path, model):
    """A model file with a checksum, as export writes it."""
    path = tmp_path / "model.onnx"
    write_artifact(model, tiny_model.SPEC, path)
    return path


def test_a_written_artifact_is_read_again(sealed):
    artifact = read_artifact(sealed)
    assert artifact.spec == tiny_model.SPEC
    assert artifact.content == sealed.read_bytes()
    assert artifact.sha256 == hashlib.sha256(artifact.content).hexdigest()
    assert artifact.precision == "fp32"
    assert artifact.source == str(sealed)


def test_the_shipped_model_is_whole():
    assert read_artifact(DEFAULT_MODEL).spec.name == "default"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the model .*; give the path of an .onnx file"),
        (b"", "is empty"),
        (b"no model at all", "is not an ONNX model, or cut off"),
    ],
)
def test_bad_file_is_refused(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        read_artifact(path)


def test_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="cannot read the model"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.9, 0.999])
def test_truncated_model_is_refused(tmp_path, kept):
    path = tmp_path / "model.onnx"
    content = DEFAULT_MODEL.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises((ArtifactError, SpecError)):
        read_artifact(path)


def test_a_flipped_byte_in_the_weights_is_found_without_a_pinned_hash(sealed):
    content = bytearray(sealed.read_bytes())
    weights = onnx.load(sealed).graph.initializer[0].raw_data
    content[content.index(weights) + len(weights) // 2] ^= 1
    sealed.write_bytes(content)
    with pytest.raises(ArtifactError, match="is damaged: graph and spec do not have the checksum"):
        read_artifact(sealed)


def test_a_spec_that_somebody_edited_is_found(sealed, model):
    for entry in model.metadata_props:
        entry.value = entry.value.replace("1.2.3", "9.9.9")
    assert CHECKSUM_KEY in {entry.key for entry in model.metadata_props}
    onnx.save(model, sealed)
    with pytest.raises(ArtifactError, match="is damaged"):
        read_artifact(sealed)


def test_a_pinned_hash_refuses_every_other_file(sealed):
    right = hashlib.sha256(sealed.read_bytes()).hexdigest()
    assert read_artifact(sealed, right.upper()).sha256 == right
    with pytest.raises(ArtifactError, match=f"has the sha256 {right}, expected 00ff"):
        read_artifact(sealed, "00ff")


def test_a_model_without_a_spec_is_refused(tmp_path):
    path = tiny_model.write_tiny_model(tmp_path / "model.onnx", spec=None)
    with pytest.raises(SpecError, match=r"carries no model spec.*export it"):
        read_artifact(path)


def other_input(graph):
    graph.input[0].type.tensor_type.shape.dim[1].dim_value = 360


def float_input(graph):
    graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def second_input(graph):
    graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def float_mask(graph):
    graph.output[1].type.tensor_type.elem_type = TensorProto.FLOAT


def no_mask(graph):
    graph.output.pop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_input, r"inputs are image uint8 \(N, 360, 800, 3\), the spec promises image uint8"),
        (float_input, r"inputs are image float"),
        (second_input, r"inputs are image uint8 .*, more float"),
        (float_mask, r"output 'mask' is mask float"),
        (no_mask, r"output 'mask' is missing"),
    ],
)
def test_a_graph_that_breaks_its_promise_is_refused(tmp_path, model, change, message):
    path = tmp_path / "model.onnx"
    change(model.graph)
    onnx.save(model, path)
    with pytest.raises(SpecError, match=message):
        read_artifact(path)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (None, None),
        (
            "gain",
            r"inputs are background uint8 .*, image uint8 .*, the spec promises .*gain float",
        ),
        ("changed", "output 'changed' is missing, the spec promises changed uint8"),
    ],
)
def test_every_input_and_output_that_the_spec_names_is_in_the_graph(
    tmp_path, monkeypatch, lacking, message
):
    monkeypatch.setitem(tasks.ROOMS, changes_task.NAME, changes_task.__name__)
    spec, path = changes_task.changes_spec(), tmp_path / "model.onnx"
    borders = [
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), ["N", *tensor.shape]
            )
            for name, tensor in tensors.items()
            if name != lacking
        ]
        for tensors in (spec.input_tensors(), spec.output_tensors())
    ]
    graph = helper.make_graph([], "empty", borders[0][::-1], borders[1])  # in any order
    model = helper.make_model(graph)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)
    if message is None:
        assert read_artifact(path).spec == spec
        return
    with pytest.raises(SpecError, match=message):
        read_artifact(path)


def test_weights_in_other_files_are_refused(tmp_path, model):
    path = tmp_path / "model.onnx"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((64, 64), np.float32), "big"))
    onnx.save(model, path, save_as_external_data=True, size_threshold=1024)
    with pytest.raises(ArtifactError, match="keeps weights in other files"):
        read_artifact(path)


@pytest.mark.parametrize("place", ["constant", "branch", "function"])
def test_no_tensor_anywhere_names_another_file(tmp_path, model, place):
    """An engine would read the file, wherever the name leads."""
    hidden = numpy_helper.from_array(np.zeros(4, np.float32), "hidden")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="../../victim")
    node = helper.make_node("Constant", [], ["hidden"], value=hidden)
    if place == "constant":
        model.graph.node.append(node)
    elif place == "branch":
        body = helper.make_graph([node], "body", [], [])
        branch = helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body)
        model.graph.node.append(branch)
    else:
        opset = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("d", "f", [], ["hidden"], [node], opset))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="keeps weights in other files"):
        read_artifact(path)


def test_a_full_disk_leaves_the_old_model_and_nothing_half_written(sealed, model, monkeypatch):
    before = sealed.read_bytes()

    def full(self, _):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_artifact(model, tiny_model.SPEC, sealed)
    monkeypatch.undo()
    assert sealed.read_bytes() == before
    assert not list(sealed.parent.glob("*.part"))


def test_a_type_that_onnx_does_not_know_is_said(tmp_path):
    path = tiny_model.write_tiny_model(tmp_path / "tiny.onnx")
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.elem_type = 500
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SpecError, match=r"'lanes' is lanes of type 500 \(N, 5, 5, 40, 100\)"):
        read_artifact(path)
