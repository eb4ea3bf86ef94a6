"""The mask's head and what it finishes: exported as in torch, before it is rounded."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import onnx
import onnxruntime

from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks.drivable.head import LOGITS, finish
from shared_encoder_perception.tasks.drivable.spec import Block

SIZE = (64, 160)


def test_onnx_equals_torch_before_rounding(tmp_path):
    torch.manual_seed(0)
    name = "drivable_surface"
    network = PerceptionNetwork(NetworkConfig(channels=16, tasks=[name])).eval()
    export_onnx(network, ModelSpec("m", "0", SIZE, blocks(name)), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    (sigmoid,) = [node for node in model.graph.node if node.op_type == "Sigmoid"]
    inside = onnx.helper.make_tensor_value_info(sigmoid.output[0], onnx.TensorProto.FLOAT, None)
    model.graph.output.append(inside)
    onnx.save(model, tmp_path / "open.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "open.onnx"))
    images = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), np.uint8)
    mask, probability = session.run(None, {"image": images})
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(images))[LOGITS]).numpy()
    assert np.abs(probability.reshape(expected.shape) - expected).max() < 1e-4
    assert np.abs(mask.astype(float) - expected * 255).max() <= 0.5 + 0.03


def test_probabilities_leave_in_steps_of_255():
    logits = torch.logit(torch.tensor([[[0.2, 0.5, 254.9 / 255, 0.1 / 255]]]))
    assert finish({LOGITS: logits}, (1, 4), Block())["mask"].tolist() == [[[51, 128, 255, 0]]]
