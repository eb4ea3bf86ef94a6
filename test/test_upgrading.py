# SPDX-License-Identifier: Apache-2.0
"""What earlier versions wrote is read: the files in ``earlier`` are theirs, unchanged.

Models of 0.5.0 are asked in ``backends`` and ``training`` (``models/default_0.5.0.onnx``), specs of
the first format in ``test_spec``, checkpoints in ``model/test_former_names``.
"""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

EARLIER = Path(__file__).with_name("earlier")
MESSAGES = Path(__file__).resolve().parent.parent / "msg"


def leaves(tree, above=""):
    """Yield names with dots, and values."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def test_parameters_of_the_first_node_are_still_those_of_todays():
    from shared_encoder_perception.node.parameters import all_parameters

    (told,) = yaml.safe_load((EARLIER / "perception.yaml").read_text()).values()
    today = all_parameters()
    for name, value in leaves(told["ros__parameters"]):
        default = today[name].default
        assert type(list(default) if isinstance(default, tuple) else default) is type(value), name


def test_the_first_training_config_is_still_one():
    pytest.importorskip("omegaconf", reason="reads configs of trainings")
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    from shared_encoder_perception.training.config import load_config

    config = load_config(EARLIER / "training.yaml")
    assert [stage.steps for stage in config.stages] == [1300, 600]


def test_a_line_of_the_first_label_sets_is_still_one(tmp_path):
    from shared_encoder_perception.labels import native

    line = (EARLIER / "frames.jsonl").read_text()
    record = json.loads(line)
    for key in ("image", "mask"):
        path = tmp_path / record[key]
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), np.zeros((*record["size"], 3)[: 3 if key == "image" else 2], "u1"))
    (tmp_path / "frames.jsonl").write_text(line)
    (frame,) = native.read(tmp_path / "frames.jsonl")
    assert frame.source == "city" and frame.size == (720, 1280)
    assert frame.pseudo == ("drivable_surface",), "then called mask"


@pytest.mark.parametrize("name", ["LaneLine", "LaneLineArray", "ModelInfo"])
def test_no_field_of_a_message_went_away(name):
    def fields(text):
        """Return type and name of each; what is behind them is a comment."""
        return re.findall(r"^([\w/]+(?:\[\d*\])?) +(\w+)(?= *(?:#|$))", text, re.MULTILINE)

    before = fields((EARLIER / f"{name}.txt").read_text())
    assert before and set(before) <= set(fields((MESSAGES / f"{name}.msg").read_text()))
