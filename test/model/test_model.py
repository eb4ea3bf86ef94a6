"""The network and its artifact: shapes, batches, and ONNX = torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import onnx
import onnxruntime

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.layers.encoder import PROVEN
from shared_encoder_perception.model.architectures import ARCHITECTURES, LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.model.checkpoint import CheckpointError, load_network, save_network
from shared_encoder_perception.model.network import (
    NetworkConfig,
    PerceptionNetwork,
    lanes_from_logits,
)
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.target import encode_lanes
from shared_encoder_perception.training.export import Deviation, compare, export_onnx
from shared_encoder_perception.training.losses import Batch, Criterion
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
    with torch.no_grad():
        out = network(torch.from_numpy(images(2, size)))
    assert out[LANE_LOGITS].shape == (2, 5, 5, size[0] // 8, size[1] // 8)
    assert out[MASK_LOGITS].shape == (2, *size)


def test_batch_equals_single(network):
    pair = torch.from_numpy(images(2))
    with torch.no_grad():
        together, alone = network(pair), network(pair[1:])
    for name, value in alone.items():
        assert torch.allclose(together[name][1:], value, atol=1e-4)


def test_onnx_equals_torch_before_thresholds(network, artifact, tmp_path):
    """Heat map and mask probability as they are, start vectors in units of the grid: < 1e-4."""
    model = onnx.load(artifact)
    sigmoid = [node for node in model.graph.node if node.op_type == "Sigmoid"][-1]
    probability = onnx.helper.make_tensor_value_info(
        sigmoid.output[0], onnx.TensorProto.FLOAT, None
    )
    model.graph.output.append(probability)
    onnx.save(model, tmp_path / "open.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "open.onnx"))
    batch = images(3)
    lanes, mask, mask_probability = session.run(None, {"image": batch})
    with torch.no_grad():
        logits = network(torch.from_numpy(batch))
    expected = lanes_from_logits(logits[LANE_LOGITS]).numpy()
    scale = np.array([1, SIZE[1] // 8, SIZE[0] // 8, 1, 1]).reshape(1, 1, 5, 1, 1)
    assert np.abs((lanes - expected) / scale).max() < 1e-4
    expected_mask = torch.sigmoid(logits[MASK_LOGITS]).numpy()
    assert np.abs(mask_probability.reshape(expected_mask.shape) - expected_mask).max() < 1e-4
    assert np.abs(mask.astype(float) - expected_mask * 255).max() <= 0.5 + 0.03


def test_artifact_carries_its_spec_and_any_batch(artifact):
    backend = load_backend(artifact)
    assert backend.spec == ModelSpec("tiny", "0", input_size=SIZE)
    for count in (1, 3):
        shapes = {name: array.shape for name, array in backend.infer(images(count)).items()}
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
    with pytest.raises(ValueError, match=r"'unet'.*shared_fpn.*baseline"):
        PerceptionNetwork(NetworkConfig(architecture="unet"))
    with pytest.raises(ValueError, match="channels is 30"):
        PerceptionNetwork(NetworkConfig(channels=30))


@pytest.mark.parametrize(
    ("size", "use"), [((300, 800), "288x800"), ((320, 810), "320x800"), ((10, 32), "32x32")]
)
def test_other_sizes_are_refused_with_the_one_to_use(network, size, use):
    with pytest.raises(ValueError, match=f"multiples of 32: use {use}"):
        network(torch.from_numpy(images(1, size)))


def one_step(network):
    """Train one step on one image of one ego lane; return the loss before and after."""
    targets = encode_lanes({LaneId.EGO: np.array([[80.0, 60], [80, 5]])}, SIZE, 8)
    known, mask = targets.known.astype(np.float32), np.zeros(SIZE, np.uint8)
    arrays = (targets.maps, targets.supervised, known, mask, mask + 255)
    batch = Batch(
        torch.from_numpy(images(2)),
        *(torch.from_numpy(np.stack([array, array])) for array in arrays),
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        optimiser.zero_grad()
        total = Criterion()(network(batch.images), batch)["total"]
        total.backward()
        optimiser.step()
        losses.append(total.item())
    return losses, [name for name, p in network.named_parameters() if p.grad is None]


CHOICES = [
    *(NetworkConfig(encoder=name) for name in PROVEN),
    *(NetworkConfig(architecture=name) for name in ARCHITECTURES if name != "shared_fpn"),
    NetworkConfig(attention=True, aggregation=True),
    NetworkConfig(architecture="baseline", attention=True, aggregation=True),
    NetworkConfig(
        encoder_scale=0.8
    ),  # sees 64x128: at less, one step of so small a picture is noise
    NetworkConfig(architecture="baseline", encoder_scale=0.8),
]


@pytest.mark.parametrize(
    "config",
    CHOICES,
    ids=lambda c: f"{c.encoder}-{c.architecture}-{c.attention:d}-{c.encoder_scale}",
)
def test_every_choice_trains_exports_and_matches(config, tmp_path):
    torch.manual_seed(0)
    network = PerceptionNetwork(config).train()
    with torch.backends.mkldnn.flags(enabled=not crashes_in_onednn(config.encoder)):
        (before, after), without_gradient = one_step(network)
    assert after < before
    assert not without_gradient
    # Parts that begin as the identity must be tried as something else.
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("gain", "mix.weight")):
                parameter.add_(0.1 * torch.randn_like(parameter))
    export_onnx(network.eval(), ModelSpec("m", "0", input_size=SIZE), tmp_path / "m.onnx")
    deviation = compare(network, load_backend(tmp_path / "m.onnx"), images(3))
    assert deviation.images == 3
    assert deviation.lanes < 1e-3
    assert deviation.mask <= 1
    assert deviation.small


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_the_encoder_sees_a_smaller_picture_and_answers_keep_their_grid(architecture):
    seen = []
    network = PerceptionNetwork(NetworkConfig(architecture=architecture, encoder_scale=0.6)).eval()
    network.encoder.features.register_forward_pre_hook(
        lambda _, inputs: seen.append(tuple(inputs[0].shape[-2:]))
    )
    with torch.inference_mode():
        logits = network(torch.zeros(1, 320, 800, 3, dtype=torch.uint8))
    assert seen == [(192, 480)]
    assert logits[LANE_LOGITS].shape == (1, 5, 5, 40, 100)
    assert logits[MASK_LOGITS].shape == (1, 320, 800)


@pytest.mark.parametrize("scale", [0.0, 1.5, float("nan")])
def test_a_scale_that_makes_no_sense_is_refused(scale):
    with pytest.raises(ValueError, match=r"encoder_scale is .*, expected 0\.1 to 1"):
        PerceptionNetwork(NetworkConfig(encoder_scale=scale))


def test_a_wrong_export_is_noticed(network, artifact):
    other = PerceptionNetwork(NetworkConfig()).eval()
    assert not compare(other, load_backend(artifact), images(1)).small
    assert not Deviation(0, 0.0, 0).small


def test_shared_parameters_are_those_that_several_tasks_use():
    for architecture in ARCHITECTURES:
        network = PerceptionNetwork(NetworkConfig(architecture=architecture, channels=16))
        shared = {id(parameter) for parameter in network.shared_parameters()}
        assert id(network.last_shared()) in shared
        for key in (LANE_LOGITS, MASK_LOGITS):
            network.zero_grad()
            network(torch.from_numpy(images(2)))[key].sum().backward()
            missing = [p for p in network.parameters() if id(p) in shared and p.grad is None]
            assert not missing
