# SPDX-License-Identifier: Apache-2.0
"""compare: what may differ by how much, and what never passes."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_convolutions import SIZE

from shared_encoder_perception.artifact.file import BF16, FP32, INT8
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.evaluation.differences import (
    PRECISIONS,
    Differences,
    default_tolerances,
    exceeded,
    read_tolerances,
    report,
)
from shared_encoder_perception.spec import ModelSpec

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "compare.yaml"


def test_the_shipped_tolerances_are_the_defaults():
    defaults = default_tolerances()
    assert read_tolerances(SHIPPED) == read_tolerances(None) == defaults
    assert defaults[FP32]["heat"] == 1e-4
    assert {defaults[name]["lane_accuracy_loss"] for name in PRECISIONS} == {0.005}


def test_what_a_file_leaves_out_is_not_checked(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("fp32: {heat: 2}\n")
    found = read_tolerances(path)
    assert found[FP32] == {"heat": 2}
    assert found[INT8] == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected some of fp32, fp16, bf16, int8"),
        ("- fp32", "expected some of fp32, fp16, bf16, int8"),
        ("fp8: {heat: 1}", "unknown precision 'fp8', expected some of fp32"),
        ("fp32: 1.0", "fp32 is 1.0, expected some of heat"),
        ("fp32: {heats: 1}", "unknown key fp32.heats, expected some of heat, start"),
        ("fp32: {heat: much}", "fp32.heat is 'much', expected a number of 0 or more"),
        ("fp32: {heat: true}", "fp32.heat is True, expected a number"),
        ("fp32: {heat: -1}", "fp32.heat is -1, expected a number"),
        ("fp32: {heat: .nan}", "fp32.heat is nan, expected a number"),
        ("fp32: {heat: 1e-4}", "fp32.heat is '1e-4'"),  # no number in YAML 1.1: it lacks the dot
        ("fp32: {heat", "is no YAML"),
        ("\xff", "is no YAML"),
    ],
)
def test_faults_of_a_tolerances_file_are_named(text, message, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"own\.yaml") as caught:
        read_tolerances(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (0.0049, []),
        (0.0051, ["lane_accuracy 0.0051 lower > 0.005"]),
        (-0.1, []),
        (float("nan"), []),
    ],
)
def test_a_score_may_be_a_little_worse(loss, expected):
    def row(accuracy):
        return {"largest": {}, "scores": {"lane_accuracy": accuracy, "mask_iou": 0.5}}

    assert exceeded(row(0.9 - loss), row(0.9), default_tolerances()[BF16]) == expected


def outputs(value):
    lanes = np.zeros((5, 5, 8, 20), np.float32)
    lanes[3, 0, 2, 7] = value
    return {"lanes": lanes, "mask": np.full(SIZE, 7, np.uint8)}


def differences(label, *values):
    """An engine whose heat map has a value at one place, image by image; the reference has 0."""
    info = BackendInfo("onnxruntime", "1", "cpu", BF16, 1, "", "")
    found = Differences(label, info, ModelSpec("some", "1", input_size=SIZE))
    for index, value in enumerate(values):
        found.update(outputs(value), outputs(0.0), f"{index}.png")
    return found


def test_the_largest_error_is_kept_with_the_image_it_is_on():
    result = differences("a", 0.25, -0.5, 0.125).compute()
    assert result["largest"] == {"heat": 0.5, "start": 0.0, "position": 0.0, "mask": 0.0}
    assert result["mean"]["heat"] == pytest.approx(0.875 / 3 / (5 * 8 * 20))
    assert result["largest_heat_error_on"] == "1.png"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_never_passes(value):
    rows = [differences("a", 0.0, 0.0), differences("b", value, 0.25)]
    table, result = report(rows, {}, default_tolerances())
    assert not result["passed"]
    assert result["engines"][1]["exceeded"] == ["heat is not finite"]
    assert result["engines"][1]["largest_heat_error_on"] == "0.png"
    assert "| heat is not finite |" in table
    json.dumps(result, allow_nan=False)
