# SPDX-License-Identifier: Apache-2.0
"""A model that answers rigs: one file for every rig, the same on every engine."""

from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import pytest
from rig_network import SIZE, pictures, rig_inputs, rig_network, rig_of, rig_spec, tables

torch = pytest.importorskip("torch", reason="the model is exported from torch: make test")
pytest.importorskip("timm", reason="the model is exported from torch: make test")

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import BackendOptions, UnfitError, load_backend
from shared_encoder_perception.layers.lift import SAMPLERS
from shared_encoder_perception.model.network import DeployWrapper
from shared_encoder_perception.model.onnx_export import OPSET

ENGINES = ("onnxruntime", "openvino", "torch")
each_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def models(rig_model):
    """The artifacts of one network, by the name of the sampler."""
    return {name: rig_model("drivable_surface", sampler=name) for name in SAMPLERS}


@pytest.fixture(scope="module")
def backends(models, tmp_path_factory):
    """One of each engine, each loaded once."""
    made, cache = {}, tmp_path_factory.mktemp("engines")

    def get(engine, sampler="grid_sample", precision="fp32"):
        key = (engine, sampler, precision)
        if key not in made:
            pytest.importorskip(engine)
            options = BackendOptions(precision=precision, cache=cache)
            made[key] = load_backend(models[sampler], engine, options)
        return made[key]

    return get


@cache
def wrapped():
    """The network itself, before any export."""
    return DeployWrapper(rig_network("drivable_surface"), rig_spec("drivable_surface").tasks)


@cache
def said_by_torch(cameras):
    """What it says of a rig of so many cameras."""
    wrapper, inputs = wrapped(), rig_inputs(cameras)
    with torch.inference_mode():
        found = wrapper(*(torch.from_numpy(inputs[name]) for name in wrapper.inputs))
    return dict(zip(wrapper.outputs, (one.numpy() for one in found), strict=True))


def furthest(one, other):
    """Largest difference of what two say of the ground; of metres, as a share of the largest.

    Places in float32 are exact to 1e-5 of a cell: less cannot be asked of what is sampled there.
    """
    said = np.stack((one["surround"], other["surround"]))
    largest = np.maximum(np.abs(said).max(axis=(0, 1, 3, 4), keepdims=True)[0], 1)
    return (np.abs(said[0] - said[1]) / largest).max()


def test_the_file_takes_any_number_of_cameras_of_one_rig(models):
    artifact = read_artifact(models["grid_sample"])
    assert artifact.spec == rig_spec("drivable_surface")
    graph = onnx.load(models["grid_sample"]).graph
    axes = {item.name: item.type.tensor_type.shape.dim[0] for item in (*graph.input, *graph.output)}
    assert axes["image"].dim_param and axes["mask"].dim_param
    for name in ("view_place", "view_weight", "surround"):
        assert axes[name].dim_value == 1, name


def test_one_sampling_serves_all_cameras(models):
    """In an opset whose ``GridSample`` every engine knows."""
    for sampler, path in models.items():
        model = onnx.load(path)
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count("GridSample") == (sampler == "grid_sample")
        assert [one.version for one in model.opset_import if not one.domain] == [OPSET] == [18]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("cameras", [1, 4, 6])
@each_engine
def test_engines_agree_whatever_the_rig(engine, cameras, sampler, backends):
    inputs = rig_inputs(cameras)
    expected = said_by_torch(cameras)
    backend = backends(engine, sampler)
    found = backend.infer(inputs)
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == backend.spec.output_shapes(cameras)
    assert found["surround"].std(axis=(2, 3)).min() > 1e-3
    assert furthest(found, expected) < 1e-4
    assert np.abs(found["mask"].astype(int) - expected["mask"]).max() <= 1


def test_training_may_start_from_it(models):
    """`init=shipped:surround`: its norms' statistics are measured on rigs, with their tables."""
    pytest.importorskip("lightning")
    from shared_encoder_perception.training.config import load_config
    from shared_encoder_perception.training.train import first_network

    config = load_config(
        None, [f"init={models['grid_sample']}", f"stages=[{{size: [{SIZE[0]}, {SIZE[1]}]}}]"]
    )
    network = first_network(replace(config, network=rig_network("drivable_surface").config)).eval()
    decode = network.decoder.heads["surround"].decode
    norms = [m for m in decode.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.running_mean.abs().max() > 0 for norm in norms), "measured"
    inputs = {name: torch.from_numpy(array) for name, array in rig_inputs(4).items()}
    with torch.inference_mode():
        logits = network(inputs.pop("image"), inputs=inputs)["surround_logits"].numpy()
    logits[:, :3] = 1 / (1 + np.exp(-logits[:, :3]))
    assert furthest({"surround": logits}, said_by_torch(4)) < 1e-3


@each_engine
def test_the_order_of_the_cameras_does_not_matter(engine, backends):
    backend, rig, inputs = backends(engine), rig_of(4), rig_inputs(4)
    before, order = backend.infer(inputs), [2, 0, 3, 1]
    turned = rig.ordered([rig.names[index] for index in order])
    after = backend.infer({"image": inputs["image"][order], **tables(turned)})
    assert furthest(before, after) < 1e-5
    swapped = backend.infer({**inputs, **tables(turned)})
    assert furthest(before, swapped) > 1e-2, "the table matters"


@each_engine
def test_a_camera_that_is_dead_changes_nothing(engine, backends):
    backend, rig, inputs = backends(engine), rig_of(4), rig_inputs(4)
    live = [name for name in rig.names if name != "camera_2"]
    inputs |= tables(rig, live=live)
    before = backend.infer(inputs)
    other = inputs["image"].copy()
    other[2] = pictures(4, seed=5)[2]
    assert furthest(before, backend.infer({**inputs, "image": other})) == 0
    gone = backend.infer({"image": np.delete(inputs["image"], 2, 0), **tables(rig.only(live))})
    assert furthest(before, gone) < 1e-5


@each_engine
def test_what_is_said_of_each_image_does_not_depend_on_the_others(engine, backends):
    backend, inputs = backends(engine), rig_inputs(4)
    more = {"image": np.concatenate((inputs["image"], pictures(1, seed=3))), **tables(rig_of(5))}
    four, five = (backend.infer(given)["mask"].astype(int) for given in (inputs, more))
    assert np.abs(four - five[:4]).max() <= 1
    assert four.std() > 1
    alone = {"image": inputs["image"][1:2], **tables(rig_of(1))}
    assert np.abs(backend.infer(alone)["mask"].astype(int) - four[1]).max() <= 1


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_in_bf16_probabilities_are_off_by_rounding_alone(engine, backends):
    """Places in bf16 would be off by a quarter of a cell; weights here know no task, only noise."""
    exact, inputs = backends("onnxruntime"), rig_inputs(4)
    try:
        rough = backends(engine, precision="bf16")
    except UnfitError as error:
        pytest.skip(str(error))
    one, other = (backend.infer(inputs)["surround"] for backend in (exact, rough))
    assert 0 < np.abs(one - other)[:, :3].mean() < 0.01


def test_the_inputs_of_another_size_of_grid_are_refused_by_name(backends):
    from shared_encoder_perception.artifact.tensors import InputError

    inputs = rig_inputs(4)
    inputs["view_weight"] = inputs["view_weight"][..., 1:]
    with pytest.raises(InputError, match=r"'view_weight' is float32 \(1, 2, 39999\), expected"):
        backends("onnxruntime").infer(inputs)


def test_an_input_size_is_no_matter_of_the_table(models):
    """The tensors that a rig takes are the same whatever size its pictures are brought to."""
    spec = read_artifact(models["grid_sample"]).spec
    assert spec.input_size == SIZE
    small, large = (spec.tasks["surround"].inputs(size) for size in (SIZE, (320, 800)))
    assert small == large
