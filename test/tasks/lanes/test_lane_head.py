# SPDX-License-Identifier: Apache-2.0
"""The lanes' heads and what they finish: exported as in torch, before any threshold."""

import numpy as np
import pytest
from one_task import SIZE, one_task_network, some_images

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.tasks.lanes.head import LOGITS, finish
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES, Block


def test_onnx_equals_torch(one_task_model):
    """Heat map as it is, start vectors in units of the grid: < 1e-4."""
    images = some_images(3)
    found = load_backend(one_task_model("lanes")).infer({"image": images})[OUTPUT_LANES]
    with torch.no_grad():
        logits = one_task_network("lanes")(torch.from_numpy(images))
    expected = finish(logits, SIZE, Block())[OUTPUT_LANES].numpy()
    scale = np.array([1, SIZE[1] // 8, SIZE[0] // 8, 1, 1]).reshape(1, 1, 5, 1, 1)
    assert np.abs((found - expected) / scale).max() < 1e-4


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_untrained_head_sees_nothing_anywhere(architecture):
    """Almost all cells are background: heat begins near 0.1, positions in the middle of a cell."""
    torch.manual_seed(0)
    config = NetworkConfig(ENCODER, architecture=architecture, channels=16, tasks=["lanes"])
    with torch.no_grad():
        logits = PerceptionNetwork(config).eval()(torch.zeros(1, *SIZE, 3, dtype=torch.uint8))
    maps = finish(logits, SIZE, Block())[OUTPUT_LANES]
    assert maps[:, :, 0].mean() == pytest.approx(0.1, abs=0.05)
    assert maps[:, :, 3:].mean() == pytest.approx(0.5, abs=0.3)


def test_start_vectors_leave_in_cells():
    logits = torch.zeros(1, 5, 5, 8, 20)
    logits[:, :, 1], logits[:, :, 2] = 0.5, 0.25
    maps = finish({LOGITS: logits}, SIZE, Block())[OUTPUT_LANES]
    assert maps[0, 0, :, 0, 0].tolist() == [0.5, 10.0, 2.0, 0.0, 0.0]
