# SPDX-License-Identifier: Apache-2.0
"""Fast-SCNN as a network: as large as the paper's, the same in every engine, freezable."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from batches import batch_of
from samples import sample_of

from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.layers.encoder import STRIDES, Encoder
from shared_encoder_perception.model.network import (
    DeployWrapper,
    NetworkConfig,
    PerceptionNetwork,
    plain_spec,
    promised,
)
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import INPUT_IMAGE
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.training.config import loss_config
from shared_encoder_perception.training.frozen import freeze
from shared_encoder_perception.training.losses import Criterion

LARGE = (128, 320)
PAPER = 1.11e6
"""Parameters that the paper says (section 4)."""
ENGINES = ("onnxruntime", "openvino", "torch")
SIZE = (96, 160)
"""It is not divided by all bins of the pooling: 3x5 cells."""


def fast_scnn(*tasks, **others):
    torch.manual_seed(0)
    config = NetworkConfig("fast_scnn", architecture="fast_scnn", tasks=list(tasks), **others)
    return PerceptionNetwork(config).eval()


def count(parameters):
    return sum(one.numel() for one in parameters)


def test_it_is_as_large_as_the_papers():
    """Its figure is that of the weights of all convolutions; batch norms are beside it."""
    network = fast_scnn("semantic", classes="19")
    kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d)
    layers, norms = ([m for m in network.modules() if isinstance(m, kind)] for kind in kinds)
    weights, biases = count(m.weight for m in layers), network.decoder.heads["semantic"].logit.bias
    assert weights == 1_114_096
    assert abs(weights - PAPER) < 0.005e6
    assert count(p for m in norms for p in m.parameters()) == 23_424
    pooling = 4 * 32  # biases where PSPNet has norms
    assert count(network.parameters()) == weights + 23_424 + pooling + biases.numel() == 1_137_667


@pytest.mark.parametrize("images", [1, 2])
def test_a_step_teaches_it_on_one_image_too(images):
    """Of a size at which the coarsest level has some cells: of ten, batch norm is noise."""
    network = fast_scnn("lanes", "drivable_surface").train()
    picture = np.random.default_rng(0).integers(0, 256, (*LARGE, 3), np.uint8)
    line = np.array([[160.0, 120], [160, 10]], np.float32)
    labels = sample_of(picture, {LaneId.EGO: line}, np.zeros(LARGE, np.uint8)).labels
    batch = batch_of(*[labels] * images, size=LARGE, targets=promised(network.config, LARGE))
    criterion = Criterion(network.config.tasks, loss_config())
    optimiser = torch.optim.SGD(network.parameters(), lr=2e-4)
    losses = []
    for _ in range(2):
        optimiser.zero_grad()
        losses.append(criterion(network(batch.images), batch)["total"])
        losses[-1].backward()
        optimiser.step()
    assert losses[1] < losses[0]
    assert all(one.grad is not None for one in network.parameters())


def with_statistics(network):
    """Batch norms of a network that has seen something, so that folding them is no formality."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            with torch.no_grad():
                module.weight.uniform_(0.7, 1.3)
                module.bias.uniform_(-0.3, 0.3)
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    network = with_statistics(fast_scnn("lanes", "drivable_surface", "semantic", "depth"))
    path = tmp_path_factory.mktemp("fast_scnn") / "m.onnx"
    spec = plain_spec(network.config, "m", SIZE)
    export_onnx(network, spec, path)
    return network, spec, path


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_answers_as_the_network(exported, engine):
    pytest.importorskip(engine)
    network, spec, path = exported
    images = np.random.default_rng(0).integers(0, 256, (3, *spec.input_size, 3), np.uint8)
    wrapper = DeployWrapper(network, spec.tasks)
    with torch.inference_mode():
        expected = wrapper(torch.from_numpy(images))
    backend = load_backend(path, engine, BackendOptions(device="cpu", precision="fp32"))
    found = backend.infer({**blank(spec.input_tensors(), 3), INPUT_IMAGE: images})
    for name, wanted in zip(wrapper.outputs, expected, strict=True):
        error = np.abs(found[name].astype(np.float64) - wanted.numpy().astype(np.float64))
        if wanted.dtype == torch.uint8:  # one step of 1/255, or a tie of two classes
            assert np.mean(error > 1) < 1e-3, name
        else:
            assert (error / (1.0 + np.abs(wanted.numpy()))).max() < 1e-4, name
        assert wanted.float().std() > 0, name


@pytest.mark.parametrize("stride", STRIDES)
def test_what_is_frozen_is_what_the_features_up_to_the_stride_need(stride):
    encoder = Encoder("fast_scnn").train()
    layers = freeze(encoder, stride)
    parts = [encoder.features.stem, encoder.features.shared, encoder.features.middle]
    parts = parts[: STRIDES.index(stride) + 1] if stride < 32 else [encoder.features]
    expected = {id(one) for part in parts for one in part.parameters()}
    assert {id(one) for one in encoder.parameters() if not one.requires_grad} == expected
    assert layers and not any(layer.training for layer in layers)
    images = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    reached = [level.requires_grad for level in encoder(images, (64, 96))]
    assert reached == [one > stride for one in STRIDES]


def test_its_decoder_takes_other_encoders_and_other_decoders_its_encoder():
    images = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    for config in (
        NetworkConfig("test_resnet", architecture="fast_scnn", tasks=["semantic"]),
        NetworkConfig("fast_scnn", architecture="light_fpn", tasks=["semantic"]),
    ):
        with torch.inference_mode():
            logits = PerceptionNetwork(config).eval()(images)["semantic_logits"]
        stride = plain_spec(config, "m", (64, 96)).tasks["semantic"].semantic_stride
        assert logits.shape[-2:] == (64 // stride, 96 // stride)
        assert stride == (8 if config.architecture == "fast_scnn" else 4)
