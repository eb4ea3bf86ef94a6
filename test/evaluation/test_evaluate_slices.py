"""Slices follow their written rules; ranges and the benchmarks' forms of a line are exact."""

import numpy as np
import pytest
from perceptions import perception as perception_of
from samples import sample_of
from test_scorer import CROP, LINE, SIZE, perceive, sample

from shared_encoder_perception.evaluation.frame_counts import (
    FullCounts,
    benchmark_rows,
    columns,
    culane_canvas,
    thinned,
)
from shared_encoder_perception.evaluation.slices import (
    NIGHT_BELOW,
    RULES,
    curvature_of,
    in_order,
    light_of,
    slices_of,
)
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.metrics.lateral import LateralMetric
from shared_encoder_perception.tasks.lanes.metrics.range_bins import BINS, RangeBinMetric

NEIGHBOUR = LINE + np.float32([100, 0])


def grey(value):
    return np.full((20, 30, 3), value, np.uint8)


def bent(share, width=320):
    """A line with a bend of that share of the image's width."""
    y = np.arange(180.0, 59.0, -2.0)
    along = (y - 120.0) / 60.0
    return np.stack((100 + share * width * (1 - along**2), y), axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("value", "said", "light"),
    [
        (NIGHT_BELOW - 1, "", "night"),
        (NIGHT_BELOW, "", "day"),
        (10, "daytime", "day"),  # the label knows better
        (200, "Night", "night"),
        (200, "dawn/dusk", "dawn/dusk"),
        (10, "undefined", "night"),
    ],
)
def test_light_is_the_labels_or_the_brightness(value, said, light):
    assert light_of(grey(value), said) == light


def test_brightness_is_that_of_the_eye():
    blue, green = grey(0), grey(0)
    blue[..., 0] = green[..., 1] = 200
    assert light_of(blue) == "night"
    assert light_of(green) == "day"


@pytest.mark.parametrize(
    ("share", "curvature"),
    [(0.0, "straight"), (0.014, "straight"), (-0.016, "gentle curve"), (0.051, "sharp curve")],
)
def test_curvature_is_the_bend_of_the_ego_line(share, curvature):
    assert curvature_of({LaneId.EGO: bent(share)}, 320) == curvature
    assert curvature_of({LaneId.EGO: bent(share, 640)}, 640) == curvature


def test_a_neighbour_tells_where_there_is_no_ego_line():
    assert curvature_of({LaneId.EGO: None, LaneId.RIGHT_EGO: bent(0.1)}, 320) == "sharp curve"
    assert curvature_of({LaneId.EGO: None, LaneId.LEFT_SPLIT_EGO: bent(0.1)}, 320) == "unknown"
    assert curvature_of({}, 320) == "unknown"


def test_every_way_to_slice_has_a_rule_and_nothing_is_guessed():
    found = slices_of("road", grey(90), {}, {})
    assert found == {
        "source": "road",
        "light": "day",
        "curvature": "unknown",
        "occlusion": "unknown",
    }
    assert list(found) == list(RULES)
    assert slices_of("road", grey(90), {}, {"occlusion": "heavy"})["occlusion"] == "heavy"


def test_slices_are_shown_in_the_order_that_people_expect():
    mixed = ["unknown", "sharp curve", "dawn/dusk", "night", "straight", "day", "gentle curve"]
    expected = ["day", "night", "straight", "gentle curve", "sharp curve", "dawn/dusk", "unknown"]
    assert in_order(mixed) == expected


def test_ranges_together_are_the_lateral_error():
    whole, parts = LateralMetric(), RangeBinMetric()
    lanes = {LaneId.EGO: LINE, LaneId.RIGHT_EGO: NEIGHBOUR}
    for shift in (0.0, 6.0, -2.0):
        for metric in (whole, parts):
            metric.update(perceive(shift), lanes)
    scores, bins = whole.compute(), parts.compute()
    # The neighbours are 100 px of 320 apart in every row: near, all of it.
    assert bins["ego/near/error_widths"] == pytest.approx(scores["ego/error_widths"])
    assert bins["ego/near/bias_widths"] == pytest.approx(4 / 3 / 100)
    assert bins["ego/middle/rows"] == bins["ego/far/rows"] == 0
    assert np.isnan(bins["ego/far/error_widths"])
    assert bins["right_ego/near/missed"] == 1.0  # not detected
    assert np.isnan(bins["left_ego/near/missed"])


def test_a_row_is_as_far_as_its_lane_is_narrow():
    rows = np.array([170.0, 150.0, 130.0, 110.0])
    widths = np.array([0.26, 0.24, 0.11, 0.09]) * 320
    ego = np.stack((np.full(4, 160.0), rows), axis=1)
    right = ego + np.stack((widths, np.zeros(4)), axis=1)
    metric = RangeBinMetric()
    metric.update(perceive(8.0), {LaneId.EGO: ego, LaneId.RIGHT_EGO: right})
    found = metric.compute()
    assert [found[f"ego/{place}/rows"] for place in BINS] == [1, 2, 1]
    assert found["ego/far/error_widths"] == pytest.approx(8 / widths[3])
    assert found["ego/middle/error_widths"] == pytest.approx((8 / widths[1:3]).mean())


def test_ranges_merge():
    whole, one, other = RangeBinMetric(), RangeBinMetric(), RangeBinMetric()
    for index, metric in enumerate((one, other)):
        for target in (whole, metric):
            target.update(perceive(3.0 * index), {LaneId.EGO: LINE, LaneId.RIGHT_EGO: NEIGHBOUR})
    one.merge(other)
    assert one.compute() == pytest.approx(whole.compute(), nan_ok=True)


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
    counts = FullCounts()
    counts.update(perceive(), sample(), CROP)
    bare = sample_of(sample().image, {LaneId.EGO: None}, None)
    counts.update(perceive(), bare, CROP)
    scores = counts.compute()
    assert scores["tusimple"]["images"] == 1
    assert scores["culane"]["fp"] == 1  # the false alarm
    assert scores["culane"]["tp"] == 1


def test_images_of_different_shapes_are_pooled():
    total = FullCounts()
    for size in (SIZE, (200, 320)):
        said = perception_of(size, perceive().lanes, None)
        part = FullCounts()
        part.update(said, sample_of(np.zeros((*size, 3), np.uint8), {LaneId.EGO: LINE}, None), CROP)
        total.merge(part)
    assert culane_canvas(SIZE) != culane_canvas((200, 320))
    scores = total.compute()["culane"]
    assert (scores["tp"], scores["fp"], scores["fn"]) == (2, 0, 0)
    assert scores["precision"] == scores["recall"] == scores["f1"] == 1.0
