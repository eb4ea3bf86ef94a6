# SPDX-License-Identifier: Apache-2.0
"""The mask's head and what it finishes: exported as in torch, before it is rounded."""

import numpy as np
import pytest
from one_task import one_task_network, some_images

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import onnx
import onnxruntime

from shared_encoder_perception.tasks.drivable.head import LOGITS, finish
from shared_encoder_perception.tasks.drivable.spec import Block


def test_onnx_equals_torch_before_rounding(one_task_model, tmp_path):
    model = onnx.load(one_task_model("drivable_surface"))
    (sigmoid,) = [node for node in model.graph.node if node.op_type == "Sigmoid"]
    inside = onnx.helper.make_tensor_value_info(sigmoid.output[0], onnx.TensorProto.FLOAT, None)
    model.graph.output.append(inside)
    onnx.save(model, tmp_path / "open.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "open.onnx"))
    images, network = some_images(3), one_task_network("drivable_surface")
    mask, probability = session.run(None, {"image": images})
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(images))[LOGITS]).numpy()
    assert np.abs(probability.reshape(expected.shape) - expected).max() < 1e-4
    assert np.abs(mask.astype(float) - expected * 255).max() <= 0.5 + 0.03


def test_probabilities_leave_in_steps_of_255():
    logits = torch.logit(torch.tensor([[[0.2, 0.5, 254.9 / 255, 0.1 / 255]]]))
    assert finish({LOGITS: logits}, (1, 4), Block())["mask"].tolist() == [[[51, 128, 255, 0]]]
