"""ModelSpec: survives the artifact's metadata, refuses what the decoder could not honour."""

import json

import pytest

from shared_encoder_perception.spec import ModelSpec, SpecError, StartPrior

SPEC = ModelSpec(
    "m",
    "1",
    start_priors=tuple(StartPrior(i, 2.0, 3.0, 4.0) for i in range(5)),
    scores={"set/f1": 0.5},
)


def test_json_round_trip():
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": [300, 800]}, "multiples of 32"),
        ({"tasks": []}, "tasks"),
        ({"tasks": ["steering"]}, "tasks"),
        ({"lane_names": ["ego"]}, "lane_names"),
        ({"color_order": "rgb"}, "expected 'bgr'"),
        ({"stride": 7}, "stride"),
        ({"keypoint_threshold": 1.0}, "keypoint_threshold"),
        ({"lane_thresholds": [0.5]}, "5 numbers"),
        ({"start_priors": [{"u": 1.0}]}, "incomplete or malformed"),
        ({"format_version": 99}, "export the model again"),
        ({"colour": "bgr"}, "unknown fields"),
        ({"name": ""}, "non-empty"),
        ({"input_size": "big"}, "model spec"),
    ],
)
def test_bad_spec_is_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_json(json.dumps({**json.loads(SPEC.to_json()), **changes}))


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_garbage_is_refused(text):
    with pytest.raises(SpecError):
        ModelSpec.from_json(text)


def test_missing_field_is_named():
    raw = json.loads(SPEC.to_json())
    del raw["version"]
    with pytest.raises(SpecError, match="version"):
        ModelSpec.from_json(json.dumps(raw))


def test_output_shapes_follow_tasks():
    assert SPEC.output_shapes(2) == {"lanes": (2, 5, 5, 40, 100), "mask": (2, 320, 800)}
    only = ModelSpec("m", "1", tasks=("drivable_surface",), input_size=(64, 96))
    assert only.output_shapes() == {"mask": (1, 64, 96)}
