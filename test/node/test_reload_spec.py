# SPDX-License-Identifier: Apache-2.0
"""A reload of a model whose spec is wrong: refused in words, and the old model goes on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

pytest.importorskip("rclpy", reason="the node needs ROS 2: make setup")

import ros_harness as ros
from std_srvs.srv import Trigger
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.spec import METADATA_KEY

GENERAL = {
    "name": [5, None, ["m"], {"a": 1}, "", "a\0b", "\ud800", "x" * 10_000],
    "version": [1, 1.5, True, None],
    "training_data": [5, None, ["a"], "\udfff"],
    "git_commit": [7, {"sha": "abc"}],
    "scores": [5, {"f1": "good"}, {"f1": {"f1": 0.5}}, {"f1": [0.5]}, {"f1": 10**400}, [0.5]],
    "input_size": [[2**40, 32], ["320", "800"], [320.0, 800.0], [True, True], 320, []],
    "format_version": [True, 2.0, "2", 99, None, [2]],
    "color_order": [None, 1],
}
LANES = {
    "horizon_row_px": [math.nan, math.inf, "27", None, 1e300, [27]],
    "stride": [True, "8", 8.0, 2**40],
    "confidence_calibrated": ["no", "false", 1, 0, None],
    "lane_thresholds": [0.5, [0.5], ["a"] * 5, [math.nan] * 5, [[0.5]] * 5],
    "start_priors": [[{"u": math.nan, "v": 1.0, "sigma_u": 1.0, "sigma_v": 1.0}] * 5],
}


def write_raw(path: Path, spec: dict[str, object]) -> None:
    """Write the tiny model with whatever JSON for its spec."""
    model = onnx.load(write_tiny_model(path))
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(spec)})
    path.write_bytes(model.SerializeToString())


def test_no_field_of_a_spec_ends_the_node(active: SimpleNamespace) -> None:
    good = json.loads(SPEC.to_json())
    wrong = [({**good, key: value}, key) for key, values in GENERAL.items() for value in values]
    for key, values in LANES.items():
        for value in values:
            lanes = {**good["tasks"]["lanes"], key: value}
            wrong.append(({**good, "tasks": {**good["tasks"], "lanes": lanes}}, key))
    peer, local = active.peer, active.local
    for spec, key in wrong:
        write_raw(active.model, spec)
        answer = peer.call(Trigger, "reload_model", Trigger.Request())
        assert not answer.success and key in answer.message, (key, answer.message)
    assert [backend.closed for backend in local.backends] == [False]
    array = peer.ask(ros.image_message(random_image(1), 1))[ros.ARRAY_TOPIC]
    assert array.lanes[0].model_version == "tiny 1.2.3"
    assert len(peer.received[ros.INFO_TOPIC]) == 1


def test_a_name_that_steers_a_terminal_reaches_none(
    active: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = {**json.loads(SPEC.to_json()), "name": "bad\x1b[31m\nERROR: all lanes lost\u202e"}
    write_raw(active.model, spec)
    answer = active.peer.call(Trigger, "reload_model", Trigger.Request())
    assert answer.success
    array = active.peer.ask(ros.image_message(random_image(1), 1))[ros.ARRAY_TOPIC]
    info = active.peer.received[ros.INFO_TOPIC][-1]
    said = capfd.readouterr()
    for text in (answer.message, array.lanes[0].model_version, info.name, said.err, said.out):
        assert "\x1b[31m" not in text and "\nERROR" not in text and "\u202e" not in text
    assert r"bad\x1b[31m\nERROR" in answer.message
