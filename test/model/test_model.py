# SPDX-License-Identifier: Apache-2.0
"""The network and its artifact: shapes, batches, and ONNX = torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from batches import batch_of
from samples import sample_of
from smallest import ENCODER

from shared_encoder_perception.backends import BackendOptions, UnfitError, load_backend
from shared_encoder_perception.layers.encoder import PROVEN
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.checkpoint import CheckpointError, load_network, save_network
from shared_encoder_perception.model.network import (
    DeployWrapper,
    Finish,
    NetworkConfig,
    PerceptionNetwork,
    plain_spec,
    promised,
)
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.training.agreement import Deviation, compare
from shared_encoder_perception.training.config import loss_config
from shared_encoder_perception.training.losses import Criterion
from shared_encoder_perception.training.precision import crashes_in_onednn

SIZE = (64, 160)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return PerceptionNetwork(NetworkConfig()).eval()


@pytest.fixture(scope="module")
def artifact(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_onnx(network, ModelSpec("tiny", "0", input_size=SIZE), path)
    return path


def images(count=1, size=SIZE):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)


@pytest.mark.parametrize("size", [(64, 160), (320, 800), (96, 32)])
def test_shapes(network, size):
    spec = ModelSpec("any", "0", size)
    with torch.no_grad():
        out = Finish(spec.tasks)(network(torch.from_numpy(images(2, size))), size)
    assert {name: tuple(value.shape) for name, value in out.items()} == spec.output_shapes(2)


def test_batch_equals_single(network):
    pair = torch.from_numpy(images(2))
    with torch.no_grad():
        together, alone = network(pair), network(pair[1:])
    for name, value in alone.items():
        assert torch.allclose(together[name][1:], value, atol=1e-4)


def test_artifact_carries_its_spec_and_any_batch(artifact):
    backend = load_backend(artifact)
    assert backend.spec == ModelSpec("tiny", "0", input_size=SIZE)
    for count in (1, 3):
        outputs = backend.infer({INPUT_IMAGE: images(count)})
        shapes = {name: array.shape for name, array in outputs.items()}
        assert shapes == backend.spec.output_shapes(count)


def test_checkpoint_round_trip(network, tmp_path):
    save_network(network, tmp_path / "network.pt")
    loaded = load_network(tmp_path / "network.pt")
    assert loaded.config == network.config
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert [path.name for path in tmp_path.iterdir()] == ["network.pt"]


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint"])
def test_bad_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "bad.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        load_network(path)


def test_foreign_checkpoint_is_refused(tmp_path):
    torch.save({"weights": {}}, tmp_path / "foreign.pt")
    with pytest.raises(CheckpointError, match=r"network\.pt that `train` writes"):
        load_network(tmp_path / "foreign.pt")


def test_encoder_without_the_needed_strides_is_refused():
    with pytest.raises(ValueError, match="expected 4, 8, 16 and 32"):
        PerceptionNetwork(NetworkConfig(encoder="vit_tiny_patch16_224"))


def test_unknown_encoder_and_architecture_are_named():
    with pytest.raises(ValueError, match=r"no encoder 'resnet19'.*mobilenetv4_conv_small.*resnet"):
        PerceptionNetwork(NetworkConfig(encoder="resnet19"))
    with pytest.raises(ValueError, match=r"'pspnet'.*shared_fpn.*baseline"):
        PerceptionNetwork(NetworkConfig(architecture="pspnet"))
    with pytest.raises(ValueError, match="channels is 30"):
        PerceptionNetwork(NetworkConfig(channels=30))


@pytest.mark.parametrize(
    ("size", "use"), [((300, 800), "288x800"), ((320, 810), "320x800"), ((10, 32), "32x32")]
)
def test_other_sizes_are_refused_with_the_one_to_use(network, size, use):
    with pytest.raises(ValueError, match=f"multiples of 32: use {use}"):
        network(torch.from_numpy(images(1, size)))


def one_step(network):
    """Train one step on one ego lane; return the loss before and after."""
    line = np.array([[80.0, 60], [80, 5]], np.float32)
    labels = sample_of(images(1)[0], {LaneId.EGO: line}, np.zeros(SIZE, np.uint8)).labels
    batch = batch_of(labels, labels, size=SIZE, targets=promised(network.config, SIZE))
    criterion = Criterion(network.config.tasks, loss_config())
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        optimiser.zero_grad()
        total = criterion(network(batch.images), batch)["total"]
        total.backward()
        optimiser.step()
        losses.append(total.item())
    return losses, [name for name, p in network.named_parameters() if p.grad is None]


REFERENCES = ("fpn", "unet")
"""Decoders of the field, wide as they are: narrow here, and without what is optional."""
SCALES = {
    name: 0.8 if kind.stride is None else 1.0
    for name, kind in ARCHITECTURES.items()
    if name not in REFERENCES
}
"""Scaled, the encoder sees 64x128: at less, one step of so small a picture is noise."""
CHOICES = [
    *(NetworkConfig(encoder=name) for name in PROVEN),
    *(NetworkConfig(ENCODER, architecture=name) for name in SCALES if name != "shared_fpn"),
    *(NetworkConfig(ENCODER, architecture=name, channels=16) for name in REFERENCES),
    *(
        NetworkConfig(
            ENCODER, architecture=name, attention=True, aggregation=True, encoder_scale=scale
        )
        for name, scale in SCALES.items()
    ),
]
LARGER = ("mobilenetv4_conv_medium", "resnet34")
"""More of the blocks that their sisters are made of: exporting those is enough."""
NOT_TAKEN_BACK = ("fpn", "repvgg_a0")
"""Group norms leave the exporter under other names; of parallel branches one is left."""


def is_part_of_another(config):
    """Whether exporting another choice exports all of this one: it has more that is optional."""
    return config.encoder in LARGER or (
        config.encoder == ENCODER and config.architecture in SCALES and not config.attention
    )


def name_of(config):
    return f"{config.encoder}-{config.architecture}-{config.attention:d}"


@pytest.mark.parametrize("config", CHOICES, ids=name_of)
def test_every_choice_trains(config):
    torch.manual_seed(0)
    network = PerceptionNetwork(config).train()
    with torch.backends.mkldnn.flags(enabled=not crashes_in_onednn(config.encoder)):
        (before, after), without_gradient = one_step(network)
    assert after < before
    assert not without_gradient


@pytest.mark.parametrize("config", [c for c in CHOICES if not is_part_of_another(c)], ids=name_of)
def test_every_choice_is_exported_and_matches(config, tmp_path):
    torch.manual_seed(0)
    network = PerceptionNetwork(config).eval()
    # Parts that begin as the identity must be tried as something else.
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("gain", "mix.weight")):
                parameter.add_(0.1 * torch.randn_like(parameter))
    export_onnx(network, plain_spec(config, "m", SIZE), tmp_path / "m.onnx")
    deviation = compare(network, load_backend(tmp_path / "m.onnx"), images(3))
    assert deviation.images == 3
    assert deviation.small, str(deviation)
    if {config.architecture, config.encoder} & set(NOT_TAKEN_BACK):
        with pytest.raises(UnfitError, match=r"cannot be taken back.*use the checkpoint"):
            load_backend(tmp_path / "m.onnx", "torch")
    else:
        taken_back = load_backend(tmp_path / "m.onnx", "torch", BackendOptions(device="cpu"))
        assert compare(network, taken_back, images(3)).small


@pytest.mark.parametrize("architecture", [name for name, scale in SCALES.items() if scale < 1])
def test_the_encoder_sees_a_smaller_picture_and_answers_keep_their_grid(architecture):
    seen = []
    network = PerceptionNetwork(NetworkConfig(architecture=architecture, encoder_scale=0.6)).eval()
    network.encoder.features.register_forward_pre_hook(
        lambda _, inputs: seen.append(tuple(inputs[0].shape[-2:]))
    )
    with torch.inference_mode():
        logits = network(torch.zeros(1, 320, 800, 3, dtype=torch.uint8))
    assert seen == [(192, 480)]
    spec = ModelSpec("any", "0", (320, 800))
    outputs = Finish(spec.tasks)(logits, spec.input_size)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == spec.output_shapes(1)


def test_answers_on_the_grid_of_the_input_leave_as_promised():
    network = PerceptionNetwork(NetworkConfig(architecture="light_fpn")).eval()
    with torch.inference_mode():
        logits = network(torch.zeros(1, *SIZE, 3, dtype=torch.uint8))
    spec = plain_spec(network.config, "any", SIZE)
    outputs = Finish(spec.tasks)(logits, spec.input_size)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == spec.output_shapes(1)
    assert spec.output_shapes(1)["mask"] == (1, SIZE[0] // 4, SIZE[1] // 4)
    with pytest.raises(ValueError, match="promises lanes on another grid"):
        DeployWrapper(network, ModelSpec("m", "0", SIZE).tasks)
    with pytest.raises(ValueError, match="sees its input as it is"):
        PerceptionNetwork(NetworkConfig(architecture="light_fpn", encoder_scale=0.6))


@pytest.mark.parametrize("scale", [0.0, 1.5, float("nan")])
def test_a_scale_that_makes_no_sense_is_refused(scale):
    with pytest.raises(ValueError, match=r"encoder_scale is .*, expected 0\.1 to 1"):
        PerceptionNetwork(NetworkConfig(encoder_scale=scale))


def test_a_wrong_export_is_noticed(network, artifact):
    other = PerceptionNetwork(NetworkConfig()).eval()
    assert not compare(other, load_backend(artifact), images(1)).small
    assert not Deviation(0, {}, {}).small


def test_shared_parameters_are_those_that_several_tasks_use():
    for architecture in ARCHITECTURES:
        network = PerceptionNetwork(NetworkConfig(architecture=architecture, channels=16))
        shared = {id(parameter) for parameter in network.shared_parameters()}
        assert id(network.last_shared()) in shared
        for key in network(torch.from_numpy(images(2))):
            network.zero_grad()
            network(torch.from_numpy(images(2)))[key].sum().backward()
            missing = [p for p in network.parameters() if id(p) in shared and p.grad is None]
            assert not missing
