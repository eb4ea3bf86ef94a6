# SPDX-License-Identifier: Apache-2.0
"""A model that takes more than the image and gives two tensors of one task: on every engine."""

import re

import changes_task
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from changes_task import changes_spec, some_inputs, write_changes_model

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.tensors import InputError
from shared_encoder_perception.backends import BACKENDS, BackendOptions, load_backend, tensorrt_plan
from shared_encoder_perception.backends.hardware import Gpu
from shared_encoder_perception.backends.tensorrt_plan import prepare
from shared_encoder_perception.benchmark.graph_cost import count
from shared_encoder_perception.benchmark.runners import ModelRunner
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import SpecError

pytest.importorskip("torch", reason="the model is exported from torch: make test")
pytest.importorskip("timm", reason="the model is exported from torch: make test")

CPU = [name for name in BACKENDS if name != "tensorrt"]
IMAGES = 3
INPUTS = some_inputs(IMAGES)


@pytest.fixture(scope="module", autouse=True)
def in_table():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tasks.ROOMS, changes_task.NAME, changes_task.__name__)
        yield


@pytest.fixture(scope="module")
def models(in_table, tmp_path_factory):
    """The artifact and the checkpoint; they answer the package's own tasks too."""
    return write_changes_model(tmp_path_factory.mktemp("model"), *tasks.DEFAULT)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def expected(models):
    return load_backend(models[0], "onnxruntime").infer(INPUTS)


@pytest.fixture(scope="module", params=[*CPU, "checkpoint"])
def backend(request, models, cache):
    name = "torch" if request.param == "checkpoint" else request.param
    pytest.importorskip(BACKENDS[name].requires)
    path = models[request.param == "checkpoint"]
    return load_backend(path, name, BackendOptions(precision="fp32", cache=cache))


def part(inputs, index):
    """The inputs of one image."""
    return {name: array[index : index + 1] for name, array in inputs.items()}


def furthest(found, expected):
    """Largest differences of both outputs, of the strength and in steps."""
    steps = found["changed"].astype(int) - expected["changed"]
    return np.abs(found["strength"] - expected["strength"]).max(), np.abs(steps).max()


# ---- engines -------------------------------------------------------------------------------------


def test_the_graph_takes_and_gives_what_the_spec_promises(models):
    artifact = read_artifact(models[0])
    assert artifact.spec == changes_spec(*tasks.DEFAULT)
    assert list(artifact.spec.input_tensors()) == ["image", "background", "gain"]


def test_all_engines_agree(backend, expected):
    assert np.ptp(expected["strength"]) > 0.3
    found = backend.infer(INPUTS)
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == backend.spec.output_shapes(IMAGES)
    strength, steps = furthest(found, expected)
    assert strength < 1e-4 and steps <= 1


def test_in_a_batch_each_image_has_its_own_extras(backend):
    together = backend.infer(INPUTS)
    for index in range(IMAGES):
        strength, steps = furthest(backend.infer(part(INPUTS, index)), part(together, index))
        assert strength < 1e-4 and steps <= 1


@pytest.mark.parametrize("name", ["background", "gain"])
def test_each_input_has_its_effect(backend, name):
    changed = {**INPUTS, name: some_inputs(IMAGES, seed=1)[name]}
    strength, _ = furthest(backend.infer(changed), backend.infer(INPUTS))
    assert strength > 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": None}, r"input 'gain' is missing, expected float32 \(8, 20\) for each image"),
        ({"image": None}, r"input 'image' is missing, expected uint8 \(64, 160, 3\)"),
        ({"backgrund": INPUTS["gain"]}, "no input 'backgrund'; did you mean 'background'"),
        (
            {"gain": INPUTS["gain"].astype(np.float64)},
            r"input 'gain' is float64 \(3, 8, 20\), expected float32 \(N, 8, 20\)",
        ),
        ({"gain": INPUTS["gain"][0]}, r"'gain' is float32 \(8, 20\), expected float32 \(N, 8, 20"),
        (
            {"background": INPUTS["background"][:, :32]},
            r"'background' is uint8 \(3, 32, 160, 3\), expected uint8 \(N, 64, 160, 3\)",
        ),
        ({"gain": INPUTS["gain"][:2]}, "different numbers of images .*'gain': 2"),
        ({"image": INPUTS["image"][:0]}, r"'image' is uint8 \(0, 64, 160, 3\)"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_the_next_inputs_work(backend, change, message):
    given = {name: array for name, array in {**INPUTS, **change}.items() if array is not None}
    with pytest.raises(InputError, match=message):
        backend.infer(given)
    assert backend.infer(INPUTS)["strength"].shape == (IMAGES, *changes_task.CELLS)


def test_arrays_without_names_are_refused(backend):
    with pytest.raises(InputError, match="are a ndarray, expected arrays by name: image, backgr"):
        backend.infer(INPUTS["image"])


def test_images_and_extras_need_not_be_contiguous(backend):
    flipped = {name: array[:, ::-1] for name, array in INPUTS.items()}
    copied = {name: np.ascontiguousarray(array) for name, array in flipped.items()}
    strength, steps = furthest(backend.infer(flipped), backend.infer(copied))
    assert strength < 1e-6 and steps <= 1


def test_the_other_tasks_answer_as_on_onnx_runtime(backend, expected):
    """Tensors are told apart by name, also on torch, which knows an order only."""
    found = backend.infer(INPUTS)
    assert list(found) == list(expected) == ["lanes", "mask", "strength", "changed"]
    assert np.abs(found["mask"].astype(int) - expected["mask"]).max() <= 1
    assert np.abs(found["lanes"] - expected["lanes"]).max() < 1e-2


# ---- precisions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_bf16_answers_nearly_as_fp32(name, models, cache, expected):
    pytest.importorskip(BACKENDS[name].requires)
    backend = load_backend(models[0], name, BackendOptions(precision="bf16", cache=cache))
    assert backend.info.precision == "bf16"
    found = backend.infer(INPUTS)
    assert found["strength"].dtype == np.float32 and found["changed"].dtype == np.uint8
    strength, _ = furthest(found, expected)
    assert 0.0 < strength < 0.1


def test_in_fp16_the_inputs_keep_their_types_and_bytes_are_cast_first(models, expected):
    artifact = read_artifact(models[0])
    prepared = prepare(artifact, "fp16")
    model = onnx.load_model_from_string(prepared)
    onnx.checker.check_model(model, full_check=True)
    kinds = {item.name: item.type.tensor_type.elem_type for item in model.graph.input}
    assert kinds == {
        "image": onnx.TensorProto.UINT8,
        "background": onnx.TensorProto.UINT8,
        "gain": onnx.TensorProto.FLOAT,
    }
    for name in ("image", "background"):
        readers = {node.op_type for node in model.graph.node if name in node.input}
        assert readers == {"Cast"}
    found = ort.InferenceSession(prepared).run(["strength", "changed"], INPUTS)
    strength, _ = furthest(dict(zip(("strength", "changed"), found, strict=True)), expected)
    assert 0.0 < strength < 0.02


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures and files of what else the model takes."""
    import cv2

    folder = tmp_path_factory.mktemp("pictures")
    (folder / "images").mkdir()
    many = some_inputs(9, seed=5)
    for index, image in enumerate(many["image"]):
        cv2.imwrite(str(folder / "images" / f"{index}.png"), image)
    np.save(folder / "background.npy", many["background"])
    np.save(folder / "gain.npy", many["gain"][0])
    np.save(folder / "wide.npy", many["gain"].astype(np.float64))
    (folder / "text.npy").write_text("no array")
    return folder


def quantize(models, pictures, out, **files):
    given = [
        f"--input={name}={pictures / file}" if file else f"--input={name}"
        for name, file in files.items()
    ]
    images = ["--images", str(pictures / "images"), "--count", "8", "--out", str(out)]
    return main(["quantize", str(models[0]), *images, *given])


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_int8_is_measured_on_the_extras_given(name, models, pictures, tmp_path, cache, expected):
    pytest.importorskip(BACKENDS[name].requires)
    out = tmp_path / "int8.onnx"
    assert quantize(models, pictures, out, background="background.npy", gain="gain.npy") == 0
    backend = load_backend(out, name, BackendOptions(cache=cache))
    assert backend.info.precision == "int8"
    strength, _ = furthest(backend.infer(INPUTS), expected)
    assert 0.0 < strength < 0.15


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"gain": "gain.npy"},
            r"takes 'background', uint8 \(64, 160, 3\), beside the image: give what is to be used, "
            r"--input background=FILE.npy",
        ),
        ({"background": "background.npy", "gain": ""}, "takes 'gain'.*--input gain=FILE.npy"),
        (
            {"background": "background.npy", "gain": "wide.npy"},
            r"wide.npy is float64 \(9, 8, 20\), expected float32 \(8, 20\) for 'gain'",
        ),
        ({"background": "gain.npy", "gain": "gain.npy"}, "expected uint8"),
        ({"background": "text.npy", "gain": "gain.npy"}, "text.npy is not an array"),
        ({"background": "gone.npy", "gain": "gain.npy"}, "gone.npy"),
        ({"backdrop": "gain.npy"}, "--input backdrop: the model changes takes background, gain"),
    ],
)
def test_without_what_int8_is_to_be_measured_on_it_is_refused(
    files, message, models, pictures, tmp_path, capsys
):
    assert quantize(models, pictures, tmp_path / "int8.onnx", **files) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(message, error), error
    assert not list(tmp_path.iterdir())


# ---- what knows the inputs -----------------------------------------------------------------------


def test_an_engines_key_knows_inputs_and_outputs(models):
    artifact = read_artifact(models[0])
    key = tensorrt_plan.engine_key(artifact, b"graph", Gpu("Test", "8.7", "12"), "fp32", 4, "10")
    assert "'background': ['uint8', [4, 64, 160, 3]]" in key["inputs"]
    assert "'gain': ['float32', [4, 8, 20]]" in key["inputs"]
    assert "'changed': ['uint8', [4, 8, 20]]" in key["outputs"]


def test_openvino_keeps_an_engine_for_each_size_of_batch(models, tmp_path):
    pytest.importorskip("openvino")
    for _ in range(2):
        backend = load_backend(models[0], "openvino", BackendOptions(cache=tmp_path))
        backend.infer(INPUTS)
        assert len(list(tmp_path.glob("openvino-*.engine"))) == 2


def test_the_predictor_warms_up_and_hands_extras_through(backend):
    predictor = Predictor(backend)
    predictor.warm_up()
    images = list(INPUTS["image"])
    extras = [
        {name: INPUTS[name][index] for name in ("background", "gain")} for index in range(IMAGES)
    ]
    expected = backend.infer(INPUTS)
    together = predictor.perceive_batch(images, extras=extras)
    for index, (image, extra, found) in enumerate(zip(images, extras, together, strict=True)):
        alone = predictor(image, extras=extra).answers["changes"]
        for answer in (alone, found.answers["changes"]):
            assert np.abs(answer.strength - expected["strength"][index]).max() < 1e-4


def test_the_benchmark_feeds_noise_and_counts_the_work(models, cache):
    backend = load_backend(models[0], "onnxruntime", BackendOptions(cache=cache))
    stages = ModelRunner(backend)(INPUTS["image"][0])
    assert stages["inference"] > 0.0
    assert count(onnx.load(models[0])).macs > 1e6


def test_a_spec_whose_task_is_not_in_the_table_any_more_says_which(models, monkeypatch):
    monkeypatch.delitem(tasks.ROOMS, changes_task.NAME)
    with pytest.raises(SpecError, match="the task 'changes', which this version of the package"):
        read_artifact(models[0])
    with pytest.raises(SpecError, match=r"changes.pt: the model answers the task 'changes', which"):
        load_backend(models[1], "torch")
