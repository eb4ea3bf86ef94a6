# SPDX-License-Identifier: Apache-2.0
"""ModelSpec: survives the artifact's metadata, refuses what no decoder could honour."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from specs import spec_of

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import metadata, parse, read_artifact
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.spec import (
    METADATA_KEY,
    VERSION,
    ModelSpec,
    SpecError,
    Tensor,
    blocks,
)
from shared_encoder_perception.tasks.lanes.spec import LaneCalibration, StartPrior

ROOT = Path(__file__).resolve().parent.parent
SPEC = spec_of(
    "m",
    "1",
    start_priors=tuple(StartPrior(i, 2.0, 3.0, 4.0) for i in range(5)),
    lane_calibration=tuple(LaneCalibration((0.1, 0.2 + i / 10), (0.0, 0.5)) for i in range(5)),
    mask_temperature=1.5,
    mask_bias=-0.25,
    confidence_calibrated=True,
    scores={"set/f1": 0.5},
)
ONE_LEVEL = {
    "format_version": 1,
    "name": "old",
    "version": "0.2",
    "input_size": [64, 160],
    "tasks": ["lanes", "drivable_surface"],
    "lane_names": ["ego", "left_ego", "right_ego", "left_split_ego", "right_split_ego"],
    "stride": 8,
    "lane_thresholds": [0.5, 0.5, 0.5, 0.6, 0.6],
    "start_priors": [{"u": 1.0, "v": 2.0, "sigma_u": 3.0, "sigma_v": 4.0}] * 5,
    "mask_threshold": 0.6,
    "mask_temperature": 1.5,
    "color_order": "bgr",
}
"""A spec of format version 1, as models up to 0.5.0 carry it."""


def raw(**changes):
    """The general part of the spec's JSON, with other keys."""
    return {**json.loads(SPEC.to_json()), **changes}


def with_block(task, **changes):
    """The spec's JSON, in which the block of a task has other keys."""
    changed = raw()
    changed["tasks"][task] |= changes
    return changed


def without(changed, *path):
    """Return JSON that lacks a key."""
    *outer, key = path
    place = changed
    for step in outer:
        place = place[step]
    del place[key]
    return changed


def read(changed):
    return ModelSpec.from_json(json.dumps(changed))


def test_json_round_trip():
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC


def test_what_wrote_it_stands_in_it_and_is_the_packages_version():
    written = json.loads(SPEC.to_json())
    assert (written["format_version"], written["written_by"]) == (2, VERSION)
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("version") == VERSION


def test_models_from_before_a_key_was_added_answer_as_they_did():
    """Users have exported models since version 2 began; every one of them would be refused."""
    written = json.loads(ModelSpec("m", "1").to_json())
    del written["shrink"]
    for name, room in tasks.parts("spec", written["tasks"]).items():
        for key in room.ADDED:
            del written["tasks"][name][key]
    read = ModelSpec.from_json(json.dumps(written))
    assert read == ModelSpec("m", "1")
    assert read.shrink == "area_below_half"
    assert read.tasks["drivable_surface"].mask_stride == 1
    assert not read.tasks["lanes"].holds_to_evidence


def test_what_may_be_missing_of_the_general_part_has_its_default():
    few = {key: raw()[key] for key in ("format_version", "name", "version", "input_size", "tasks")}
    spec = read(few)
    assert (spec.color_order, spec.training_data, spec.git_commit, spec.scores) == (
        *("bgr", "", ""),
        {},
    )
    assert spec.tasks == SPEC.tasks


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (raw(input_size=[300, 800]), "multiples of 32"),
        (raw(input_size=[320, -800]), "multiples of 32"),
        (raw(input_size="big"), "the model spec, input_size is 'big', expected a list"),
        (raw(input_size=[320]), "input_size has 1 items, expected 2"),
        (raw(name=""), "non-empty"),
        (raw(version=2), "the model spec, version is 2, expected text"),
        (raw(color_order="rgb"), "expected 'bgr'"),
        (raw(colour_order="bgr"), "the unknown key 'colour_order'; did you mean 'color_order'"),
        (raw(scores={"f1": "good"}), "the model spec, scores, f1 is 'good', expected a number"),
        (raw(format_version=99), "format_version 99, this code reads 1 to 2: export the model"),
        (raw(format_version=None), "format_version None"),
        (without(raw(), "format_version"), "format_version None"),
        (without(raw(), "version"), "the model spec lacks the key 'version'"),
        (without(raw(), "input_size"), "the model spec lacks the key 'input_size'"),
        (raw(tasks={}), "tasks is {}, expected at least one"),
        (raw(tasks=["lanes"]), "tasks is .*, expected an object, a block for each task"),
        (raw(tasks={"lanes": 3}), "block lanes is 3, expected an object"),
    ],
)
def test_bad_general_part_is_refused(changed, message):
    with pytest.raises(SpecError, match=message):
        read(changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (with_block("lanes", stride="8"), "block lanes, stride is '8', expected a whole number"),
        (with_block("lanes", stride=True), "block lanes, stride is True, expected a whole"),
        (with_block("lanes", stride=7), "block lanes: .*stride is 7, expected 4, 8, 16 or 32"),
        (without(raw(), "tasks", "lanes", "stride"), "block lanes lacks the key 'stride'"),
        (
            with_block("lanes", strides=8),
            "block lanes has the unknown key 'strides'; did you mean 'stride'",
        ),
        (
            without(raw(), "tasks", "lanes", "start_priors", 3, "sigma_v"),
            r"block lanes, start_priors\[3\] lacks the key 'sigma_v'",
        ),
        (
            with_block("drivable_surface", mask_bias=float("nan")),
            "block drivable_surface, mask_bias is nan, expected a finite number",
        ),
        (
            with_block("drivable_surface", mask_threshold=None),
            "block drivable_surface, mask_threshold is None, expected a number",
        ),
        (
            with_block("drivable_surface", mask_threshold=1.0),
            "block drivable_surface: .*mask_threshold is 1.0, expected between 0 and 1",
        ),
    ],
)
def test_of_a_bad_block_it_is_said_which_and_which_key(changed, message):
    with pytest.raises(SpecError, match=message):
        read(changed)


def test_a_task_that_is_not_known_is_named_with_the_version_that_wrote_it():
    changed = raw(written_by="7.1")
    changed["tasks"]["steering"] = {"ratio": 3}
    message = (
        r"the task 'steering', which this version of the package \(.+\) does not know, only lanes"
        r".*use the version that wrote it \(7\.1\), or a later one"
    )
    with pytest.raises(SpecError, match=message):
        read(changed)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_garbage_is_refused(text):
    with pytest.raises(SpecError):
        ModelSpec.from_json(text)


# ---- format version 1 ----------------------------------------------------------------------------


def test_the_shipped_models_spec_is_read_and_written_by_blocks():
    artifact = read_artifact(DEFAULT_MODEL)
    model = parse(artifact.content, artifact.source)
    old = json.loads(metadata(model)[METADATA_KEY])
    spec = artifact.spec
    if old["format_version"] == 1:
        assert list(spec.tasks) == old["tasks"]
        assert list(spec.tasks["lanes"].lane_thresholds) == old["lane_thresholds"]
        assert spec.tasks["drivable_surface"].mask_threshold == old["mask_threshold"]
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_the_keys_of_one_level_are_sorted_into_blocks():
    spec = read(ONE_LEVEL)
    assert list(spec.tasks) == ["lanes", "drivable_surface"]
    lanes, surface = spec.tasks.values()
    assert lanes.lane_thresholds == (0.5, 0.5, 0.5, 0.6, 0.6)
    assert lanes.start_priors == (StartPrior(1.0, 2.0, 3.0, 4.0),) * 5
    assert (surface.mask_threshold, surface.mask_temperature) == (0.6, 1.5)
    assert spec.input_size == (64, 160)


def test_a_spec_from_before_calibration_has_none():
    old = {key: ONE_LEVEL[key] for key in ONE_LEVEL if not key.startswith(("mask", "start"))}
    lanes, surface = read(old).tasks.values()
    assert (lanes.lane_calibration, lanes.start_priors) == ((), ())
    assert (surface.mask_threshold, surface.mask_temperature, surface.mask_bias) == (0.5, 1.0, 0.0)


def test_a_model_of_one_level_that_answers_one_task_has_one_block():
    spec = read({**ONE_LEVEL, "tasks": ["drivable_surface"]})
    assert list(spec.tasks) == ["drivable_surface"]
    assert spec.output_shapes() == {"mask": (1, 64, 160)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({**ONE_LEVEL, "stride": 7}, "block lanes: .*stride"),
        ({**ONE_LEVEL, "mask_bias": "none"}, "block drivable_surface, mask_bias is 'none'"),
        ({**ONE_LEVEL, "colour": "bgr"}, "unknown key 'colour'"),
        ({**ONE_LEVEL, "tasks": []}, "tasks is \\[\\], expected a list of names"),
        ({**ONE_LEVEL, "tasks": ["lanes", "steering"]}, "the task 'steering', which this version"),
        (without(dict(ONE_LEVEL), "version"), "lacks the key 'version'"),
    ],
)
def test_a_bad_spec_of_one_level_is_refused(changed, message):
    with pytest.raises(SpecError, match=message):
        read(changed)


# ---- tensors -------------------------------------------------------------------------------------


def test_tensors_follow_the_tasks():
    assert SPEC.output_shapes(2) == {"lanes": (2, 5, 5, 40, 100), "mask": (2, 320, 800)}
    assert SPEC.input_tensors() == {"image": Tensor("uint8", (320, 800, 3))}
    only = ModelSpec("m", "1", tasks=blocks("drivable_surface"), input_size=(64, 96))
    assert only.output_tensors() == {"mask": Tensor("uint8", (64, 96))}
