# SPDX-License-Identifier: Apache-2.0
"""A set that goes out to a tool and comes back is the same set, whatever the tool."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from export_sets import (
    TOOLS,
    convert,
    copies,
    export,
    lines_of,
    planes,
    write_exports,
    write_labelled,
)
from labelled_set import lanes_of, mask_of, write_set

from shared_encoder_perception import tasks as table
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.tasks.masks.values import NO


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return write_exports(tmp_path_factory.mktemp("exports"))


@pytest.fixture
def exported(tmp_path, exports, request):
    """A set, and its export to the tool that a test asks for."""
    folder, out = copies(exports, request.param, tmp_path)
    return folder, out, request.param


each_tool = pytest.mark.parametrize("exported", TOOLS, indirect=True)


def frames(folder):
    return {frame.name: frame for frame in native.read(folder)}


def apart(points, line):
    """How far the points of a line are from another one, in pixels along the row."""
    x = np.interp(points[::-1, 1], line[::-1, 1], line[::-1, 0])[::-1]
    return np.abs(x - points[:, 0]).max()


@each_tool
def test_what_nobody_changed_comes_back_byte_by_byte(exported, tmp_path, capsys):
    folder, out, tool = exported
    back = tmp_path / "back"
    assert convert(tool, out, back, "--original", str(folder)) == 0
    once = tmp_path / "once"  # as our writer writes the set, without tools
    assert main(["dataset", "convert", "native", str(folder), "--out", str(once)]) == 0
    for path in once.rglob("*"):
        if path.is_file():
            assert (back / path.relative_to(once)).read_bytes() == path.read_bytes(), path
    assert (back / "changes.jsonl").read_text() == ""
    rows = [
        line.split()[-10:] for line in capsys.readouterr().out.splitlines() if "labelled" in line
    ]
    assert [row[:2] for row in rows] == [["1", "0"]] * 3


@each_tool
def test_without_the_set_masks_come_back_to_the_pixel_and_lines_to_half_of_one(exported, tmp_path):
    folder, _, tool = exported
    before, back = frames(folder), tmp_path / "back"
    # Not the foreground: the picture of the empty place is in the set alone.
    export(tool, folder, tmp_path / "some", "--tasks", "lanes", "drivable_surface", "semantic")
    assert convert(tool, tmp_path / "some", back) == 0
    assert main(["dataset", "validate", str(back)]) == 0
    after = frames(back)
    assert sorted(after) == sorted(before)
    for name, frame in after.items():
        old, new = lanes_of(before[name]), lanes_of(frame)
        assert list(old) == list(new)
        for lane, points in old.items():
            if points is None:
                assert new[lane] is None
            else:
                assert len(new[lane]) < len(points)
                assert max(apart(points, new[lane]), apart(new[lane], points)) <= 0.5
    whole = after["images/road/000.png"]
    assert np.array_equal(mask_of(whole), planes()["mask"])
    label = whole.labels["semantic"]()
    assert np.array_equal(label.ids, planes()["classes"])
    counted = label.ids == 1
    assert np.array_equal(label.instances[counted], planes()["instances"][counted])
    assert label.classes == before["images/road/000.png"].labels["semantic"]().classes
    assert whole.pseudo == ("lanes", "drivable_surface", "semantic")
    assert lines_of(back)[0]["lane_confidence"] == {"ego": 0.75, "left_ego": 0.5}
    assert after["images/road/002.png"].labels == {}


@each_tool
def test_without_the_set_a_confidence_is_that_of_its_region(exported, tmp_path):
    folder, _, tool = exported
    back = tmp_path / "back"
    export(tool, folder, tmp_path / "some", "--tasks", "drivable_surface", "semantic")
    assert convert(tool, tmp_path / "some", back) == 0
    mask, sure = planes()["mask"], planes()["mask_confidence"]
    found = next(native.read(back)).labels["drivable_surface"]().confidence
    for value in (0, 255):
        here = mask == value
        assert np.abs(found[here] - sure[here].mean()).max() <= 1
    assert (next(native.read(back)).labels["semantic"]().confidence[:40] == 128).all()


@each_tool
def test_every_region_can_go_out_as_a_mask(exported, tmp_path):
    folder, _, tool = exported
    out, back = tmp_path / "masks", tmp_path / "back"
    export(tool, folder, out, "--masks")
    texts = [p.read_text() for p in out.rglob("*") if p.suffix in (".xml", ".json")]
    assert not any('"shape_type": "polygon"' in text or "<polygon" in text for text in texts)
    assert convert(tool, out, back, "--original", str(folder)) == 0
    assert (back / "changes.jsonl").read_text() == ""
    assert np.array_equal(mask_of(next(native.read(back))), planes()["mask"])


@each_tool
def test_links_to_pictures_are_no_copies_and_come_back(exported, tmp_path):
    folder, _, tool = exported
    out = export(tool, folder, tmp_path / "links", "--link")
    picture = out / "images/road/000.png"
    assert picture.is_symlink() and picture.samefile(folder / "images/road/000.png")
    assert convert(tool, out, tmp_path / "back", "--original", str(folder)) == 0


@each_tool
def test_tasks_that_did_not_go_out_stay_as_they_were(exported, tmp_path):
    folder, _, tool = exported
    back = tmp_path / "back"
    out = export(tool, folder, tmp_path / "some", "--tasks", "lanes")
    (out / "legend.json").unlink()  # as where only the tool's file came back
    assert convert(tool, out, back, "--original", str(folder)) == 0
    assert [sorted(line) for line in lines_of(back)] == [sorted(line) for line in lines_of(folder)]
    assert (back / "changes.jsonl").read_text() == ""


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_mask_of_one_value_is_not_mistaken_for_none(tmp_path, tool, value):
    folder = write_set(tmp_path / "set", 1, lanes=None)
    plane = np.full((180, 320), value, np.uint8)
    cv2.imwrite(str(folder / "masks/road/000.png"), plane)
    out = export(tool, folder, tmp_path / "export")
    assert convert(tool, out, tmp_path / "back") == 0
    assert np.array_equal(mask_of(next(native.read(tmp_path / "back"))), plane)


@pytest.mark.parametrize("task", [name for name in table.ROOMS if table.find_part(name, "shapes")])
def test_a_drawing_of_nothing_says_nothing(task):
    """Whatever the room: no shapes and no flags are no label, and never a "no"."""
    from shared_encoder_perception.tasks.shapes import Drawing

    room = table.part(task, "shapes")
    assert room.read(Drawing((4, 6)), None, None, reviewed=False) is None
    assert room.changes(None, None) == {}
    assert NO == 0


def test_names_of_shapes_are_of_one_task_each():
    legend = {"semantic": [{"id": 0, "name": "drivable", "colour": [1, 2, 3]}]}
    rooms = table.parts("shapes")
    names = [name.text for task, room in rooms.items() for name in room.names(legend.get(task))]
    assert len(names) == len(set(names)) > 15
    assert "class/drivable" in names


def test_files_of_tools_are_where_they_look(tmp_path):
    folder = write_labelled(tmp_path / "set")
    cvat, labelme, coco = (
        export(one, folder, tmp_path / one) for one in ("cvat", "labelme", "coco")
    )
    spec = json.loads((cvat / "labels.json").read_text())
    assert {"name", "color", "type", "attributes"} <= set(spec[0])
    assert "lane/ego absent" in (labelme / "flags.txt").read_text().splitlines()
    beside = json.loads((labelme / "images/road/000.json").read_text())
    assert (labelme / "images/road" / beside["imagePath"]).is_file()
    content = json.loads((coco / "annotations/instances_default.json").read_text())
    assert all((coco / "images" / one["file_name"]).is_file() for one in content["images"])


def test_an_export_is_not_written_over_nor_into_its_set(tmp_path, capsys):
    folder = write_labelled(tmp_path / "set")
    out = export("cvat", folder, tmp_path / "export")
    command = ["dataset", "export", "labelme", str(folder), "--out"]
    assert main([*command, str(out)]) == 2
    assert "holds an export already" in capsys.readouterr().err
    assert main([*command, str(folder / "inside")]) == 2
    assert main([*command, str(tmp_path / "x"), "--tasks", "depth"]) == 2
    assert "'depth' are not drawn" in capsys.readouterr().err
