# SPDX-License-Identifier: Apache-2.0
"""Soaks of rigs: each image's fate, what was said of unplugged cameras, limits that hold."""

from copy import deepcopy

import numpy as np
import pytest

from shared_encoder_perception.soak.limits import Limits
from shared_encoder_perception.soak.records import ANSWER, SENT_BY
from shared_encoder_perception.soak.rigs import analysis, report, verdict
from shared_encoder_perception.soak.rigs.outages import is_out, planned
from shared_encoder_perception.soak.rigs.records import EVENT

S = 10**9
NAMES = ("front", "rear")
OUTPUTS = 3


def sent_rows(seconds, rate=10, without=(0, 0)):
    """Return what two cameras sent; the first sent nothing from one moment to another."""
    return np.array(
        [
            (S + index * S // rate + number, S + index * S // rate + number, number)
            for index in range(seconds * rate)
            for number in range(2)
            if number or not without[0] <= index < without[1]
        ],
        SENT_BY,
    )


def map_rows(sent):
    """Return a whole map for each image of the first camera, 50 ms later."""
    rows = np.zeros(int((sent["camera"] == 0).sum()), ANSWER)
    rows["stamp_ns"] = sent["stamp_ns"][sent["camera"] == 0]
    rows["outputs"], rows["sequence"] = OUTPUTS, np.arange(len(rows)) + 1
    rows["array_ns"] = rows["last_ns"] = rows["stamp_ns"] + S // 20
    return rows


def test_outages_are_in_the_middle_and_in_turn():
    assert list(planned([], 1200)) == []
    (one,) = planned(["front"], 120)
    assert one == ("front", 55.0, 65.0)
    ten = list(planned(["front", "rear"], 1200))
    assert [each.camera for each in ten] == ["front", "rear"] * 5
    assert {each.end_s - each.start_s for each in ten} == {10.0}
    assert np.diff([each.start_s for each in ten]) == pytest.approx(120.0)
    (short,) = planned(["front"], 10)
    assert (short.start_s, short.end_s) == pytest.approx((3.0, 7.0))
    assert is_out([short], "front", 3.0) and not is_out([short], "front", 7.0)
    assert not is_out([short], "rear", 5.0)


def test_an_image_is_unaccounted_that_is_in_no_number_or_in_two():
    sent = sent_rows(1)
    told = {
        "front": {"received": 10, "used": 8, "replaced": 1, "waiting": 1},
        "rear": {"received": 10, "used": 10},
    }
    found = analysis.fates(sent, NAMES, told)
    assert [found[name]["unaccounted"] for name in NAMES] == [0, 0]
    assert analysis.dropped(found) == 1, "one that waits is not dropped"
    told["front"]["waiting"], told["rear"]["late"] = 0, 2
    found = analysis.fates(sent, NAMES, told)
    assert [found[name]["unaccounted"] for name in NAMES] == [1, -2]
    assert analysis.fates(sent, NAMES, {})["rear"]["unaccounted"] == 10


def test_maps_that_do_not_come_back_are_lost_and_others_foreign():
    sent = sent_rows(1)
    answers, told = map_rows(sent), {"maps": 10, "partial": 2, "without_map": 1}
    found = analysis.maps(sent, answers, told, OUTPUTS)
    assert (found["made"], found["whole"], found["partial"], found["without_map"]) == (10, 10, 2, 1)
    assert (found["lost_messages"], found["foreign"]) == (0, 0)
    answers[3]["outputs"] -= 1
    found = analysis.maps(sent, answers, told, OUTPUTS)
    assert (found["whole"], found["lost_messages"]) == (9, 1)
    answers[4]["stamp_ns"] += 7
    assert analysis.maps(sent, answers, told, OUTPUTS)["foreign"] == 1
    assert analysis.maps(sent, map_rows(sent)[1:], told, OUTPUTS)["lost_messages"] == OUTPUTS


def states(*said):
    """Return lines of the probe: when, in seconds, and the states of both cameras."""
    return [
        {"at_ns": int(at_s * S), "cameras": dict(zip(NAMES, both, strict=True))}
        for at_s, *both in said
    ]


def test_how_long_it_took_to_be_called_dead_and_active():
    sent = sent_rows(20, without=(30, 60))
    events = np.array([(0, 4 * S, 7 * S)], EVENT)
    lines = states(
        (3.5, "active", "dead"),
        (5.0, "active", "active"),
        (6.0, "dead", "active"),
        (7.5, "late", "active"),
        (9.0, "active", "active"),
    )
    (one,) = analysis.outages(sent, events, NAMES, lines)
    assert one["camera"] == "front" and one["at_s"] == pytest.approx(3.0)
    assert (one["out_s"], one["named_s"], one["active_s"]) == (3.0, 2.0, 2.0)
    (one,) = analysis.outages(sent, events, NAMES, lines[:2])
    assert (one["named_s"], one["active_s"]) == (None, None)


def test_what_is_said_of_the_next_outage_is_not_of_this_one():
    sent = sent_rows(20)
    events = np.array([(0, 4 * S, 7 * S), (0, 9 * S, 0)], EVENT)
    lines = states((8.0, "late", "active"), (10.0, "dead", "active"), (11.0, "active", "active"))
    first, second = analysis.outages(sent, events, NAMES, lines)
    assert (first["named_s"], first["active_s"]) == (None, None)
    assert (second["named_s"], second["out_s"], second["active_s"]) == (1.0, None, None)


def test_the_rate_is_that_of_a_camera_that_was_not_unplugged():
    assert analysis.rate_hz(sent_rows(10, without=(20, 80))) == pytest.approx(10.0)
    alone = sent_rows(10, without=(20, 40))
    alone = alone[alone["camera"] == 0]
    assert analysis.rate_hz(alone) == pytest.approx(10.0)
    assert analysis.rate_hz(alone[:1]) == analysis.rate_hz(alone[:0]) == 0.0


def a_result():
    """Return a result that keeps every limit."""
    camera = {"published": 9, "received": 9, "used": 8, "replaced": 1, "late": 0, "apart": 0}
    others = ("rejected", "uncalibrated", "few", "lost", "disabled", "left", "waiting", "in_work")
    camera |= dict.fromkeys((*others, "unaccounted"), 0)
    grown = {"start": 200.0, "end": 201.0, "per_minute": 1.0, "percent": 0.5}
    outage = {"camera": "front", "at_s": 50.0, "out_s": 11.0, "named_s": 2.0, "active_s": 5.0}
    return {
        "setting": {"rate": 10.0, "outages": 1, "seconds": 120.0, "sizes": {}},
        "rate": 9.9,
        "excused": 6,
        "cameras": {name: dict(camera) for name in NAMES},
        "maps": {"made": 8, "whole": 8, "lost_messages": 0, "foreign": 0}
        | {"partial": 0, "without_map": 0},
        "outages": [outage],
        "resources": {"memory_growth": grown, "new_threads": 0.0, "new_files": 0.0},
    }


BREACHES = [
    (("cameras", "rear", "unaccounted"), 1, "camera rear: 1 of 9 images are unaccounted"),
    (("cameras", "rear", "unaccounted"), -1, "camera rear: -1 of 9"),
    (("cameras", "rear", "replaced"), 6, "7 images dropped, the limit is 0 and the 6"),
    (("cameras", "front", "lost"), 5, "7 images dropped"),
    (("maps", "whole"), 0, "no map came back"),
    (("maps", "lost_messages"), 2, "2 messages of the node did not arrive"),
    (("maps", "foreign"), 1, "1 maps belong to no image"),
    (("setting", "outages"), 2, "1 of 2 times a camera was unplugged"),
    (("outages", 0, "out_s"), None, "camera front, unplugged at 50 s, did not come back"),
    (("outages", 0, "named_s"), None, "was not called dead by the diagnostics"),
    (("outages", 0, "named_s"), 4.1, "was called dead after 4.1 s, the limit is 4 s"),
    (("outages", 0, "active_s"), 10.1, "was called active again after 10.1 s"),
    (("rate",), 9.0, "the camera sent 9.00 Hz, 10 were asked for"),
    (("resources", "memory_growth", "percent"), 1.01, "memory grew by 1.01 %"),
    (("resources", "new_threads"), 1.0, "1 threads added"),
]


@pytest.mark.parametrize(("where", "value", "message"), BREACHES, ids=lambda item: str(item))
def test_each_broken_limit_is_named(where, value, message):
    result = a_result()
    assert verdict.broken(deepcopy(result), Limits()) == []
    place = result
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    (line,) = verdict.broken(result, Limits())
    assert message in line


def test_what_may_be_dropped_is_what_waits_for_the_anchor():
    assert verdict.excused(4, 1, 10.0, 0.5) == 18
    assert verdict.excused(4, 0, 10.0, 0.5) == verdict.excused(1, 1, 10.0, 0.5) == 0


def test_the_report_does_the_sum_of_each_camera():
    result = a_result() | {
        "model": dict.fromkeys(("name", "version", "backend", "backend_version", "device"), "x")
        | {"precision": "fp32", "threads": 2},
        "times": {},
        "stages_told": {},
        "machine": {"cores": 2},
    }
    result["resources"] |= {"cpu_ms_per_image": {}, "cores": 1.0, "others_cores": 0.0}
    result["resources"] |= {"memory_mb": 1.0, "private_mb": 1.0, "threads": 1, "files": 1}
    text = "\n".join(report.lines(result))
    assert "front: 9 published = 8 used + 1 replaced + 0 unaccounted" in text
    assert "front at 50.0 s for 11.0 s: called dead after 2.0 s" in text
