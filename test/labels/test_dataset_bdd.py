# SPDX-License-Identifier: Apache-2.0
"""BDD100K and Scalabel labels, written here: old and new form, curves, pairs of paint edges."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import label_of, lanes_of, mask_of
from straight_road import SIZE, THREE, error_px, straight

from shared_encoder_perception.labels import formats
from shared_encoder_perception.labels.adapters.poly2d import flatten
from shared_encoder_perception.labels.label_io import stream_objects
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labelling.paint_edges import (
    Marking,
    pair_edges,
    split_at_turns,
)


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
        assert error_px(lanes_of(frame)[LaneId.EGO], 0) < 1
        assert error_px(lanes_of(frame)[LaneId.LEFT_EGO], -1) < 1
        mask = mask_of(frame)
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
    assert len(label_of(frame, "lanes").boundaries) == 2
    assert lanes_of(empty) == {}
    assert mask_of(empty) is None


def test_bdd_curb_is_an_edge(tmp_path):
    curb = bdd_label(ends(THREE[1]), laneTypes="road curb")
    (tmp_path / "a.json").write_text(json.dumps([bdd_frame([curb, bdd_label(ends(THREE[2]))])]))
    (frame,) = formats.read("bdd100k", tmp_path / "a.json")
    assert lanes_of(frame)[LaneId.LEFT_EGO] is None
    assert LaneId.RIGHT_EGO not in lanes_of(frame)


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
            monkeypatch.setattr("shared_encoder_perception.labels.label_io.CHUNK", chunk)
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
