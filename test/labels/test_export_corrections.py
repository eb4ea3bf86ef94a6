# SPDX-License-Identifier: Apache-2.0
"""What people change in a tool is what comes back and what is told, and nothing else is."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from export_sets import EDITORS, TOOLS, convert, copies, lines_of, planes, write_exports
from labelled_set import lanes_of, mask_of

from shared_encoder_perception.labels import native
from shared_encoder_perception.tasks.lanes.answer import LaneId


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return write_exports(tmp_path_factory.mktemp("exports"))


@pytest.fixture(params=TOOLS)
def loop(tmp_path, exports, request):
    """Let a test change an export, and read that back."""
    folder, out = copies(exports, request.param, tmp_path)

    class Loop:
        tool, original, exported, back = request.param, folder, out, tmp_path / "back"

        def edit(self, image="000.png"):
            return EDITORS[self.tool](self.exported, image)

        def close(self, *more):
            """Return the changes that are told, by the picture."""
            command = (self.exported, self.back, "--original", str(self.original), *more)
            assert convert(self.tool, *command) == 0
            told = (self.back / "changes.jsonl").read_text().splitlines()
            return {line.pop("image"): line for line in map(json.loads, told)}

        def frame(self, number=0):
            """The frame of a picture, by its number."""
            name = f"images/road/{number:03d}.png"
            return next(one for one in native.read(self.back) if one.name == name)

    return Loop()


def test_a_lane_that_was_moved_is_peoples(loop, capsys):
    edit = loop.edit()
    edit.move("lane/ego", 3)
    edit.save()
    assert loop.close() == {"images/road/000.png": {"lanes moved": 1}}
    before = lanes_of(next(native.read(loop.original)))
    after = lanes_of(loop.frame())
    shift = np.interp(after[0][::-1, 1], before[0][::-1, 1], before[0][::-1, 0])[::-1]
    assert np.abs(after[0][:, 0] - shift - 3).max() <= 0.5
    assert np.array_equal(after[1], before[1])
    line = lines_of(loop.back)[0]
    assert line["pseudo"] == ["mask", "classes"]  # the lanes are a label by people now
    assert line["lane_confidence"] == {"left_ego": 0.5}
    told = capsys.readouterr().out
    assert "labelled by a model      1       1           1           0" in told


def test_a_nudge_of_less_than_half_a_pixel_is_no_change(loop):
    edit = loop.edit()
    edit.move("lane/ego", 0.2)
    edit.save()
    assert loop.close() == {}
    assert lines_of(loop.back)[0]["lanes"] == lines_of(loop.original)[0]["lanes"]


def test_a_confidence_that_people_wrote_is_kept(loop):
    edit = loop.edit()
    edit.move("lane/ego", 3)
    edit.confidence("lane/ego", 0.25)
    edit.save()
    loop.close()
    assert lines_of(loop.back)[0]["lane_confidence"] == {"ego": 0.25, "left_ego": 0.5}


def test_lanes_come_and_go_and_what_is_not_said_is_unknown(loop):
    edit = loop.edit()
    edit.remove("lane/left_ego")
    edit.flag("lane/left_split_ego absent", False)
    edit.flag("lane/right_split_ego absent", True)
    edit.save()
    other = loop.edit("002.png")
    other.add("lane/ego", [[160, 60], [170, 120], [180, 170]], closed=False)  # far to near
    other.save()
    first, second = ({"lanes removed": 1, "absent or not": 2}, {"lanes added": 1})
    assert loop.close() == {"images/road/000.png": first, "images/road/002.png": second}
    lanes = lanes_of(loop.frame())
    assert LaneId.LEFT_EGO not in lanes and LaneId.LEFT_SPLIT_EGO not in lanes
    assert lanes[LaneId.RIGHT_SPLIT_EGO] is None
    drawn = lanes_of(loop.frame(2))
    assert list(drawn) == [LaneId.EGO]
    assert drawn[LaneId.EGO].tolist() == [[179.5, 169.5], [169.5, 119.5], [159.5, 59.5]]


def test_pixels_are_told_to_the_pixel_and_the_rest_keeps_its_confidence(loop):
    edit = loop.edit()
    edit.add("drivable/unknown", [[10, 20], [60, 20], [60, 30], [10, 30]])
    edit.add("class/vehicle", [[200, 5], [210, 5], [210, 9], [200, 9]])
    edit.save()
    expected = planes()["mask"].copy()
    changed = int((expected[20:30, 10:60] != 127).sum())
    expected[20:30, 10:60] = 127
    told = {"drivable pixels": changed, "class pixels": 40}
    assert loop.close() == {"images/road/000.png": told}
    frame = loop.frame()
    assert np.array_equal(mask_of(frame), expected)
    sure = np.where(expected == planes()["mask"], planes()["mask_confidence"], 255)
    assert np.array_equal(frame.labels["drivable_surface"]().confidence, sure)
    label = frame.labels["semantic"]()
    assert (label.ids[5:9, 200:210] == 1).all() and (label.instances[5:9, 200:210] == 0).all()
    assert frame.pseudo == ("lanes",)


def test_a_class_can_become_another_one(loop):
    edit = loop.edit()
    edit.rename("class/sky", "class/road")
    edit.save()
    assert loop.close() == {
        "images/road/000.png": {"class pixels": int((planes()["classes"] == 2).sum())}
    }
    expected = np.where(planes()["classes"] == 2, 0, planes()["classes"])
    assert np.array_equal(loop.frame().labels["semantic"]().ids, expected)


def test_a_mask_that_nobody_called_complete_has_no_negatives(loop):
    edit = loop.edit()
    edit.flag("drivable/complete", False)
    edit.save()
    other = loop.edit("001.png")
    other.add("drivable", [[10, 100], [50, 100], [50, 150]])
    other.save()
    loop.close()
    for number in (0, 1):
        assert set(np.unique(mask_of(loop.frame(number)))) == {127, 255}


def test_removing_what_was_unknown_says_what_it_is(loop):
    edit = loop.edit()
    edit.remove("drivable/unknown")
    edit.save()
    loop.close()
    before = planes()["mask"]
    assert np.array_equal(mask_of(loop.frame()), np.where(before == 127, 0, before))


def test_who_reviewed_a_label_stands_for_it(loop):
    edit = loop.edit()
    edit.flag("by_model/mask", False)
    edit.save()
    loop.close()
    line = lines_of(loop.back)[0]
    assert line["pseudo"] == ["lanes", "classes"] and "mask_confidence" not in line
    assert "classes_confidence" in line and "lane_confidence" in line


def test_who_reviewed_all_stands_for_all(loop):
    assert loop.close("--reviewed") == {}
    line = lines_of(loop.back)[0]
    assert not {"pseudo", "lane_confidence", "mask_confidence", "classes_confidence"} & set(line)
    assert line["lanes"] == lines_of(loop.original)[0]["lanes"]


@pytest.mark.parametrize(
    "change",
    [
        lambda name: name.split("/")[-1],
        lambda name: f"upload/images/{name}",
        lambda name: f"..\\images\\{name}",
        lambda name: name.replace(".png", ".jpg"),
    ],
    ids=["shorter", "longer", "of Windows", "another suffix"],
)
def test_names_that_come_back_changed_are_found(loop, change):
    edit = loop.edit()
    edit.name(change)
    edit.save()
    assert loop.close() == {}
    assert sorted(one.name for one in native.read(loop.back))[0] == "images/road/000.png"


def test_frames_that_do_not_come_back_are_told(loop, capsys):
    edit = loop.edit()
    edit.drop()
    edit.save()
    assert loop.close() == {}
    assert "1 frames of the set did not come back" in capsys.readouterr().out
    assert len(lines_of(loop.back)) == 2
