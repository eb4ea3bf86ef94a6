# SPDX-License-Identifier: Apache-2.0
"""Soaks: every image's fate, the times of each image, limits that hold."""

import argparse

import numpy as np
import pytest

from shared_encoder_perception.soak import analysis, limits
from shared_encoder_perception.soak.records import ANSWER, SENT, TOLD_STAGES, Rows, read
from shared_encoder_perception.soak.resources import EXECUTOR, INFERENCE, MIDDLEWARE, Sample

MS = 10**6
OUTPUTS = 7


def sent_rows(count):
    """Return images 100 ms apart by the stamps, published 1 ms after their stamps."""
    stamps = [1000 + 100 * MS * index for index in range(count)]
    return np.array([(stamp, stamp + MS) for stamp in stamps], SENT)


def answer(sent, sequence, replaced=0, rejected=0, outputs=OUTPUTS, latency_ms=20, inference_ms=12):
    """Return the row of an image's answer."""
    came_ns = sent["sent_ns"] + latency_ms * MS
    dropped = replaced + rejected
    told = (
        sequence,
        sequence + dropped,
        dropped,
        replaced,
        rejected,
        0.1,
        0.2,
        inference_ms,
        1.0,
        15.0,
    )
    return np.array((sent["stamp_ns"], outputs, came_ns, came_ns + MS, *told), ANSWER)


@pytest.fixture
def four():
    """Four images: the second was replaced."""
    sent = sent_rows(4)
    rows = [answer(sent[0], 1), answer(sent[2], 2, replaced=1), answer(sent[3], 3, replaced=1)]
    return sent, np.array(rows)


def test_in_is_out_and_dropped(four):
    fates = analysis.fates(*four, {}, OUTPUTS)
    assert (fates["published"], fates["perceived"], fates["replaced"]) == (4, 3, 1)
    assert (fates["unaccounted"], fates["lost_messages"], fates["foreign"]) == (0, 0, 0)
    assert fates["whole"] == 3


def test_reasons_that_only_the_diagnostics_know_are_counted(four):
    sent, answers = four
    more = np.concatenate((sent, sent_rows(6)[4:]))
    assert analysis.fates(more, answers, {}, OUTPUTS)["unaccounted"] == 2
    told = {"received": 6, "perceived": 3, "replaced": 1, "limited": 2}
    assert analysis.fates(more, answers, told, OUTPUTS)["unaccounted"] == 0
    assert analysis.fates(more, answers, told, OUTPUTS)["limited"] == 2
    assert analysis.fates(more, answers, told, OUTPUTS)["received"] == 6


def test_drops_without_a_named_reason_are_counted(four):
    sent, answers = four
    answers[2]["dropped"] += 1
    fates = analysis.fates(np.concatenate((sent, sent_rows(5)[4:])), answers, {}, OUTPUTS)
    assert (fates["dropped"], fates["replaced"], fates["unaccounted"]) == (2, 1, 0)


FAULTS = {
    "an array in the middle": (lambda rows: rows[[0, 2]], "lost_messages", OUTPUTS),
    "an array at the end": (lambda rows: rows[:2], "lost_messages", OUTPUTS),
    "an answer twice": (lambda rows: rows[[0, 1, 1, 2]], "foreign", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_lost_or_foreign_is_told(four, fault):
    sent, answers = four
    change, key, number = FAULTS[fault]
    fates = analysis.fates(sent, change(answers), {"perceived": 3, "replaced": 1}, OUTPUTS)
    assert fates[key] == number
    assert fates["unaccounted"] == 0


def test_a_missing_lane_and_a_foreign_stamp_are_told(four):
    sent, answers = four
    answers[1]["outputs"] -= 1
    fates = analysis.fates(sent, answers, {}, OUTPUTS)
    assert (fates["whole"], fates["lost_messages"]) == (2, 1)
    answers[1]["stamp_ns"] += 1
    fates = analysis.fates(sent, answers, {}, OUTPUTS)
    assert (fates["whole"], fates["foreign"]) == (2, 1)


def test_an_array_that_did_not_come_gives_no_time(four):
    sent, answers = four
    answers[1]["array_ns"] = answers[1]["sequence"] = 0
    assert len(analysis.per_image(sent, answers)["latency"]) == 2


def test_times_are_those_of_the_same_image(four):
    sent, _ = four
    rows = [
        answer(sent[2], 2, latency_ms=50, inference_ms=30),
        answer(sent[0], 1, latency_ms=20, inference_ms=12),
        answer(sent[3], 3, latency_ms=25, inference_ms=14),
    ]
    times = analysis.per_image(sent[::-1], np.array(rows))
    assert times["array"].tolist() == [20, 50, 25]
    assert times["latency"].tolist() == [21, 51, 26]
    assert times["overhead"].tolist() == [9, 21, 12]
    assert times["node_overhead"].tolist() == [3, -15, 1]
    assert times["transport"].tolist() == [6, 36, 11]
    assert times["queued"].tolist() == [-3, 9, -18]
    spread = analysis.spreads(times)
    assert (spread["latency"]["p50"], spread["latency"]["max"]) == (26, 51)


def looks(count, threads=20):
    """Return one sample a second, of a node that uses 0.5 cores beside 0.25 of others."""
    return [
        Sample(
            at_s=float(second),
            cpu_s=7.0 + 0.5 * second,
            groups_cpu_s={EXECUTOR: 1.0 + 0.1 * second, MIDDLEWARE: 2.0, INFERENCE: 0.4 * second},
            peers_cpu_s={"camera": 0.2 * second},
            memory_mb=200.0,
            private_mb=100.0,
            threads=threads,
            files=26,
            others_cpu_s=900.0 + 0.25 * second,
        )
        for second in range(count)
    ]


def test_cpu_time_is_divided_by_the_images_that_came_meanwhile():
    answers = np.zeros(60, ANSWER)  # 10 a second
    answers["last_ns"] = np.arange(60) * 100 * MS + MS
    found = analysis.resources(looks(7), answers)
    assert found["cores"] == pytest.approx(0.5)
    assert found["others_cores"] == pytest.approx(0.25)
    assert found["cpu_ms_per_image"] == pytest.approx(
        {"node": 50.0, EXECUTOR: 10.0, MIDDLEWARE: 0.0, INFERENCE: 40.0, "camera": 20.0}
    )
    assert (found["threads"], found["files"], found["new_threads"]) == (20, 26, 0)
    assert analysis.resources(looks(7), answers[:0])["cpu_ms_per_image"] == {}


def test_only_samples_under_load_count():
    sent = sent_rows(40)  # until 3.9 s
    assert [sample.at_s for sample in analysis.while_sent(looks(7), sent)] == [0, 1, 2, 3]


def test_stages_that_only_the_diagnostics_tell():
    reports = [
        {f"{stage}_{point}_ms": str(value + number) for stage in TOLD_STAGES
         for point, value in (("p50", 1), ("p95", 2), ("max", 3))}
        for number in (0, 10, 1)
    ]  # fmt: skip
    told = analysis.stages_told(reports)
    assert told == {stage: {"p50": 2.0, "p95": 3.0, "max": 13.0} for stage in TOLD_STAGES}
    assert analysis.stages_told([]) == {}


def test_no_answer_at_all_is_a_result_too():
    nothing = np.zeros(0, ANSWER)
    fates = analysis.fates(sent_rows(3), nothing, {}, OUTPUTS)
    assert (fates["perceived"], fates["unaccounted"]) == (0, 3)
    assert analysis.spreads(analysis.per_image(sent_rows(3), nothing)) == {}


def test_rows_can_be_read_while_they_are_written(tmp_path):
    path = tmp_path / "rows"
    assert len(read(path, SENT)) == 0
    rows = Rows(path, SENT)
    for number in range(5):
        rows.write(number, 10 * number)
        assert read(path, SENT)["sent_ns"].tolist() == [10 * n for n in range(number + 1)]
    assert read(path, SENT, 2)["stamp_ns"].tolist() == [3, 4]
    rows.close()


def a_result():
    """Return a result that keeps every limit."""
    images = {"published": 9, "received": 9, "perceived": 9, "dropped": 0, "whole": 9}
    points = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    grown = {"start": 200.0, "end": 201.0, "per_minute": 1.0, "percent": 0.5}
    return {
        "overload": False,
        "tells_inference": True,
        "setting": {"rate": 30.0},
        "rate": 29.9,
        "images": {**images, "unaccounted": 0, "lost_messages": 0, "foreign": 0},
        "times": {name: dict(points) for name in ("overhead", "queued")},
        "resources": {"memory_growth": grown, "new_threads": 0.0, "new_files": 0.0},
    }


BREACHES = [
    (("rate",), 25.0, "the camera sent 25.00 Hz, 30 were asked for"),
    (("images", "whole"), 0, "no image came back"),
    (("images", "unaccounted"), 1, "1 of 9 images are unaccounted"),
    (("images", "unaccounted"), -1, "-1 of 9 images are unaccounted"),
    (("images", "lost_messages"), 2, "2 messages of the node did not arrive"),
    (("images", "foreign"), 1, "1 answers belong to no image"),
    (("images", "dropped"), 1, "1 images dropped, the limit is 0"),
    (("times", "overhead", "p50"), 4.1, "p50: 4.1 ms, the limit is 4 ms"),
    (("times", "overhead", "p99"), 12.1, "p99: 12.1 ms, the limit is 12 ms"),
    (("times", "overhead", "p50"), float("nan"), "p50: nan ms"),
    (("resources", "memory_growth", "percent"), 1.01, "memory grew by 1.01 %"),
    (("resources", "new_threads"), 1.0, "1 threads added"),
    (("resources", "new_files"), 2.0, "2 file descriptors added"),
]


@pytest.mark.parametrize(("where", "value", "message"), BREACHES, ids=lambda item: str(item))
def test_each_broken_limit_is_named(where, value, message):
    result = a_result()
    assert limits.broken(result, limits.Limits()) == []
    place = result
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    (line,) = limits.broken(result, limits.Limits())
    assert message in line


@pytest.mark.parametrize("text", ["nan", "-1", "much"])
def test_a_limit_that_could_never_be_broken_is_refused(text, capsys):
    parser = argparse.ArgumentParser()
    limits.add_options(parser)
    assert limits.from_options(parser.parse_args(["--max-dropped", "inf"])).dropped == np.inf
    with pytest.raises(SystemExit):
        parser.parse_args([f"--max-dropped={text}"])
    assert "--max-dropped" in capsys.readouterr().err


def test_an_overload_may_drop_but_its_age_is_bounded():
    result = a_result()
    result["images"]["dropped"], result["times"]["overhead"]["p50"] = 100, 90.0
    result["overload"] = True
    assert limits.broken(result, limits.Limits()) == []
    result["times"]["queued"]["p99"] = 13.0
    (line,) = limits.broken(result, limits.Limits())
    assert "age beyond two inferences, p99: 13.0 ms" in line


def test_without_word_of_the_inference_nothing_is_held_against_its_limits():
    result = a_result()
    result["times"]["overhead"] = dict.fromkeys(("p50", "p95", "p99"), float("nan"))
    assert len(limits.broken(result, limits.Limits())) == 2
    result["tells_inference"] = False
    assert limits.broken(result, limits.Limits()) == []
