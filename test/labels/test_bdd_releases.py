# SPDX-License-Identifier: Apache-2.0
"""BDD100K in all its releases: the same scene says the same, and an unknown word never says no."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import label_of, lanes_of, mask_of
from straight_road import THREE, error_px

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import formats
from shared_encoder_perception.labels.adapters.bdd_words import ALONG, Role, meaning
from shared_encoder_perception.labels.adapters.poly2d import flatten
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.lanes.answer import LaneId

AREA = [[0, 719], [1279, 719], [640, 300]]
OTHER = [[900, 719], [1279, 719], [1279, 400]]
STOP = [[300.0, 600.0], [640.0, 500.0], [900.0, 450.0], [950.0, 400.0]]
"""A line across the road that is steep enough to be taken for a boundary."""
FORMS = ("one file", "list", "drivable list")


def label(form, what, points, **words):
    """One label; ``what`` is area or lane, and the words are those of the list form."""
    if form == "one file":
        category = f"area/{words['areaType']}" if what == "area" else f"lane/{words['laneTypes']}"
        category = category.replace("area/direct", "area/drivable")
        attributes = {
            "direction": words.get("laneDirection"),
            "style": words.get("laneStyle"),
        }
        attributes = {key: value for key, value in attributes.items() if value}
        return {
            "category": category,
            "attributes": attributes,
            "id": 0,
            "poly2d": [[x, y, "L"] for x, y in points],
        }
    poly2d = [{"vertices": points, "types": "L" * len(points), "closed": what == "area"}]
    if form == "drivable list":
        category = words.pop("areaType" if what == "area" else "laneTypes")
        return {"category": category, "attributes": words, "poly2d": poly2d}
    category = {"area": "drivable area", "lane": "lane"}[what]
    return {"category": category, "attributes": words, "poly2d": poly2d}


def lane(form, points, **words):
    words = {"laneDirection": "parallel", "laneStyle": "solid", "laneTypes": "single white"} | words
    return label(form, "lane", np.asarray(points).tolist(), **words)


def scene(form, *more):
    """The labels of three lanes, the own one and a turning area."""
    found = [lane(form, b.points[[0, -1]]) for b in THREE]
    found += [label(form, "area", AREA, areaType="direct")]
    return [*found, lane(form, STOP, laneDirection="vertical"), *more]


def frames_of(folder, form, labels):
    """Write one picture's labels in a form, and read them."""
    if form == "one file":
        record = {
            "name": "a",
            "frames": [{"timestamp": 10000, "objects": labels}],
            "attributes": {"weather": "clear"},
        }
        (folder / "a.json").write_text(json.dumps(record))
    else:
        (folder / "a.json").write_text(json.dumps([{"name": "a.jpg", "labels": labels}]))
    return list(formats.read("bdd100k", folder))


@pytest.mark.parametrize("form", FORMS)
def test_every_release_says_the_same_of_the_same_scene(tmp_path, form):
    car = {"category": "car", "box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}}
    more = [car, label(form, "area", OTHER, areaType="alternative")]
    (frame,) = frames_of(tmp_path, form, scene(form, *more))
    assert frame.name == "a.jpg" and frame.notes == ()
    mask = mask_of(frame)
    assert mask[700, 640] == 255 and mask[500, 1250] == 255 and mask[100, 640] == 0
    assert error_px(lanes_of(frame)[LaneId.EGO], 0) < 1
    assert error_px(lanes_of(frame)[LaneId.LEFT_EGO], -1) < 1
    assert len(label_of(frame, "lanes").boundaries) == 4  # the stop line is none


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("word", ["unknown", "xyz", "Opposite", "\x1b[31m"])
def test_an_area_of_an_unknown_name_is_not_labelled(tmp_path, form, word):
    if form == "drivable list":
        word = f"area {word}"
    more = label(form, "area", OTHER, areaType=word)
    (frame,) = frames_of(tmp_path, form, scene(form, more))
    mask = mask_of(frame)
    assert mask[700, 640] == 255 and mask[100, 640] == 0
    assert mask[500, 1250] == 127
    assert mask[715, 1000] == 255  # where a known one lies over it
    (note,) = frame.notes
    assert "is not known" in note and note.isprintable()


def test_a_picture_with_unknown_areas_only_has_an_unknown_region(tmp_path):
    (frame,) = frames_of(tmp_path, "one file", [label("one file", "area", AREA, areaType="foo")])
    assert mask_of(frame)[700, 640] == 127


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "words", [{"laneDirection": "diagonal"}, {"laneTypes": "triple white"}, {"laneTypes": "foo"}]
)
def test_lanes_beside_a_marking_of_unknown_words_are_not_guessed(tmp_path, form, words):
    (frame,) = frames_of(tmp_path, form, scene(form, lane(form, STOP, **words)))
    assert lanes_of(frame) == {}
    assert mask_of(frame)[700, 640] == 255
    assert any("is not known" in note for note in frame.notes)


@pytest.mark.parametrize("poly2d", [None, [], [[1, 2, "L"], [3, 4, "L"]]])
def test_an_area_without_a_polygon_leaves_the_picture_unknown(tmp_path, poly2d):
    area = {"category": "area/drivable", "poly2d": poly2d}
    (frame,) = frames_of(tmp_path, "one file", scene("one file", area))
    assert mask_of(frame) is None
    assert "area without a polygon: drivable is not known" in frame.notes
    assert lanes_of(frame) == {}  # it may have been a line


def test_an_unknown_category_may_be_anything(tmp_path):
    strange = {"category": "hover lane", "poly2d": [[x, y, "L"] for x, y in OTHER]}
    (frame,) = frames_of(tmp_path, "one file", scene("one file", strange))
    assert mask_of(frame)[500, 1250] == 127 and lanes_of(frame) == {}
    strange["poly2d"] = None
    (frame,) = frames_of(tmp_path, "one file", scene("one file", strange))
    assert mask_of(frame)[500, 1250] == 0 and LaneId.EGO in lanes_of(frame)
    assert frame.notes == ("category 'hover lane' is not known",)


def test_the_words_of_the_publication_are_known():
    for kind in ALONG:
        for found in (
            meaning({"category": f"lane/{kind}", "attributes": {"direction": "parallel"}}),
            meaning({"category": "lane", "attributes": {"laneTypes": kind}}),
            meaning({"category": kind}),
        ):
            assert found.role is Role.LINE and found.counts and not found.notes
            assert found.is_edge == (kind == "road curb")
    both = {"direction": "vertical", "laneDirection": "parallel"}
    assert meaning({"category": "lane", "attributes": both}).counts is None
    assert meaning({"category": "lane/crosswalk"}).counts is False
    with pytest.raises(TypeError, match="a text `category`"):
        meaning({"category": 3})


@pytest.mark.parametrize(
    "frames", [{"objects": []}, [{"objects": []}, {"objects": []}], [3], [{"objects": [3]}]]
)
def test_a_file_for_one_picture_has_one_frame_of_objects(tmp_path, frames):
    (tmp_path / "a.json").write_text(json.dumps({"name": "a", "frames": frames}))
    with pytest.raises(LabelError, match=r"a\.json, line 1: frame a: .*(one object|list of obj)"):
        list(formats.read("bdd100k", tmp_path))


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".png", ".webp"])
def test_a_name_without_suffix_finds_its_picture(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f"b1c9.0005{suffix}"), np.zeros((72, 128, 3), np.uint8))
    (tmp_path / "a.json").write_text(json.dumps({"name": "b1c9.0005", "labels": []}))
    (frame,) = formats.read("bdd100k", tmp_path)
    assert frame.name == f"b1c9.0005{suffix}" and frame.size == (72, 128)
    assert frame.image_path == tmp_path / frame.name


def test_convert_counts_what_it_does_not_know(tmp_path, capsys):
    more = [label("list", "area", OTHER, areaType="foo"), lane("list", STOP, laneTypes="foo")]
    records = [{"name": f"{i}.jpg", "labels": scene("list", *more)} for i in range(3)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.jpg"), np.zeros((720, 1280, 3), np.uint8))
    out = str(tmp_path / "out")
    assert main(["dataset", "convert", "bdd100k", str(tmp_path / "a.json"), "--out", out]) == 0
    printed = capsys.readouterr().out
    assert "area 'foo' is not known: 3" in printed and "lane type 'foo' is not known: 3" in printed
    assert main(["dataset", "validate", out]) == 0


# ---- curves that close an area -------------------------------------------------------------------

SQUARE = [[100, 100], [500, 100], [700, 400], [100, 700]]
"""Two corners, and the controls of the curve back to the first one."""


def area_of(points):
    mask = np.zeros((720, 1280), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask > 0


def true_curve():
    """The same area by the definition of a Bezier curve."""
    corners = np.array([*SQUARE[1:], SQUARE[0]], np.float64)
    t = np.linspace(0, 1, 4000)[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    curve = sum(w * c for w, c in zip(weights, corners, strict=True))
    return area_of(np.concatenate((np.array(SQUARE[:1], np.float64), curve)))


@pytest.mark.parametrize("form", ["new", "new, open", "old"])
def test_the_last_curve_of_an_area_may_end_at_its_first_vertex(form):
    poly2d = [{"vertices": SQUARE, "types": "LLCC", "closed": form == "new"}]
    if form == "old":
        poly2d = [[*vertex, letter] for vertex, letter in zip(SQUARE, "LLCC", strict=True)]
    notes = []
    (points,) = flatten(poly2d, notes, closed=True)
    found, true = area_of(points), true_curve()
    assert (found & true).sum() / (found | true).sum() > 0.99
    assert notes == []


@pytest.mark.parametrize(("types", "curves"), [("LCC", 1), ("LCCLCC", 2), ("LCCC", 1), ("LLLC", 0)])
def test_every_closed_shape_ends_where_it_began(types, curves):
    vertices = [[10, 10], [200, 10], [400, 200], [300, 500], [100, 400], [20, 200]][: len(types)]
    notes = []
    (points,) = flatten([{"vertices": vertices, "types": types, "closed": True}], notes)
    assert (points[0] == points[-1]).all()
    assert len(points) > 50 * curves and bool(notes) == (types == "LLLC")


def test_an_open_line_does_not_close_itself():
    notes = []
    (points,) = flatten([{"vertices": SQUARE, "types": "LLCC", "closed": False}], notes)
    assert points.tolist() == SQUARE and notes


@pytest.mark.parametrize("far", [1e9, float("inf"), 10**400])
def test_vertices_of_no_picture_are_refused(far):
    with pytest.raises(ValueError, match="vertices of a poly2d"):
        flatten([{"vertices": [[0, 0], [far, 1]], "types": "LL"}], [])
