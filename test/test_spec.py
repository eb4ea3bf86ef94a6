"""ModelSpec: survives the artifact's metadata, refuses what the decoder could not honour."""

import json

import pytest

from shared_encoder_perception.spec import ModelSpec, SpecError
from shared_encoder_perception.tasks.lanes.spec import LaneCalibration, StartPrior

SPEC = ModelSpec(
    "m",
    "1",
    start_priors=tuple(StartPrior(i, 2.0, 3.0, 4.0) for i in range(5)),
    lane_calibration=tuple(LaneCalibration((0.1, 0.2 + i / 10), (0.0, 0.5)) for i in range(5)),
    mask_temperature=1.5,
    mask_bias=-0.25,
    confidence_calibrated=True,
    scores={"set/f1": 0.5},
)


def test_json_round_trip():
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC


def test_a_spec_from_before_calibration_loads():
    raw = json.loads(SPEC.to_json())
    for name in ("lane_calibration", "mask_temperature", "mask_bias"):
        del raw[name]
    old = ModelSpec.from_json(json.dumps({**raw, "confidence_calibrated": False}))
    assert (old.lane_calibration, old.mask_temperature, old.mask_bias) == ((), 1.0, 0.0)


def one_lane(**knots):
    """A calibration of which the first lane has other knots."""
    lanes = json.loads(SPEC.to_json())["lane_calibration"]
    return {"lane_calibration": [{**lanes[0], **knots}, *lanes[1:]]}


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
        ({"lane_calibration": []}, "False without a lane_calibration"),
        ({"lane_calibration": [{"score": [0.5], "probability": [0.5]}]}, "none or 5"),
        (one_lane(score=[]), "equally many"),
        (one_lane(score=[0.1, 0.2, 0.3]), "equally many"),
        (one_lane(score=[0.2, 0.2]), "score is .* increasing"),
        (one_lane(probability=[0.5, 0.4]), "probability is .* increasing"),
        (one_lane(probability=[0.5, 1.1]), "from 0 to 1"),
        (one_lane(score=["a", "b"]), "malformed"),
        (one_lane(slope=[1]), "malformed"),
        ({"mask_temperature": 0.0}, "finite number above 0"),
        ({"mask_temperature": float("inf")}, "finite number above 0"),
        ({"mask_temperature": "warm"}, "malformed"),
        ({"mask_bias": float("nan")}, "mask_bias"),
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
