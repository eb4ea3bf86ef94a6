# SPDX-License-Identifier: Apache-2.0
"""Lines of rigs that are wrong: each is one clear message with file, line and camera."""

import copy
import json
import os

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import strategies as st
from rig_sets import image, line, thing, write_lines

from shared_encoder_perception.labels.rigs.lines import parse_line
from shared_encoder_perception.labels.rigs.native import read_records, read_rigs
from shared_encoder_perception.tasks.label_files import LabelError

GONE = object()
HUGE = 10**400
MIRRORED = np.diag([1.0, -1.0, 1.0, 1.0]).tolist()


def changed(raw, path, value):
    """Return a copy of JSON with a value replaced, or a key taken away."""
    raw = copy.deepcopy(raw)
    at = raw
    for key in path[:-1]:
        at = at[key]
    if value is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return raw


FRONT = ("cameras", "front")
GRID = {"x_min_m": 0, "y_min_m": 0, "cells_x": 4, "cells_y": 4, "cell_m": 0.5}
BAD = [
    ((*FRONT, "k"), GONE, "camera front lacks the key 'k'"),
    ((*FRONT, "k"), [1] * 8, "camera front: k has 8 numbers, expected 9"),
    ((*FRONT, "k"), [0] * 9, "camera front: k is zero: the camera is not calibrated"),
    ((*FRONT, "k"), [float("nan")] * 9, r"camera front, k\[0\] is nan, expected a finite number"),
    ((*FRONT, "k"), [HUGE] * 9, r"camera front, k\[0\] is .*expected a finite number"),
    ((*FRONT, "k"), [10**300] * 9, "camera front: k is .*expected finite numbers up to 1e"),
    ((*FRONT, "k", 0, 1), 5.0, r"camera front: k is .*expected \[\[fx, 0, cx\]"),
    ((*FRONT, "d"), [0.1] * 3, "camera front: d has 3 coefficients"),
    ((*FRONT, "model"), "thin_prism", "camera front: model is 'thin_prism', expected"),
    ((*FRONT, "size"), [0, 100], r"camera front: size is \[0, 100\], expected \[height, width\]"),
    ((*FRONT, "size"), GONE, "camera front lacks the key 'size'"),
    ((*FRONT, "size"), [HUGE, 3], "camera front: size is"),
    ((*FRONT, "sise"), [1, 1], "camera front has the unknown key 'sise'; did you mean 'size'"),
    ((*FRONT, "vehicle_from_optical"), MIRRORED, "camera front: .* is mirrored .*left-handed"),
    ((*FRONT, "vehicle_from_optical", 0, 0), 0.5, "camera front: .*expected a rotation matrix"),
    ((*FRONT, "vehicle_from_optical", 0, 0), 1e300, "camera front: .*expected a rotation matrix"),
    ((*FRONT, "vehicle_from_optical", 0, 3), 1500.0, r"camera front: .*puts it at \[1500"),
    ((*FRONT, "vehicle_from_optical", 3, 3), 2.0, "camera front: .*the last row 0, 0, 0, 1"),
    ((*FRONT, "vehicle_from_optical", 1), [0, 1], "camera front: .*expected 4x4"),
    ((*FRONT, "vehicle_from_optical"), [], "camera front: .*expected 4x4"),
    ((*FRONT, "stamp_s"), "now", "camera front, stamp_s is 'now', expected a number"),
    ((*FRONT, "image"), "../front.png", "camera front, image is .*leaves the folder"),
    ((*FRONT, "image"), "/etc/passwd", "camera front, image is .*leaves the folder"),
    ((*FRONT, "image"), "", "camera front, image is ''"),
    ((*FRONT, "own"), "none.png", "camera front, own: .*none.png: cannot read the mask"),
    ((*FRONT, "own"), "front.png", "camera front, own: .*expected uint8"),
    ((*FRONT, "crop"), [0, 0, 101, 20], "camera front: crop is .*inside 100x60 pixels"),
    ((*FRONT, "crop"), [0, 0, HUGE, 20], "camera front: crop is"),
    (FRONT, [], r"camera front is \[\], expected an object"),
    (("cameras",), {}, "cameras is {}, expected an object of at least one camera"),
    (("cameras",), GONE, "cameras is None, expected an object of at least one camera"),
    (("camera",), {}, "unknown key 'camera'; did you mean 'cameras'"),
    (("cameras", ""), {}, "the name of a camera is ''"),
    (("cameras", "a\nb"), {}, r"the name of a camera is 'a\\nb'"),
    (("objects",), {}, "objects is {}, expected a list"),
    (("objects", 0, "class"), GONE, "object 0 lacks the key 'class'"),
    (("objects", 0, "class"), "\x1b[0m", "object 0, class is"),
    (("objects", 0, "kind"), "x", "object 0 has the unknown key 'kind'"),
    (("objects", 0, "yaw"), 90, "object 0 has the yaw 90, expected radians"),
    (("objects", 0, "x"), 1e9, "object 0 is at .*expected metres"),
    (("objects", 0, "width"), 0, "object 0: .*sides above 0"),
    (("objects", 0, "visible"), 1.5, "object 0: .*visible to 1.5, expected 0 to 1"),
    (("objects", 0, "boxes_px"), {"up": [0, 0, 1, 1]}, "camera up: the rig has no such camera"),
    (("objects", 0, "boxes_px"), {"front": [5, 0, 1, 1]}, "camera front is .*rising"),
    (("drivable",), {}, "drivable lacks the key 'polygons'"),
    (("drivable",), {"polygon": []}, "unknown key 'polygon'; did you mean 'polygons'"),
    (("drivable",), {"polygons": []}, "no polygons and no extent"),
    (("drivable",), {"polygons": [[[0, 0], [1, 1]]]}, "polygon 0 has 2 points"),
    (("drivable",), {"polygons": [[[0, 0], [1e9, 1], [2, 2]]]}, "polygon 0 .*up to 10000"),
    (("drivable",), {"polygons": [], "extent": [1, 1, 0, 2]}, "extent is"),
    (("drivable",), {"file": "../m.png", "grid": GRID}, "drivable, file is .*leaves the folder"),
    (("drivable",), {"file": "m.png", "grid": {**GRID, "cells_x": HUGE}}, "drivable: a grid of"),
    (("drivable",), {"file": "m.png"}, "drivable lacks the key 'grid'"),
    (("in_view",), {"file": "../m.png", "grid": GRID}, "in_view, file is .*leaves the folder"),
    (("in_view",), {"file": "m.png", "grid": {**GRID, "cell_m": 0}}, "in_view: a grid "),
    (("in_view",), {"polygons": []}, "in_view has the unknown key 'polygons'"),
    (("inview",), {}, "unknown key 'inview'; did you mean 'in_view'"),
    (("name",), "", "name is ''"),
    (("source",), 5, "source is 5, expected printable text"),
]


@pytest.mark.parametrize(
    ("path", "value", "message"), BAD, ids=[f"{'.'.join(map(str, p))}-{m[:30]}" for p, _, m in BAD]
)
def test_a_bad_line_is_one_clear_message(tmp_path, path, value, message):
    write_lines(tmp_path, line(tmp_path), changed(line(tmp_path), path, value))
    with pytest.raises(LabelError, match=rf"^{tmp_path}/rigs\.jsonl, line 2: .*{message}") as found:
        list(read_records(tmp_path))
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 700


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[]", "expected an object"),
        ('{"cameras": ', "not valid JSON"),
        ("[" * 100_000, "nested too deep"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "not valid JSON"),
        ('{"cameras": {"a": {}, "a": {}}}', "the key 'a' is there twice"),
    ],
)
def test_what_is_no_line_says_so(tmp_path, text, message):
    write_lines(tmp_path, text)
    with pytest.raises(LabelError, match=rf"rigs\.jsonl, line 1: .*{message}"):
        list(read_records(tmp_path))


def test_a_picture_of_another_size_names_its_camera(tmp_path):
    write_lines(tmp_path, line(tmp_path))
    cv2.imwrite(str(tmp_path / "rear.png"), image(0)[:30])
    with pytest.raises(ValueError, match=r"line 1: camera rear: .*100x30, .* is for 100x60"):
        list(read_rigs(tmp_path))


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_picture_that_is_none_names_its_camera(tmp_path, content):
    write_lines(tmp_path, line(tmp_path))
    (tmp_path / "rear.png").unlink()
    if content is not None:
        (tmp_path / "rear.png").write_bytes(content)
    with pytest.raises(ValueError, match="line 1: camera rear: cannot read the picture"):
        list(read_rigs(tmp_path))


def test_a_link_out_of_the_set_is_not_followed(home):
    (home / "set").mkdir()
    write_lines(home / "set", line(home / "set"))
    (home / "set/front.png").unlink()
    (home / "set/front.png").symlink_to(home / "victim/a.jpg")
    with pytest.raises(LabelError, match=r"line 1: camera front, image is .*a link to"):
        list(read_rigs(home / "set"))


def test_a_pipe_is_not_waited_for(tmp_path):
    write_lines(tmp_path, line(tmp_path))
    (tmp_path / "front.png").unlink()
    os.mkfifo(tmp_path / "front.png")
    with pytest.raises(LabelError, match=r"camera front, image is .*a pipe"):
        list(read_rigs(tmp_path))
    os.mkfifo(tmp_path / "pipe_rigs.jsonl")
    with pytest.raises(OSError, match="named pipe"):
        list(read_rigs(tmp_path / "pipe_rigs.jsonl"))


@pytest.mark.parametrize("values", [np.full((4, 4), 3, np.uint8), np.zeros((4, 5), np.uint8)])
def test_a_map_that_is_none_is_a_fault_when_it_is_read(tmp_path, values):
    cv2.imwrite(str(tmp_path / "m.png"), values)
    write_lines(tmp_path, line(tmp_path, drivable={"file": "m.png", "grid": GRID}))
    (record,) = read_records(tmp_path)
    with pytest.raises(ValueError, match=r"m\.png"):
        record.label()


ODD = (
    *(None, True, 0, -1, 1.5, 1e9, -1e300, 1e308, HUGE, float("nan"), float("inf"), "", "x"),
    *(
        "../x",
        "/etc/passwd",
        "\x1b[31m\n",
        "\u202e",
        "a" * 300,
        [],
        {},
        [[]],
        [1],
        {"x": 1},
        "\ud800",
    ),
)


def spots(tree, path=()):
    """Yield the way to every value of JSON."""
    if path:
        yield path
    for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(child, (dict, list)):
            yield from spots(child, (*path, key))
        else:
            yield (*path, key)


WHOLE = {
    **line(objects=[thing(visible=0.5, boxes_px={"front": [1, 2, 3, 4]})]),
    "name": "a",
    "drivable": {"polygons": [[[0, 0], [5, 0], [5, 5]]], "unknown": [[[0, 0], [1, 0], [1, 1]]]},
}


def check(at, value, tmp_path):
    ways = list(spots(WHOLE))
    text = json.dumps(changed(WHOLE, ways[at % len(ways)], value))
    try:
        record = parse_line(text, tmp_path / "rigs.jsonl", 7)
    except LabelError as error:
        assert str(error).startswith(f"{tmp_path}/rigs.jsonl, line 7: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    for camera in record.rig.cameras:
        camera.see(np.array([[3.0, 0.5, 0.0]]))


@pytest.mark.filterwarnings("error")
def test_odd_values_are_an_answer_or_one_line(tmp_path):
    fuzz(
        400,
        check,
        at=st.integers(0, 1 << 16),
        value=st.sampled_from(ODD),
        tmp_path=st.just(tmp_path),
    )
