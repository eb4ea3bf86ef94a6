# SPDX-License-Identifier: Apache-2.0
"""What TensorRT is asked for and what is believed of its answer, without TensorRT."""

import json

import pytest

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import (
    DEFAULT_MODEL,
    BackendError,
    BackendOptions,
    hardware,
    tensorrt_plan,
)
from shared_encoder_perception.backends.tensorrt_plan import seen_precision

GPU = hardware.Gpu("Test", "8.7", "12.6")
SHIPPED = read_artifact(DEFAULT_MODEL)


@pytest.mark.parametrize(
    ("count", "device", "message"),
    [
        (1, "cpu", "runs on cuda or cuda:N, not on 'cpu'"),
        (1, "tensorrt", "not on 'tensorrt'"),
        (0, "auto", "needs an NVIDIA GPU and its driver, and none is visible"),
        (0, "cuda", "none is visible"),
        (2, "cuda:2", "no device 'cuda:2': 2 GPUs"),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, count, device, message):
    monkeypatch.setattr(tensorrt_plan, "gpus", lambda: (GPU,) * count)
    with pytest.raises(BackendError, match=message):
        tensorrt_plan.choose_device(BackendOptions(device=device))


@pytest.mark.parametrize(("device", "index"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_the_device_that_was_asked_for_is_taken(monkeypatch, device, index):
    there = tuple(hardware.Gpu(f"GPU {number}", "9.0", "12.6") for number in range(2))
    monkeypatch.setattr(tensorrt_plan, "gpus", lambda: there)
    found = tensorrt_plan.choose_device(BackendOptions(device=device))
    assert found == (index, there[index])


@pytest.mark.parametrize(
    ("own", "asked", "expected"),
    [
        ("fp32", "auto", "fp32"),
        ("fp32", "fp16", "fp16"),
        ("fp32", "bf16", "bf16"),
        ("int8", "auto", "int8"),
        ("fp16", "fp16", "fp16"),
        ("fp32", "int8", "written in fp32 and cannot run in int8: quantise it first"),
        ("int8", "fp16", "written in int8 and cannot run in fp16: give the fp32 model"),
        ("fp16", "fp32", "written in fp16 and cannot run in fp32"),
    ],
)
def test_the_precision_is_the_one_asked_for_or_none(own, asked, expected):
    artifact = type(SHIPPED)("m.onnx", b"", "", SHIPPED.spec, own)
    options = BackendOptions(precision=asked)
    if " " not in expected:
        assert tensorrt_plan.choose_precision(artifact, options, GPU) == expected
        return
    with pytest.raises(BackendError, match=expected):
        tensorrt_plan.choose_precision(artifact, options, GPU)


def test_a_gpu_without_bf16_says_so():
    old = hardware.Gpu("Xavier", "7.2", "11.4")
    with pytest.raises(BackendError, match=r"Xavier \(compute capability 7.2\) has no bf16"):
        tensorrt_plan.choose_precision(SHIPPED, BackendOptions(precision="bf16"), old)


def test_whatever_an_engine_depends_on_changes_its_key():
    def key(artifact=SHIPPED, prepared=b"graph", gpu=GPU, precision="fp16", batch=1, version="1"):
        made = tensorrt_plan.engine_key(artifact, prepared, gpu, precision, batch, version)
        return tuple(sorted(made.items()))

    other = type(SHIPPED)("m.onnx", b"", "0" * 64, SHIPPED.spec, "fp32")
    gpus = [
        hardware.Gpu("Other", GPU.compute, GPU.driver),
        hardware.Gpu(GPU.name, "9.0", GPU.driver),
        hardware.Gpu(GPU.name, GPU.compute, "13.0"),
    ]
    keys = [
        key(),
        key(artifact=other),
        key(prepared=b"another graph"),
        *(key(gpu=gpu) for gpu in gpus),
        key(precision="fp32"),
        key(batch=2),
        key(version="2"),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]


def layer(kind, tensor, tactic="", parameter=""):
    """One layer as the inspector writes it; ``tensor`` is its input's type."""
    found = {"Name": "l", "LayerType": kind, "Inputs": [tensor], "TacticName": tactic}
    return found | ({"ParameterType": parameter} if parameter else {})


def ten(words):
    return {"Name": "t", "Format/Datatype": words}


def eleven(kind, words="Row major linear FP32 format (kLINEAR)"):
    return {"Name": "t", "Format": words, "Datatype": kind}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (
            [layer("CaskConvolution", ten("Channel major FP16 format where channel % 8 == 0"))],
            "fp16",
        ),
        (
            [
                layer(
                    "CaskConvolution",
                    ten("Thirty-two wide channel vectorized row major Int8 format"),
                )
            ],
            "int8",
        ),
        (
            [layer("CaskConvolution", ten("Channel major BFloat16 format where channel % 8 == 0"))],
            "bf16",
        ),
        ([layer("conv", eleven("Half"))], "fp16"),
        ([layer("conv", eleven("BFloat16"))], "bf16"),
        ([layer("conv", eleven("Float"))], "fp32"),
        ([layer("fused", ten("Row major linear FP32"), parameter="Convolution")], "fp32"),
        (
            [layer("CaskConvolution", ten("Row major linear FP32"), "sm80_xmma_fprop_tf32f32_f32")],
            "tf32",
        ),
        (
            [
                layer("conv", eleven("Int8")),
                layer("conv", eleven("Int8")),
                layer("conv", eleven("Half")),
            ],
            "int8",
        ),
        (
            [layer("kgen", ten("Float")), layer("kgen", ten("Float")), layer("conv", ten("Half"))],
            "fp16",
        ),
        (
            [layer("kgen", ten("Half")), layer("kgen", ten("Half")), layer("kgen", ten("Float"))],
            "fp16",
        ),
        ([layer("cast", ten("UInt8")), layer("shape_call", ten("Int64"))], ""),
        (["names only"], ""),
    ],
)
def test_an_engine_is_asked_for_its_precision(layers, expected):
    """In the words of TensorRT 10 (``Format/Datatype``) and 11 (``Format`` and ``Datatype``)."""
    assert seen_precision(json.dumps({"Layers": layers})) == expected


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}"])
def test_an_answer_that_is_no_answer_says_nothing(text):
    assert seen_precision(text) == ""
    with pytest.raises(BackendError, match=r"does not say in which precision it runs m.onnx"):
        tensorrt_plan.check_precision(text, "fp32", "m.onnx", "10.3")


def test_another_precision_than_asked_for_is_refused():
    text = json.dumps({"Layers": [layer("conv", eleven("Float"))]})
    assert tensorrt_plan.check_precision(text, "fp32", "m.onnx", "11.4") == "fp32"
    with pytest.raises(
        BackendError, match=r"was to run in fp16, but TensorRT 11.4 runs .* in fp32"
    ):
        tensorrt_plan.check_precision(text, "fp16", "m.onnx", "11.4")
