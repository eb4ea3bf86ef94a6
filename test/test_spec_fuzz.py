# SPDX-License-Identifier: Apache-2.0
"""A spec is data: whatever stands in a field, it is refused in words, or all of it works."""

import copy
import json
import math

import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import strategies as st
from specs import spec_of

from shared_encoder_perception.artifact.model_info import MODEL_INFO, fill_model_info
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.predictor import Decoder
from shared_encoder_perception.spec import ModelSpec, SpecError
from shared_encoder_perception.tasks.lanes.spec import LaneCalibration, StartPrior
from shared_encoder_perception.tasks.options import own_options

SPEC = spec_of(
    "m",
    "1",
    input_size=(64, 160),
    start_priors=tuple(StartPrior(10.0 + i, 6.0, 3.0, 4.0) for i in range(5)),
    lane_calibration=(LaneCalibration((0.1, 0.9), (0.0, 0.5)),) * 5,
    confidence_calibrated=True,
    training_data="a set",
    git_commit="abc",
    scores={"set/f1": 0.5},
)
INFO = BackendInfo("engine", "1", "cpu", "fp32", 2, "a.onnx", "ab")
NASTY = (
    *(None, True, False, "", "no", "nan", "0.5", "a\0b", "\ud800", "a\x1b[31m\n\u202e", "x" * 300),
    *("y" * 30_000, 0, 1, -1, 7, 8, 0.5, -0.5, 1.0, 2**31, 2**32, 2**63, 2**64, 10**30, 10**400),
    *(math.nan, math.inf, -math.inf, 1e-320, 1e300, -1e300, 3.5e38, [], {}, [[]], [{}], [None]),
    *({"a": {"b": [1]}}, [0.1, 0.2], [math.nan] * 5, ["a"] * 5, [64, 160], [1e9, 1e9], [32, 0]),
    *([0.9, 0.1], [2**40 * 32, 32], [64.0, 160.0], [True, True], [[0.1], [0.2]]),
)


def places(node, path=()):
    """Yield the path of everything in a JSON tree."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


GOOD = json.loads(SPEC.to_json())
PLACES = [path for path in places(GOOD) if path]


def outputs_of(spec):
    """Outputs with keypoints in each lane: what is wrong with a spec shows at the first lane."""
    shapes = spec.output_shapes()
    found = {}
    if "lanes" in shapes:
        lanes = np.zeros(shapes["lanes"][1:], np.float32)
        rows = np.arange(1, lanes.shape[2])
        for lane in range(len(lanes)):
            column = min(3 + lane, lanes.shape[3] - 1)
            lanes[lane, 0, rows, column] = 0.95
            lanes[lane, 2, rows, column] = rows[-1] - rows
        found["lanes"] = lanes
    if "mask" in shapes:
        found["mask"] = np.full(shapes["mask"][1:], 200, np.uint8)
    return found


def works(spec):
    """Use a spec for all that the node uses it for."""
    from shared_encoder_perception.replay.messages import new_message, to_bytes

    assert ModelSpec.from_json(spec.to_json()) == spec
    assert printable(spec.title) == spec.title
    message = new_message(MODEL_INFO)
    fill_model_info(message, spec, INFO, message.stamp)
    assert to_bytes(message)
    if max(spec.input_size) <= 800:
        transform = ImageTransform.fit((240, 600), spec.input_size)
        with np.errstate(all="raise", under="ignore"):
            image = np.zeros((*transform.image_size, 3), np.uint8)
            perception = Decoder(spec)(outputs_of(spec), transform, own_options(spec), image)
        for lane in perception.answers["lanes"].lines if "lanes" in spec.tasks else ():
            assert 0.0 <= lane.confidence <= 1.0
            assert np.isfinite(lane.points_px).all()


def changed(path, value, how):
    """Return the good spec with one place replaced, lost, or with a neighbour."""
    raw = copy.deepcopy(GOOD)
    place = raw
    for step in path[:-1]:
        place = place[step]
    if how == "replaced":
        place[path[-1]] = value
    elif how == "lost":
        del place[path[-1]]
    elif isinstance(place, dict):
        place[str(value)[:50]] = value
    else:
        place.insert(path[-1], value)
    return raw


def check(path, value, how):
    """Read a changed spec: words, or all works."""
    try:
        text = json.dumps(changed(path, value, how))
        spec = ModelSpec.from_json(text)
    except SpecError as error:
        words = str(error)
    else:
        works(spec)
        words = "it works"
    assert printable(words) == words and len(words) < 600, words


def test_the_good_spec_works():
    works(SPEC)
    works(ModelSpec.from_json(json.dumps(GOOD)))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_each_field_with_each_nasty_value_is_refused_in_words_or_works(path):
    if path[-1] not in (1, 2, 3, 4):  # the first of a list stands for its neighbours
        for value in NASTY:
            check(path, value, "replaced")
        check(path, None, "lost")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deep"),
        ("[" * 100_000, "nested too deep"),
        ('{"name": ' + "9" * 5000 + "}", "not valid JSON"),
        (json.dumps(GOOD)[:-20], "not valid JSON"),
        (json.dumps({**GOOD, "format_version": True}), "format_version True"),
        (json.dumps({**GOOD, "format_version": 2.0}), "format_version 2.0"),
        (json.dumps({**GOOD, "format_version": 1, "tasks": [{}]}), "expected a list of names"),
    ],
)
def test_what_cannot_be_a_spec_is_refused_in_words(text, words):
    with pytest.raises(SpecError, match=words):
        ModelSpec.from_json(text)


def test_what_is_neither_text_nor_number_nor_truth_is_no_substitute_for_it():
    block = {"tasks": {**GOOD["tasks"]}}
    for key, value, words in (
        ("confidence_calibrated", "no", "expected true or false"),
        ("confidence_calibrated", 1, "expected true or false"),
        ("horizon_row_px", math.nan, "expected a finite number"),
        ("horizon_row_px", "27", "expected a number"),
        ("horizon_row_px", None, "expected a number"),
        ("horizon_row_px", -1e300, "expected a row from"),
        ("stride", True, "expected a whole number"),
    ):
        block["tasks"]["lanes"] = {**GOOD["tasks"]["lanes"], key: value}
        with pytest.raises(SpecError, match=f"{key}.*{words}"):
            ModelSpec.from_json(json.dumps({**GOOD, **block}))


def test_any_change_is_refused_in_words_or_works():
    leaf = st.one_of(
        st.sampled_from(NASTY),
        st.floats(),
        st.integers(),
        st.text(max_size=20),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
            max_leaves=6,
        ),
    )
    fuzz(
        400,
        check,
        path=st.sampled_from(PLACES),
        value=leaf,
        how=st.sampled_from(["replaced", "replaced", "lost", "added"]),
    )
