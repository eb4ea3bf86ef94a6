# SPDX-License-Identifier: Apache-2.0
"""The engines on an NVIDIA GPU against themselves on the CPU; skipped where there is none."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the torch backend needs torch: make test")
if not torch.cuda.is_available():
    pytest.skip("no NVIDIA GPU here", allow_module_level=True)

from shared_encoder_perception.backends import BackendError, BackendOptions, load_backend
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES
from shared_encoder_perception.world.synthetic import render_sample

HEAT_STEP, MASK_STEPS = 1e-4, 1
"""Largest differences of float32 between a GPU and the CPU: of a probability, of 1/255."""


@pytest.fixture(scope="module")
def images():
    return np.stack([render_sample(seed, (320, 800)).image for seed in range(8)])


@pytest.fixture(scope="module")
def expected(images):
    backend = load_backend(options=BackendOptions(device="cpu"))
    return backend.infer({"image": images})


def on_gpu(name, images, **options):
    backend = load_backend(name=name, options=BackendOptions(device="cuda", **options))
    return backend, backend.infer({"image": images})


def differences(outputs, expected):
    heat = np.abs(outputs[OUTPUT_LANES][:, :, 0] - expected[OUTPUT_LANES][:, :, 0]).max()
    mask = np.abs(outputs[OUTPUT_MASK].astype(int) - expected[OUTPUT_MASK].astype(int))
    return float(heat), int(mask.max()), float(mask.mean())


@pytest.mark.parametrize("name", ["torch", "onnxruntime"])
def test_float32_on_a_gpu_is_no_tf32(name, images, expected):
    if name == "onnxruntime":
        runtime = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" not in runtime.get_available_providers():
            pytest.skip("onnxruntime without CUDA: install onnxruntime-gpu")
    backend, outputs = on_gpu(name, images)
    heat, mask, _ = differences(outputs, expected)
    print(name, backend.info, "heat", heat, "mask", mask)
    assert backend.info.device.startswith("cuda") and backend.info.precision == "fp32"
    assert heat < HEAT_STEP and mask <= MASK_STEPS


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_on_a_gpu_is_close(precision, images, expected):
    backend, outputs = on_gpu("torch", images, precision=precision)
    heat, mask, mean = differences(outputs, expected)
    print(precision, backend.info, "heat", heat, "mask", mask, mean)
    assert backend.info.precision == precision
    assert 0 < heat < 0.3 and mean < 1.0


def test_a_graph_s_outputs_survive_the_next_run(images, expected):
    backend, first = on_gpu("torch", images[:1], compile=True)
    kept = {name: array.copy() for name, array in first.items()}
    for image in images[1:]:
        backend.infer({"image": image[np.newaxis]})
    for name, array in first.items():
        assert np.array_equal(array, kept[name])
    again = backend.infer({"image": images[:1]})
    heat, mask, _ = differences(again, {name: array[:1] for name, array in expected.items()})
    assert heat < HEAT_STEP and mask <= MASK_STEPS


def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(BackendError, match="sees no device 'cuda:7'"):
        load_backend(name="torch", options=BackendOptions(device="cuda:7"))


def test_training_runs_on_a_gpu(tmp_path):
    from shared_encoder_perception.training.config import load_config
    from shared_encoder_perception.training.train import train

    config = load_config(
        None,
        [
            f"out={tmp_path / 'run'}",
            "stages=[{size: [64, 160], steps: 30, batch_size: 8, replay: 2}]",
            "data.val=[{path: synthetic, count: 4}]",
            "machine.workers=2",
        ],
    )
    assert train(config).exists()
