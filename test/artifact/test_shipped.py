# SPDX-License-Identifier: Apache-2.0
"""A shipped model is chosen by what it answers; that none does is said with what there is."""

import shutil

import numpy as np
import pytest
from onnx import numpy_helper
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import read_model, read_spec
from shared_encoder_perception.artifact.remote import StoreError, local_path
from shared_encoder_perception.artifact.shipped import model_for
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.tasks import DEFAULT, UnknownTaskError
from shared_encoder_perception.world.synthetic import render_sample


def write(folder, **models):
    """Write tiny models by the tasks that they answer."""
    for name, answered in models.items():
        write_tiny_model(folder / f"{name}.onnx", spec_of(name, "1", tasks=answered))
    return folder


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["lanes"], "default"),
        (["drivable_surface", "lanes"], "default"),
        (["semantic"], "small"),
        (["semantic", "lanes"], "all"),
    ],
)
def test_the_default_comes_first_then_who_answers_least_beside_it(tmp_path, names, chosen):
    folder = write(
        tmp_path,
        all=("lanes", "drivable_surface", "semantic"),
        default=DEFAULT,
        lanes=("lanes",),
        small=("drivable_surface", "semantic"),
    )
    assert model_for(names, folder=folder) == folder / f"{chosen}.onnx"


def test_a_model_of_rigs_is_taken_only_where_a_rig_is_asked(tmp_path, rig_model):
    folder = write(tmp_path, whole=("lanes", "semantic"))
    shutil.copy(rig_model("lanes"), folder / "around.onnx")
    assert model_for(["lanes"], folder=folder) == folder / "whole.onnx"
    assert model_for(["surround"], folder=folder) == folder / "around.onnx"
    assert model_for(["lanes", "surround"], folder=folder) == folder / "around.onnx"
    (folder / "whole.onnx").unlink()
    with pytest.raises(ValueError, match=r"no shipped model answers lanes: around\.onnx answers"):
        model_for(["lanes"], folder=folder)


def test_where_none_answers_it_is_said_what_each_does(tmp_path):
    folder = write(tmp_path, default=DEFAULT, other=("lanes",))
    told = (
        "no shipped model answers semantic, lanes: default.onnx answers lanes, drivable_surface; "
        "other.onnx answers lanes; train one that does, and give it as --model"
    )
    with pytest.raises(ValueError, match=told):
        model_for(["semantic", "lanes"], folder=folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"answers lanes: there is none in .*none; train one"):
        model_for(["lanes"], folder=tmp_path / "none")


def test_a_model_that_is_given_is_the_only_one_that_may_be(tmp_path):
    folder = write(tmp_path, default=DEFAULT, own=("semantic",))
    assert model_for(["semantic"], folder / "own.onnx") == folder / "own.onnx"
    told = "the model does not answer lanes: own.onnx answers semantic; train one"
    with pytest.raises(ValueError, match=told):
        model_for(["lanes"], folder / "own.onnx", folder)


def test_a_name_that_is_no_task_is_refused(tmp_path):
    with pytest.raises(UnknownTaskError, match="there is no task 'lane'; did you mean 'lanes'"):
        model_for(["lane"])
    with pytest.raises(UnknownTaskError, match="expected different names"):
        model_for(["lanes", "lanes"])


def test_what_is_shipped_answers_what_networks_do_by_default():
    assert model_for(DEFAULT) == DEFAULT_MODEL


def test_shipped_models_have_names():
    assert local_path("shipped:default") == DEFAULT_MODEL
    assert load_backend("shipped:semantic").spec.name == "semantic"
    assert local_path("shipped:depth") == DEFAULT_MODEL  # its name before 1.0.0
    with pytest.raises(StoreError, match=r"shipped:\.\./x is no .*: shipped:default, shipped:lan"):
        load_backend("shipped:../x")


def test_a_shipped_model_is_given_by_name_to_commands_that_want_a_file(tmp_path, capsys):
    assert main(["publish", "shipped:default", f"file://{tmp_path}/"]) == 0
    (model,) = tmp_path.glob("*.onnx")
    assert model.read_bytes() == DEFAULT_MODEL.read_bytes()
    assert model.with_suffix(".md").read_bytes() == DEFAULT_MODEL.with_suffix(".md").read_bytes()
    assert main(["publish", "s3://bucket/a.onnx", f"file://{tmp_path}/"]) == 2
    assert "is published already: give a path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "of", "task", "bytes_at_most"),
    [("semantic", "lanes", "semantic", 9_000_000), ("default", "semantic", "depth", 12_000_000)],
)
def test_a_shipped_model_with_one_more_task_is_the_other_and_that(name, of, task, bytes_at_most):
    """Weights, priors, thresholds and calibration; engines may round otherwise in another graph."""
    less, more = (load_backend(f"shipped:{one}") for one in (of, name))
    assert (DEFAULT_MODEL.parent / f"{name}.onnx").stat().st_size <= bytes_at_most
    assert less.spec.tasks.items() <= more.spec.tasks.items()
    assert set(more.spec.tasks) - set(less.spec.tasks) == {task}
    for seed in range(3):
        image = render_sample(seed, less.spec.input_size).image[np.newaxis]
        one, other = (backend.infer({"image": image}) for backend in (less, more))
        for name, array in one.items():
            apart = np.abs(array.astype(np.float64) - other[name])
            assert apart.max() <= (1 if array.dtype == np.uint8 else 1e-3)


def test_the_shipped_model_of_rigs_has_the_weights_of_the_one_it_was_made_of():
    """It sees larger pictures: what it answers of them is another thing."""
    assert (DEFAULT_MODEL.parent / "surround.onnx").stat().st_size <= 12_000_000
    less, more = (
        read_model(DEFAULT_MODEL.parent / f"{one}.onnx") for one in ("semantic", "surround")
    )
    asked = [set(read_spec(one, "").tasks) for one in (less, more)]
    assert asked[1] - asked[0] == {"surround"} and asked[0] < asked[1]
    own, kept = weights_of(less), weights_of(more)
    assert len(own) > 50 and own.keys() <= kept.keys()
    for name, array in own.items():
        np.testing.assert_array_equal(array, kept[name], err_msg=name)


def weights_of(model):
    """Return what a network has learned, by name."""
    return {
        item.name: numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.name.startswith("network.") and item.name.endswith((".weight", ".bias"))
    }
