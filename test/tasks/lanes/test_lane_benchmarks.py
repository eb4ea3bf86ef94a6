# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' forms of a line are exact, and images of all shapes are pooled."""

import numpy as np
from road_answers import CROP, LINE, SIZE, perceive

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.metrics.benchmarks import (
    BenchmarkMetric,
    benchmark_rows,
    columns,
    culane_canvas,
    thinned,
)

SAID = perceive().answers["lanes"]


def test_tusimples_images_are_scored_on_its_rows():
    crop = Crop(0, 194, 1280, 512)
    assert benchmark_rows((720, 1280), crop).tolist() == list(range(160, 711, 10))
    assert benchmark_rows((1440, 2560), Crop(0, 0, 2560, 1024)).tolist() == list(
        range(160, 711, 10)
    )
    other = benchmark_rows((360, 480), Crop(0, 151, 480, 192))
    assert other[0] == 410 and other[-1] == 950  # of 960, from 402.7


def test_culanes_images_are_scored_on_its_canvas():
    assert culane_canvas((590, 1640)) == (590, 1640)
    assert culane_canvas((720, 1280)) == (922, 1640)


def test_a_thinned_line_keeps_ends_and_course():
    y = np.linspace(585.0, 260.0, 131)
    line = np.stack((800 + (585 - y) ** 2 / 1000, y), axis=1)
    thin = thinned(line)
    assert len(thin) == 17
    assert thin[[0, -1]].tolist() == line[[0, -1]].tolist()
    assert np.abs(np.interp(thin[:, 1], y[::-1], line[::-1, 0]) - thin[:, 0]).max() < 1e-9
    assert len(thinned(line[:2])) == 2


def test_columns_are_there_where_the_line_reaches():
    line = np.array([[100.0, 500.0], [200.0, 300.0]])
    assert columns(line, np.array([510.0, 500.0, 400.0, 290.0])).tolist() == [-2, 100, 150, -2]


def test_images_without_a_line_do_not_count_for_tusimple():
    metric = BenchmarkMetric()
    metric.update(SAID, {LaneId.EGO: LINE, LaneId.LEFT_EGO: None}, SIZE, CROP)
    metric.update(SAID, {LaneId.EGO: None}, SIZE, CROP)
    scores = metric.compute()
    assert scores["tusimple"]["images"] == 1
    assert scores["culane"]["fp"] == 1  # the false alarm
    assert scores["culane"]["tp"] == 1


def test_images_of_different_shapes_are_pooled():
    total = BenchmarkMetric()
    for size in (SIZE, (200, 320)):
        part = BenchmarkMetric()
        part.update(SAID, {LaneId.EGO: LINE}, size, CROP)
        total.merge(part)
    assert culane_canvas(SIZE) != culane_canvas((200, 320))
    scores = total.compute()["culane"]
    assert (scores["tp"], scores["fp"], scores["fn"]) == (2, 0, 0)
    assert scores["precision"] == scores["recall"] == scores["f1"] == 1.0
