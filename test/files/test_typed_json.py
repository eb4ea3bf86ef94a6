# SPDX-License-Identifier: Apache-2.0
"""JSON as dataclasses: every field's type is checked, and the message says where it is wrong."""

import json
from dataclasses import dataclass

import pytest

from shared_encoder_perception.files.typed_json import JsonError, from_json, suggestion


@dataclass(frozen=True)
class Part:
    """Something inside of something."""

    weight: float
    tag: str = "none"


@dataclass(frozen=True)
class Whole:
    """One field of each kind."""

    name: str
    count: int
    ratio: float
    on: bool
    pair: tuple[int, int]
    values: tuple[float, ...]
    parts: tuple[Part, ...]
    main: Part
    by_name: dict[str, float]
    note: str = "kept"


GOOD = {
    "name": "whole",
    "count": 3,
    "ratio": 0.5,
    "on": True,
    "pair": [1, 2],
    "values": [0.5, 1],
    "parts": [{"weight": 1.0, "tag": "a"}],
    "main": {"weight": 2, "tag": "b"},
    "by_name": {"x": 0.25},
    "note": "said",
}


def lacking(key, place=GOOD):
    return {name: value for name, value in place.items() if name != key}


def test_an_object_becomes_a_dataclass_with_tuples():
    found = from_json(Whole, json.loads(json.dumps(GOOD)), "it")
    assert found == Whole(
        *("whole", 3, 0.5, True, (1, 2), (0.5, 1)),
        (Part(1.0, "a"),),
        Part(2, "b"),
        {"x": 0.25},
        "said",
    )


def test_what_is_optional_may_be_missing():
    found = from_json(Whole, lacking("note"), "it", optional=("note",))
    assert found.note == "kept"
    with pytest.raises(JsonError, match="it lacks the key 'note', expected name, count, "):
        from_json(Whole, lacking("note"), "it")
    with pytest.raises(JsonError, match="it lacks the key 'name'"):
        from_json(Whole, lacking("name"), "it", optional=("note",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, "it, name is 3, expected text"),
        ({"name": None}, "it, name is None, expected text"),
        ({"count": 3.0}, "it, count is 3.0, expected a whole number"),
        ({"count": True}, "it, count is True, expected a whole number"),
        ({"ratio": "0.5"}, "it, ratio is '0.5', expected a number"),
        ({"ratio": True}, "it, ratio is True, expected a number"),
        ({"ratio": float("nan")}, "it, ratio is nan, expected a finite number"),
        ({"ratio": float("-inf")}, "it, ratio is -inf, expected a finite number"),
        ({"on": 1}, "it, on is 1, expected true or false"),
        ({"pair": [1]}, "it, pair has 1 items, expected 2"),
        ({"pair": {"a": 1}}, "it, pair is {'a': 1}, expected a list"),
        ({"values": [0.5, "x"]}, r"it, values\[1\] is 'x', expected a number"),
        ({"values": "12"}, "it, values is '12', expected a list"),
        ({"parts": [{"weight": 1.0}]}, r"it, parts\[0\] lacks the key 'tag'"),
        ({"parts": [GOOD["main"], 7]}, r"it, parts\[1\] is 7, expected an object"),
        ({"main": {**GOOD["main"], "wait": 1}}, "it, main has the unknown key 'wait'; did you"),
        ({"main": {**GOOD["main"], "weight": []}}, "it, main, weight is .., expected a number"),
        ({"by_name": [1]}, "it, by_name is .1., expected an object"),
        ({"by_name": {"x": None}}, "it, by_name, x is None, expected a number"),
        ({"nam": "x"}, "it has the unknown key 'nam'; did you mean 'name'"),
    ],
)
def test_of_a_wrong_value_it_is_said_where_it_is_and_what_was_expected(changes, message):
    with pytest.raises(JsonError, match=message):
        from_json(Whole, {**GOOD, **changes}, "it")


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_what_is_no_object_is_refused(raw):
    with pytest.raises(JsonError, match=r"it is .*, expected an object"):
        from_json(Whole, raw, "it")


def test_a_long_value_is_not_all_shown():
    with pytest.raises(JsonError) as caught:
        from_json(Whole, {**GOOD, "count": "x" * 1000}, "it")
    assert len(str(caught.value)) < 120 and "..." in str(caught.value)


def test_ranges_are_the_dataclass_s_own():
    @dataclass(frozen=True)
    class Share:
        part: float

        def __post_init__(self):
            if not 0 <= self.part <= 1:
                raise ValueError("part is beyond 1")

    with pytest.raises(ValueError, match="beyond 1"):
        from_json(Share, {"part": 2}, "it")


def test_a_near_name_is_suggested_or_else_all_of_them():
    assert suggestion("lane", ["lanes", "depth"]) == "; did you mean 'lanes'?"
    assert suggestion("steering", ["lanes", "depth"]) == ": expected some of lanes, depth"
