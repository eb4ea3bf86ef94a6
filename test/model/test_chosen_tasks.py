# SPDX-License-Identifier: Apache-2.0
"""Networks of any tasks: one alone, in another order, with inputs beside the image."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import onnxruntime
from batches import batch_of
from one_task import one_task_network, one_task_spec
from smallest import ENCODER

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.checkpoint import load_network, save_network
from shared_encoder_perception.model.network import (
    DeployWrapper,
    NetworkConfig,
    PerceptionNetwork,
    promised,
)
from shared_encoder_perception.model.onnx_export import export_checkpoint, export_onnx
from shared_encoder_perception.spec import ModelSpec, Tensor, blocks
from shared_encoder_perception.training.agreement import compare
from shared_encoder_perception.training.config import loss_config
from shared_encoder_perception.training.losses import Criterion
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (64, 160)


def images(count=2, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def network_of(*names, **keys):
    torch.manual_seed(0)
    return PerceptionNetwork(
        NetworkConfig(ENCODER, channels=16, head_channels=4, tasks=list(names), **keys)
    )


@pytest.mark.parametrize("name", tasks.ROOMS)
def test_one_task_alone_trains(name):
    network = network_of(name).train()
    optimiser, criterion = (
        torch.optim.SGD(network.parameters(), 1e-3),
        Criterion([name], loss_config()),
    )
    batch = batch_of(
        *(render_sample(seed, SIZE).labels for seed in range(2)), size=SIZE, tasks=[name]
    )
    costs = []
    for _ in range(2):
        optimiser.zero_grad()
        costs.append(criterion(network(batch.images, inputs=batch.companions), batch)["total"])
        costs[-1].backward()
        optimiser.step()
    assert costs[1] < costs[0]


@pytest.mark.parametrize("name", tasks.ROOMS)
def test_one_task_alone_is_exported_and_runs(name, one_task_model):
    session = onnxruntime.InferenceSession(str(one_task_model(name)))
    outputs = [output.name for output in session.get_outputs()]
    assert outputs == list(one_task_spec(name).output_tensors())
    backend = load_backend(one_task_model(name))
    assert set(backend.spec.tasks) == {name}
    assert compare(one_task_network(name), backend, images()).small


def test_a_checkpoint_keeps_its_tasks_and_runs_in_torch(tmp_path):
    (name, *_) = tasks.ROOMS
    network = network_of(name).eval()
    save_network(network, tmp_path / "network.pt")
    assert load_network(tmp_path / "network.pt").config == network.config
    exported, checkpoint = export_checkpoint(tmp_path, tmp_path)
    spec = load_backend(exported).spec
    assert spec.tasks == promised(network.config, spec.input_size)
    inputs = {"image": np.zeros((1, *spec.input_size, 3), np.uint8)}
    first, second = (
        load_backend(path, "torch", BackendOptions(device="cpu")).infer(inputs)
        for path in (exported, checkpoint)
    )
    assert first.keys() == second.keys() == spec.output_tensors().keys()
    for key, value in first.items():
        assert np.allclose(value, second[key], rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_order_of_tasks_is_of_no_importance(architecture):
    names = list(tasks.ROOMS)
    one, other = (
        network_of(*order, architecture=architecture).eval() for order in (names, names[::-1])
    )
    other.load_state_dict(one.state_dict())
    with torch.no_grad():
        pair = torch.from_numpy(images()), torch.from_numpy(images(seed=1))
        beside = dict.fromkeys(one.encodes, pair[1])
        found, again = (one_of(pair[0], inputs=beside) for one_of in (one, other))
    assert all(torch.equal(found[key], again[key]) for key in found)


def test_a_task_may_be_left_out_of_an_export():
    network = network_of(*tasks.ROOMS)
    for name in tasks.ROOMS:
        own = {name: promised(network.config, SIZE)[name]}
        wrapper = DeployWrapper(network, own)
        given = [torch.from_numpy(images()) for _ in wrapper.inputs]
        assert len(wrapper(*given)) == len(wrapper.outputs)
        assert wrapper.inputs == list(ModelSpec("m", "0", SIZE, own).input_tensors())
        alone = list(wrapper.network.decoder.heads)
        assert alone == [name], "what is left out costs nothing"
        assert wrapper.outputs == list(ModelSpec("m", "0", SIZE, own).output_tensors())


def test_what_the_network_does_not_answer_cannot_be_promised():
    one, other = list(tasks.ROOMS)[:2]
    with pytest.raises(ValueError, match=f"promises {other}, the network answers only {one}"):
        DeployWrapper(network_of(one), blocks(one, other))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["lane"], r"network\.tasks: there is no task 'lane'; did you mean 'lanes'"),
        ([], r"network\.tasks is \[\], expected"),
        (["lanes", "lanes"], r"expected different names"),
    ],
)
def test_tasks_that_cannot_be_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        network_of(*names)


class Backdrop:
    """The room of a task that takes a second picture."""

    class spec:  # noqa: N801
        """spec.py."""

        @dataclass(frozen=True)
        class Block:
            """Says nothing."""

            def outputs(self, size):
                return {"changed": Tensor("float32", (size[0] // 8, size[1] // 8))}

            def inputs(self, size):
                return {"backdrop": Tensor("uint8", (*size, 3))}

    class head:  # noqa: N801
        """head.py."""

        @staticmethod
        def make_head(widths, config):
            class Head(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = torch.nn.Conv2d(widths.neck, 1, 1)

                def forward(self, features):
                    empty = features.inputs["backdrop"].float().mean(3)[:, ::8, ::8] / 255
                    return {"changed": self.conv(features.neck)[:, 0] + empty}

            return Head()

        @staticmethod
        def finish(logits, size, block):
            return {"changed": torch.sigmoid(logits["changed"].float())}


def test_inputs_beside_the_image_reach_their_head_and_only_it(monkeypatch, tmp_path):
    """Exported, they are named inputs; the batch axis stays free."""
    monkeypatch.setitem(tasks.ROOMS, "backdrop", "backdrop_room")
    monkeypatch.setitem(sys.modules, "backdrop_room", Backdrop)
    (first, *_) = tasks.ROOMS
    network = network_of("backdrop", first).eval()
    spec = ModelSpec("pair", "0", SIZE, blocks("backdrop", first))
    export_onnx(network, spec, tmp_path / "pair.onnx")
    backend = load_backend(tmp_path / "pair.onnx")
    assert set(backend.spec.input_tensors()) == {"image", "backdrop"}
    assert compare(network, backend, images(1)).small
    dark, bright = (np.full((3, *SIZE, 3), value, np.uint8) for value in (0, 255))
    one, other = (backend.infer({"image": images(3), "backdrop": it}) for it in (dark, bright))
    assert (one["changed"] < other["changed"]).all()
    assert all(np.array_equal(one[key], other[key]) for key in one if key != "changed")
    torch_backend = load_backend(tmp_path / "pair.onnx", "torch", BackendOptions(device="cpu"))
    again = torch_backend.infer({"image": images(3), "backdrop": bright})
    assert np.allclose(again["changed"], other["changed"], atol=1e-4)
