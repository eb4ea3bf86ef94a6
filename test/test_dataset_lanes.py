"""Lane data sets in their public formats, written here, and the rules from boundaries to lanes."""

import gzip
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.structures import LaneId
from shared_encoder_perception.training.datasets import formats, tusimple
from shared_encoder_perception.training.datasets.bezier import flatten, split_at_turns
from shared_encoder_perception.training.datasets.boundaries import Boundary
from shared_encoder_perception.training.datasets.centres import derive_centres
from shared_encoder_perception.training.datasets.frame import LabelError
from shared_encoder_perception.training.datasets.label_io import stream_objects
from shared_encoder_perception.training.datasets.paint_edges import Marking, pair_edges

SIZE = (720, 1280)
GEOMETRY = tusimple.GEOMETRY
REAL = Path(__file__).parents[2] / "shared" / "data" / "tusimple_labels"
ROWS = np.arange(240.0, 720.0, 10.0)


def column(lanes_from_middle, rows=ROWS):
    """Where a straight boundary runs that is so many lane widths off the vehicle."""
    return 640 + lanes_from_middle * GEOMETRY.width_slope * (rows - GEOMETRY.horizon_row_px)


def straight(lanes_from_middle, far=260.0, near=719.0, is_edge=False):
    rows = ROWS[(far <= ROWS) & (near >= ROWS)]
    x = column(lanes_from_middle, rows)
    inside = (x >= 0) & (x < SIZE[1])
    return Boundary.from_points(np.stack((x, rows), axis=1)[inside], is_edge)


def derive(*boundaries, geometry=GEOMETRY):
    return derive_centres(boundaries, SIZE, geometry)


def error_px(points, lanes_from_middle):
    return np.abs(points[:, 0] - column(lanes_from_middle, points[:, 1])).max()


def mirrored(boundaries):
    flip = [Boundary(b.points * (-1, 1) + (1280, 0), b.is_edge) for b in boundaries]
    return derive_centres(flip, SIZE, GEOMETRY)


THREE = [straight(-1.5), straight(-0.5), straight(0.5), straight(1.5)]


@pytest.mark.parametrize("geometry", [GEOMETRY, None])
def test_centres_lie_in_the_middle(geometry):
    found = derive(*THREE, geometry=geometry)
    for lane, place in ((LaneId.EGO, 0), (LaneId.LEFT_EGO, -1), (LaneId.RIGHT_EGO, 1)):
        assert error_px(found.lanes[lane], place) < 0.6, lane
        assert (np.diff(found.lanes[lane][:, 1]) < 0).all()
    assert found.lanes[LaneId.LEFT_SPLIT_EGO] is None
    assert found.notes == []


def test_the_mirror_image_has_mirrored_lanes():
    there, here = mirrored(THREE[1:]), derive(*THREE[1:])
    assert set(there.lanes) == {LaneId.EGO, LaneId.LEFT_EGO, *list(LaneId)[3:]}
    left, right = there.lanes[LaneId.LEFT_EGO], here.lanes[LaneId.RIGHT_EGO]
    assert np.allclose(1280 - left[:, 0], right[:, 0], atol=1.0)


def test_neighbour_without_a_line_is_unknown_unless_the_road_ends():
    assert LaneId.LEFT_EGO not in derive(*THREE[1:]).lanes
    edge = derive(straight(-0.5, is_edge=True), *THREE[2:])
    assert edge.lanes[LaneId.LEFT_EGO] is None


def test_a_missing_divider_leaves_ego_unknown():
    found = derive(straight(-0.5), straight(1.5))
    assert LaneId.EGO not in found.lanes
    assert "ego: too wide" in found.notes


def test_a_line_under_the_vehicle_is_a_lane_change():
    assert derive(straight(-1.05), straight(-0.05), straight(0.95)).ambiguous
    assert not derive(*THREE).ambiguous


def test_one_line_or_none_is_no_lane():
    assert derive(straight(0.5)).lanes == {}
    assert derive().notes == ["ego: boundary missing"]


def test_extension_below_the_visible_end_is_capped():
    found = derive(straight(-0.5), straight(0.5, near=450))
    assert found.lanes[LaneId.EGO][0, 1] == pytest.approx(600, abs=10)
    assert error_px(found.lanes[LaneId.EGO], 0) < 0.6


GORE = [straight(-0.5), straight(0.5, near=420), straight(1.5), straight(-1.5)]


def test_a_line_that_begins_ahead_splits_the_lane():
    """A gore between the vehicle's lane and the one that leaves to the right."""
    found = derive(*GORE)
    assert error_px(found.lanes[LaneId.EGO], 0) < 1
    branch = found.lanes[LaneId.RIGHT_SPLIT_EGO]
    above = branch[branch[:, 1] < 420]
    assert error_px(above, 1) < 1
    assert found.lanes[LaneId.LEFT_SPLIT_EGO] is None
    assert error_px(found.lanes[LaneId.LEFT_EGO], -1) < 1
    other = mirrored(GORE)
    assert other.lanes[LaneId.RIGHT_SPLIT_EGO] is None
    assert len(other.lanes[LaneId.LEFT_SPLIT_EGO]) == len(branch)


# ---- TuSimple ------------------------------------------------------------------------------------


def tusimple_line(*places, **changes):
    lanes = []
    for place in places:
        x = column(place).round().astype(int)
        lanes.append([int(v) if 0 <= v < 1280 and r >= 260 else -2 for v, r in zip(x, ROWS)])  # noqa: B905
    record = {"raw_file": "clips/a/20.jpg", "h_samples": ROWS.astype(int).tolist(), "lanes": lanes}
    return json.dumps({**record, **changes})


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_tusimple_round_trip(tmp_path, suffix):
    path = tmp_path / f"label_data_1{suffix}"
    text = tusimple_line(-0.5, 0.5, 1.5) + "\n" + tusimple_line(-0.5, 0.5, classes=[4, 1]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    first, second = formats.read("tusimple", tmp_path)
    assert error_px(first.lanes[LaneId.EGO], 0) < 1.5
    assert error_px(first.lanes[LaneId.RIGHT_EGO], 1) < 1.5
    assert LaneId.LEFT_EGO not in first.lanes
    assert second.lanes[LaneId.LEFT_EGO] is None
    assert first.image_path == tmp_path / "clips/a/20.jpg"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("3", "raw_file"),
        (tusimple_line(0.5, lanes=[[1, 2]]), "a number for each of `h_samples`"),
        (tusimple_line(0.5, lanes=[["a"] * len(ROWS)]), "a number for each"),
        (tusimple_line(0.5, h_samples=[5] * len(ROWS)), "rising rows"),
        ('{"raw_file": "a.jpg", "lanes": [[1]]}', "`h_samples` is missing"),
    ],
)
def test_tusimple_faults(tmp_path, line, message):
    path = tmp_path / "label_data_1.json"
    path.write_text(tusimple_line(-0.5, 0.5) + "\n" + line + "\n")
    with pytest.raises(LabelError, match=rf"label_data_1\.json, line 2: .*{message}"):
        list(formats.read("tusimple", path))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real TuSimple label files are not here")
def test_tusimple_counts_of_the_real_labels():
    counts, splits, changes, total = dict.fromkeys(LaneId, 0), 0, 0, 0
    begin = time.perf_counter()
    for part in ("0313", "0531", "0601"):
        for frame in tusimple.read(REAL / f"label_data_{part}.json.gz", lane_changes=True):
            total += 1
            for lane, points in frame.lanes.items():
                counts[lane] += points is not None
            splits += any(frame.lanes.get(lane) is not None for lane in list(LaneId)[3:])
            changes += "lane change" in frame.notes
    assert total == 3626
    for lane, share in ((LaneId.EGO, 98.6), (LaneId.LEFT_EGO, 83.9), (LaneId.RIGHT_EGO, 85.4)):
        assert 100 * counts[lane] / total == pytest.approx(share, abs=0.5)
    assert 10 <= splits <= 20
    assert changes == pytest.approx(64, abs=3)
    assert time.perf_counter() - begin < 60


# ---- CULane, CurveLanes --------------------------------------------------------------------------


def picture(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8))


def words(boundary):
    return " ".join(f"{x:.2f} {y:.1f}" for x, y in boundary.points)


def test_culane_round_trip(tmp_path):
    picture(tmp_path / "driver/a.jpg")
    lines = [words(b) for b in THREE]
    lines[0] += " -12.5 640.0 1300.5 930"  # outside of the picture: allowed
    (tmp_path / "driver/a.lines.txt").write_text("\n".join(lines) + "\n")
    picture(tmp_path / "driver/b.jpg")
    (tmp_path / "driver/b.lines.txt").write_text("")
    (tmp_path / "list").mkdir()
    entries = "/driver/a.jpg /laneseg/a.png 1 1 1 1\n\n/driver/b.jpg\n"
    (tmp_path / "list/train_gt.txt").write_text(entries)
    for path in (tmp_path, tmp_path / "list/train_gt.txt"):
        first, second = formats.read("culane", path)
        assert error_px(first.lanes[LaneId.EGO], 0) < 1.5
        assert error_px(first.lanes[LaneId.RIGHT_EGO], 1) < 1.5
        assert (first.name, first.size) == ("driver/a.jpg", SIZE)
        assert min(points.min() for points in first.boundaries) >= 0
        assert second.lanes == {}
    (tmp_path / "list/train_gt.txt").unlink()
    assert len(list(formats.read("culane", tmp_path))) == 2


@pytest.mark.parametrize(("text", "message"), [("1 2 3", "3 numbers"), ("1 2 x 4", "are numbers")])
def test_culane_faults(tmp_path, text, message):
    (tmp_path / "a.lines.txt").write_text(words(THREE[0]) + "\n" + text + "\n")
    with pytest.raises(LabelError, match=rf"a\.lines\.txt, line 2: .*{message}"):
        list(formats.read("culane", tmp_path))
    (tmp_path / "list.txt").write_text("/driver/a\n")
    with pytest.raises(LabelError, match=r"list\.txt, line 1: .*no path of a picture"):
        list(formats.read("culane", tmp_path / "list.txt"))


def curve_lines(boundaries):
    return {
        "Lines": [[{"x": f"{x:.2f}", "y": f"{y:.1f}"} for x, y in b.points] for b in boundaries]
    }


def test_curvelanes_round_trip_with_strings_disorder_and_rows_below_the_picture(tmp_path):
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "labels").mkdir()
    content = curve_lines(THREE)
    content["Lines"][1] = [{"x": "-3", "y": "733.0"}, *content["Lines"][1][::-1]]
    (tmp_path / "labels/a.lines.json").write_text(json.dumps(content))
    (frame,) = formats.read("curvelanes", tmp_path)
    assert error_px(frame.lanes[LaneId.EGO], 0) < 1
    (tmp_path / "train.txt").write_text("images/a.jpg\n")
    (again,) = formats.read("curvelanes", tmp_path / "train.txt")
    assert np.array_equal(again.lanes[LaneId.EGO], frame.lanes[LaneId.EGO])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n"Lines": [}', "line 2: not JSON"),
        ("[]", "Lines"),
        ('{"Lines": [[{"x": "a", "y": "1"}]]}', "line 1: line 0 of Lines"),
        ('{"Lines": [[{"x": "1"}]]}', "KeyError"),
    ],
)
def test_curvelanes_faults(tmp_path, text, message):
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.lines.json").write_text(text)
    with pytest.raises(LabelError, match=rf"a\.lines\.json, .*{message}"):
        list(formats.read("curvelanes", tmp_path))


# ---- BDD100K -------------------------------------------------------------------------------------


def bdd_label(points, new=True, **attributes):
    base = {"laneDirection": "parallel", "laneStyle": "solid", "laneTypes": "single white"}
    label = {"id": 1, "category": "lane", "attributes": {**base, **attributes}}
    if new:
        label["poly2d"] = [
            {"vertices": points.tolist(), "types": "L" * len(points), "closed": False}
        ]
    else:
        label["poly2d"] = [[x, y, "L"] for x, y in points.tolist()]
    return label


def bdd_frame(labels):
    return {
        "name": "a.jpg",
        "attributes": {"timeofday": "night", "weather": "clear"},
        "labels": labels,
    }


AREA = {
    "category": "drivable area",
    "attributes": {"areaType": "direct"},
    "poly2d": [{"vertices": [[0, 719], [1279, 719], [640, 300]], "types": "LLL", "closed": True}],
}


def ends(boundary):
    return boundary.points[[0, -1]]


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("form", ["list", "object", "lines", "folder"])
def test_bdd_round_trip(tmp_path, new, form):
    record = bdd_frame([AREA, *(bdd_label(ends(b), new) for b in THREE)])
    path = tmp_path / "labels.json"
    text = {
        "list": json.dumps([record, record], indent=1),
        "object": json.dumps({"frames": [record, record], "config": {}}),
        "lines": json.dumps(record) + "\n" + json.dumps(record) + "\n",
        "folder": json.dumps(record),
    }[form]
    path.write_text(text)
    if form == "folder":
        (tmp_path / "other.json").write_text(text)
        path = tmp_path
    frames = list(formats.read("bdd100k", path))
    assert len(frames) == 2
    for frame in frames:
        assert error_px(frame.lanes[LaneId.EGO], 0) < 1
        assert error_px(frame.lanes[LaneId.LEFT_EGO], -1) < 1
        mask = frame.read_mask()
        assert mask[700, 640] == 255
        assert mask[100, 640] == 0
        assert frame.attributes == {"timeofday": "night", "weather": "clear"}


def test_bdd_stop_lines_and_crosswalks_are_no_boundaries(tmp_path):
    across = np.array([[300.0, 600.0], [900.0, 590.0]])
    labels = [
        *(bdd_label(ends(b)) for b in THREE[1:3]),
        bdd_label(across, laneDirection="vertical"),
        bdd_label(across, laneTypes="crosswalk"),
    ]
    (tmp_path / "a.json").write_text(json.dumps([bdd_frame(labels), bdd_frame(None)]))
    frame, empty = formats.read("bdd100k", tmp_path / "a.json")
    assert len(frame.boundaries) == 2
    assert empty.lanes == {}
    assert empty.read_mask is None


def test_bdd_curb_is_an_edge(tmp_path):
    curb = bdd_label(ends(THREE[1]), laneTypes="road curb")
    (tmp_path / "a.json").write_text(json.dumps([bdd_frame([curb, bdd_label(ends(THREE[2]))])]))
    (frame,) = formats.read("bdd100k", tmp_path / "a.json")
    assert frame.lanes[LaneId.LEFT_EGO] is None
    assert LaneId.RIGHT_EGO not in frame.lanes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[\n{"name": "a.jpg"},\n{"name": 3}\n]', "line 3: expected a frame"),
        ('[\n{"name": "a.jpg",\n"labels": [}\n]', "line 3: not JSON"),
        ('[{"name": "a.jpg", "labels": [{"poly2d": [[1]]}]}]', "line 1: frame a.jpg: poly2d"),
        (
            '[{"name": "a.jpg", "labels": [{"poly2d": [{"vertices": [["x", 2]]}]}]}]',
            "line 1: frame a.jpg: the vertices",
        ),
    ],
)
def test_bdd_faults(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(LabelError, match=rf"a\.json, {message}"):
        list(formats.read("bdd100k", tmp_path / "a.json"))


def test_streaming_does_not_depend_on_the_chunks(tmp_path, monkeypatch):
    records = [{"name": f"{i}", "text": 'a "]" [{,\n' * (i % 4)} for i in range(40)]
    path = tmp_path / "a.json"
    for text in (json.dumps(records, indent=2), json.dumps({"frames": records})):
        path.write_text(text)
        expected = list(stream_objects(path, "frames"))
        assert [element for _, element in expected] == records
        lines = text.splitlines()
        assert all("{" in lines[line - 1] for line, _ in expected)
        for chunk in (24, 57, 1000):
            monkeypatch.setattr("shared_encoder_perception.training.datasets.label_io.CHUNK", chunk)
            assert list(stream_objects(path, "frames")) == expected
        monkeypatch.undo()


def test_bezier_is_the_analytic_curve():
    controls = np.array([[0.0, 0.0], [0.0, 100.0], [100.0, 100.0], [100.0, 0.0]])
    notes = []
    for types in ("LCCC", "CCCL", "LCCL"):
        (curve,) = flatten([{"vertices": controls.tolist(), "types": types}], notes)
        middle = curve[np.argmin(np.abs(curve[:, 0] - 50))]
        assert middle[1] == pytest.approx(75, abs=0.5)  # (0 + 3 * 100 + 3 * 100 + 0) / 8
        assert np.hypot(*np.diff(curve, axis=0).T).max() <= 2
        assert (curve[[0, -1]] == controls[[0, -1]]).all()
    assert notes == []


def test_closed_polygons_and_bad_types():
    notes = []
    triangle = [[0, 0], [10, 0], [0, 10]]
    (closed,) = flatten([{"vertices": triangle, "types": "LLL", "closed": True}], notes)
    assert (closed[0] == closed[-1]).all()
    (bad,) = flatten([{"vertices": triangle, "types": "LCC"}], notes)
    assert len(bad) == 3
    assert len(notes) == 1
    assert [len(part) for part in split_at_turns([[0, 0], [1, 5], [2, 9], [3, 4]])] == [3, 2]


def test_paint_edges_become_one_line_in_their_middle():
    left = straight(-0.5).points
    edges = [Marking(left + (dx, 0), ("single white", "solid"), False) for dx in (-4, 4)]
    far = Marking(straight(0.5).points[::-1], ("single white", "solid"), False)
    other = Marking(left + (9, 0), ("single yellow", "solid"), False)
    joined = pair_edges([*edges, far, other], SIZE)
    assert len(joined) == 3
    assert np.abs(joined[0].points - left).max() < 0.1
