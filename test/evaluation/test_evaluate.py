# SPDX-License-Identifier: Apache-2.0
"""The evaluate command: its numbers are those of the metrics, and its files are complete."""

import csv
import json
import math
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from labelled_set import write_set
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.evaluation.evaluate import score
from shared_encoder_perception.evaluation.failures import how_bad
from shared_encoder_perception.evaluation.frame_record import LATENCY
from shared_encoder_perception.labels import native
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable import baseline as mask_baseline
from shared_encoder_perception.tasks.drivable.road_scores import RoadScores
from shared_encoder_perception.tasks.lanes import baseline as lanes_baseline
from shared_encoder_perception.tasks.lanes.labels import inside
from shared_encoder_perception.tasks.lanes.metrics.benchmarks import (
    benchmark_rows,
    columns,
    culane_canvas,
    thinned,
)
from shared_encoder_perception.tasks.lanes.metrics.confidence import LaneReliability
from shared_encoder_perception.tasks.lanes.metrics.culane import CulaneMetric
from shared_encoder_perception.tasks.lanes.metrics.lateral import LateralMetric
from shared_encoder_perception.tasks.lanes.metrics.rows import LaneMetric
from shared_encoder_perception.tasks.lanes.metrics.tusimple import TusimpleMetric
from shared_encoder_perception.tasks.masks.area import MaskMetric
from shared_encoder_perception.tasks.masks.boundary import BoundaryMetric
from shared_encoder_perception.tasks.masks.reliability import MaskReliability

LANES, MASK = "lanes", "drivable_surface"
SIZE = (180, 320)
COUNT = 6


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A set, a model, and what the command wrote about them."""
    folder = tmp_path_factory.mktemp("evaluate")
    labels = write_set(folder / "set", COUNT)
    model = write_tiny_model(folder / "tiny.onnx")
    outs = [folder / name for name in ("out", "again")]
    for out, path in zip(outs, (labels, labels / "frames.jsonl"), strict=True):
        command = ["evaluate", "--labels", str(path), "--model", str(model), "--no-report"]
        assert main([*command, "--out", str(out)]) == 0
    summary = json.loads((outs[0] / "summary.json").read_text())
    frames = list(csv.DictReader((outs[0] / "frames.csv").open()))
    return SimpleNamespace(labels=labels, model=model, outs=outs, summary=summary, frames=frames)


def answers(scored):
    """Yield sample, crop and answer of each image, without the command."""
    predictor = Predictor(load_backend(str(scored.model), "onnxruntime"))
    for frame in native.read(scored.labels):
        sample = frame.load()
        yield sample, frame.crop, predictor(sample.image, frame.crop)


def nulls(value):
    """As the command writes JSON."""
    return json.loads(json.dumps(value).replace("NaN", "null"))


def measured(triples):
    """The metrics' own numbers of ``(sample, crop, answer)`` triples."""
    lanes, stated, lateral = LaneMetric(), LaneReliability(), LateralMetric()
    mask, shades, boundary = MaskMetric(), MaskReliability(), BoundaryMetric()
    tusimple, culane, road = TusimpleMetric(), CulaneMetric(culane_canvas(SIZE)), RoadScores()
    for sample, crop, said in triples:
        label, answer, (_, width) = sample.labels[LANES], said.answers[LANES], said.image_size
        seen = inside(label, crop).lines
        for metric in (lanes, stated):
            metric.update(answer, seen, width)
        lateral.update(answer, seen)
        part = np.s_[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
        drivable, surface = sample.labels[MASK].mask[part], said.answers[MASK]
        shades.update(surface.probability[part], drivable)
        road.update(surface.probability, sample.labels[MASK], crop)
        for metric in (mask, boundary):
            metric.update(surface.binary()[part], drivable)
        truth = [line for line in label.lines.values() if line is not None]
        lines = [answer[lane].points_px for lane in label.lines if answer[lane].detected]
        rows = benchmark_rows(said.image_size, crop)
        tusimple.update(
            [columns(line * 1280 / width, rows) for line in lines],
            [columns(line * 1280 / width, rows) for line in truth],
            rows,
        )
        culane.update(
            [thinned(line.astype(float) * 1640 / width) for line in lines],
            [thinned(line.astype(float) * 1640 / width) for line in truth],
        )
    return nulls(
        {
            "lanes": {name: asdict(value) for name, value in lanes.compute().items()},
            "mask": asdict(mask.compute()),
            "calibration": {"lanes": stated.compute(), "mask": shades.compute()},
            "tusimple": tusimple.compute(),
            "culane": culane.compute(),
            "lateral": lateral.compute(),
            "boundary": boundary.compute(),
            "road": road.compute(),
        }
    )


def without_ranges(scores):
    return {key: value for key, value in scores.items() if key not in ("ranges", "along")}


def test_the_summary_holds_the_metrics_own_numbers(scored):
    assert list(scored.summary["sources"]["road"]) == [
        *("lanes", "mask", "calibration", "tusimple", "culane", "lateral", "ranges", "along"),
        *("boundary", "road"),
    ]
    assert without_ranges(scored.summary["sources"]["road"]) == measured(answers(scored))
    assert 0 < scored.summary["sources"]["road"]["tusimple"]["accuracy"] < 1


def baseline(lanes, mask):
    return Perception(SIZE, {LANES: lanes, MASK: mask})


def test_the_baselines_are_scored_on_the_same_frames(scored):
    frames = [(sample, crop) for sample, crop, _ in answers(scored)]
    nothing = baseline(lanes_baseline.nothing(SIZE), mask_baseline.nothing(SIZE))
    baselines = scored.summary["baselines"]
    empty = ((*frame, nothing) for frame in frames)
    assert without_ranges(baselines["empty"]["road"]) == measured(empty)
    halves = [(lanes_baseline.Constant(), mask_baseline.Constant()) for _ in range(2)]
    for index, (sample, _) in enumerate(frames):
        for name, usual in zip((LANES, MASK), halves[2 * index < COUNT], strict=True):
            usual.update(sample.labels[name], SIZE)
    constant = (
        (*frame, baseline(*(usual.answer(SIZE) for usual in halves[2 * index >= COUNT])))
        for index, frame in enumerate(frames)
    )
    assert without_ranges(baselines["constant"]["road"]) == measured(constant)


def test_the_light_score_of_training_is_the_same(scored):
    frames = (("road", sample, crop) for sample, crop, _ in answers(scored))
    light = score(Predictor(load_backend(str(scored.model), "onnxruntime")), frames)["road"]
    full = scored.summary["sources"]["road"]
    assert nulls(light) == {key: full[key] for key in light}


def test_there_is_a_line_for_each_image(scored):
    assert [row["image"] for row in scored.frames] == [
        f"images/road/{index:03d}.png" for index in range(COUNT)
    ]
    for row, (sample, crop, said) in zip(scored.frames, answers(scored), strict=True):
        alone = measured([(sample, crop, said)])
        assert float(row["mask_iou"]) == pytest.approx(alone["mask"]["iou"], abs=1e-4)
        assert float(row["tusimple_accuracy"]) == pytest.approx(
            alone["tusimple"]["accuracy"], abs=1e-4
        )
        ego = alone["lanes"]["ego"]["valid_row_accuracy"]
        assert float(row["ego_accuracy"]) == pytest.approx(ego, abs=1e-4)
        assert (row["ego_label"], row["ego_status"]) == ("present", "detected")
        assert (row["left_split_ego_label"], row["left_split_ego_accuracy"]) == ("absent", "")
        assert 0 < float(row["ego_confidence"]) <= 1
        assert row["source"] == "road" and row["occlusion"] == "unknown"
        stages = [float(row[name]) for name in LATENCY]
        assert sum(stages[:-1]) == pytest.approx(stages[-1], abs=0.01) and stages[-1] > 0


def test_two_runs_differ_in_latencies_only(scored):
    one, other = scored.outs
    assert (one / "summary.json").read_bytes() == (other / "summary.json").read_bytes()
    rows = [list(csv.reader((out / "frames.csv").open())) for out in scored.outs]
    assert tuple(rows[0][0][-len(LATENCY) :]) == LATENCY
    kept = [[row[: -len(LATENCY)] for row in table] for table in rows]
    assert kept[0] == kept[1]
    assert sorted(path.name for path in one.iterdir()) == ["frames.csv", "summary.json"]


def test_the_conditions_say_what_was_scored_but_not_where(scored):
    conditions = scored.summary["conditions"]
    assert conditions["model"] == "tiny 1.2.3"
    assert len(conditions["model sha256"]) == 64
    assert conditions["engine"].startswith("onnxruntime ")
    assert f"lanes in {COUNT}, mask in {COUNT} of {COUNT} images" in conditions["labelled"]
    assert str(scored.labels) not in json.dumps(scored.summary)


def test_the_headline_stands_beside_that_of_the_baselines(scored):
    headline = scored.summary["headline"]
    assert list(headline) == ["model", "constant", "empty"]
    road = scored.summary["sources"]["road"]
    assert headline["model"]["mask_iou"] == road["mask"]["iou"]
    assert headline["model"]["culane_f1"] == road["culane"]["f1"]
    assert headline["empty"]["lane_accuracy"] == 0.0


def test_slices_add_up_to_the_whole(scored):
    road = scored.summary["sources"]["road"]
    for way, slices in scored.summary["slices"].items():
        images = sum(values["model"]["mask"]["images"] for values in slices.values())
        assert images == COUNT, way
    assert scored.summary["slices"]["source"]["road"]["model"]["lanes"] == road["lanes"]
    assert list(scored.summary["slices"]["occlusion"]) == ["unknown"]


def test_faults_rank_the_frames_as_failures_does(scored):
    for row, (sample, crop, said) in zip(scored.frames, answers(scored), strict=True):
        assert float(row["faults"]) == pytest.approx(how_bad(said, sample, crop), abs=1e-4)
        assert not math.isnan(float(row["faults"]))
