# SPDX-License-Identifier: Apache-2.0
"""A corrected file that cannot be used: one line that says where, what was expected, what to do."""

import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from export_sets import EDITORS, TOOLS, convert, copies, export, write_exports, write_labelled
from fuzzing import fuzz
from hypothesis import strategies as st

from shared_encoder_perception.labels import formats, native
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.tasks.label_files import LabelError

FILES = {
    "cvat": "annotations.xml",
    "labelme": "images/road/000.json",
    "coco": "annotations/instances_default.json",
}
UP = [[100, 170], [110, 60]]

EDITS = {
    "an unknown label": (lambda e: e.rename("lane/ego", "lane/ego2"), "'lane/ego2'; did you mean"),
    "one point": (lambda e: e.add("boundary", [[5, 5]], closed=False), "1 points, expected 2"),
    "two points": (lambda e: e.add("drivable", [[5, 5], [9, 9]]), "2 points, expected 3"),
    "no picture of the set": (lambda e: e.name(lambda _: "x.png"), "x.png' is no picture of"),
    "another size": (lambda e: e.size(321), "321"),
    "a lane twice": (lambda e: e.add("lane/ego", UP, closed=False), "is there twice"),
    "a lane that is absent": (
        lambda e: e.flag("lane/ego absent", True),
        "'lane/ego absent' is set, expected one of both",
    ),
    "a lane that turns back": (
        lambda e: e.add("boundary", [[9, 100], [9, 80], [9, 90], [9, 70]], closed=False),
        "turns back at (9, 90)",
    ),
    "a lane outside": (
        lambda e: e.add("boundary", [[9, 181], [9, 70]], closed=False),
        "leaves the picture at (9, 181)",
    ),
    "a lane as an area": (lambda e: e.add("lane/ego", [*UP, [0, 0]]), "expected a line for"),
    "an area as a lane": (lambda e: e.add("drivable", UP, closed=False), "expected a region for"),
    "no confidence": (lambda e: e.confidence("lane/ego", "high"), "the confidence 'high'"),
    "too much confidence": (lambda e: e.confidence("lane/ego", 7), "confidence 7, expected 0 to 1"),
    "an unknown flag": (lambda e: e.flag("rainy", True), "unknown label 'rainy'"),
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return write_exports(tmp_path_factory.mktemp("exports"))


@pytest.fixture(params=TOOLS)
def case(tmp_path, exports, request):
    return request.param, *copies(exports, request.param, tmp_path)


def refused(case, tmp_path, capsys, *more):
    """Convert what must be refused; return the one line."""
    tool, _, out = case
    capsys.readouterr()
    assert convert(tool, out, tmp_path / "back", *more) == 2
    (line,) = (one for one in capsys.readouterr().err.splitlines() if one.startswith("error"))
    assert not (tmp_path / "back" / "frames.jsonl").exists()
    return line


@pytest.mark.parametrize("what", EDITS)
def test_a_shape_that_is_none_is_named(case, tmp_path, capsys, what):
    change, expected = EDITS[what]
    edit = EDITORS[case[0]](case[2])
    change(edit)
    edit.save()
    line = refused(case, tmp_path, capsys, "--original", str(case[1]))
    assert expected in line
    assert FILES[case[0]] in line


def test_a_shape_of_a_kind_that_is_not_read_is_named(case, tmp_path, capsys):
    tool, folder, out = case
    path = out / FILES[tool]
    old, new = {
        "cvat": ("<polyline ", "<points "),
        "labelme": ('"linestrip"', '"circle"'),
        "coco": ('"polyline"', '"keypoints"'),
    }[tool]
    text = path.read_text().replace(old, new).replace("</polyline>", "</points>")
    path.write_text(text)
    line = refused(case, tmp_path, capsys, "--original", str(folder))
    assert "lane/ego" in line and ("expected" in line or "--tasks" in line)


def test_without_legend_and_set_nobody_knows_what_shapes_mean(case, tmp_path, capsys):
    (case[2] / "legend.json").unlink()
    line = refused(case, tmp_path, capsys)
    assert "legend.json: there is no such file" in line and "--original" in line


def test_a_foreground_without_its_background_says_what_to_do(case, tmp_path, capsys):
    assert "the picture of the empty place is not at hand" in refused(case, tmp_path, capsys)


def test_a_picture_beside_nothing_is_left_out_and_listed(case, tmp_path):
    tool, folder, _ = case
    out = export(tool, folder, tmp_path / "some", "--tasks", "lanes")
    (out / "images/road/001.png").unlink()
    assert convert(tool, out, tmp_path / "back") == 1
    assert "001.png" in (tmp_path / "back" / "convert_faults.txt").read_text()


def test_a_name_that_two_pictures_may_have_is_no_guess(tmp_path, capsys):
    folder = write_labelled(tmp_path / "set")
    lines = [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()]
    lines[1] |= {"image": "images/town/000.png", "source": "town"}
    (folder / "images/town").mkdir()
    (folder / "images/road/001.png").rename(folder / "images/town/000.png")
    (folder / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = export("cvat", folder, tmp_path / "export")
    path = out / "annotations.xml"
    path.write_text(path.read_text().replace('name="town/000.png"', 'name="000.png"'))
    line = refused(("cvat", folder, out), tmp_path, capsys, "--original", str(folder))
    assert "may be images/road/000.png or images/town/000.png" in line


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<annotations>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>", "has a document type"),
        ("<annotations>", "<data>", "begins with <data>"),
        ("<image ", "<track></track><image ", 'is of "CVAT for video"'),
        ("</annotations>", "", "not XML: no element found"),
        ('rle="', 'rle="9, ', "the run lengths are"),
        ('left="', 'left="9', "leaves the picture"),
        ('points="', 'points="a,b;', "are numbers"),
        ("<meta>", "<a>" * 40 + "</a>" * 40 + "<meta>", "nested too deep"),
    ],
)
def test_xml_that_is_not_cvats_is_refused_with_its_line(tmp_path, capsys, old, new, expected):
    folder = write_labelled(tmp_path / "set")
    out = export("cvat", folder, tmp_path / "export")
    path = out / "annotations.xml"
    path.write_text(path.read_text().replace(old, new, 1))
    line = refused(("cvat", folder, out), tmp_path, capsys, "--original", str(folder))
    assert expected in line and "annotations.xml, line" in line


def test_flags_that_a_tool_has_dropped_are_those_of_the_set(tmp_path, capsys):
    folder = write_labelled(tmp_path / "set")
    out = export("coco", folder, tmp_path / "export", "--tasks", "drivable_surface")
    path = out / "annotations/instances_default.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        del image["flags"]
    path.write_text(json.dumps(content))
    line = refused(("coco", folder, out), tmp_path, capsys)
    assert "has no flags" in line and "--original" in line
    assert convert("coco", out, tmp_path / "other", "--original", str(folder)) == 0
    assert (tmp_path / "other" / "changes.jsonl").read_text() == ""
    assert next(native.read(tmp_path / "other")).pseudo == ("lanes", "drivable_surface", "semantic")


def test_only_sets_that_come_back_take_an_original(tmp_path, capsys):
    folder = write_labelled(tmp_path / "set")
    command = (folder, tmp_path / "back", "--original", str(folder))
    assert convert("native", *command) == 2
    assert "--original is for what comes back from cvat" in capsys.readouterr().err
    assert convert("nuscenes", folder, tmp_path / "rigs", "--reviewed") == 2
    assert "not for nuscenes" in capsys.readouterr().err
    assert convert("cvat", *command, "--labels-only") == 2


def damaged(content, chance):
    """Change, drop, double or cut off some bytes."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at, length = chance.randrange(len(data)), chance.choice((1, 1, 2, 8, 64))
        how = chance.randrange(3)
        if how == 0:
            data[at : at + length] = chance.choice((b"-", b"9", b'"', b"e99", b"nan", b"[", b"<"))
        elif how == 1:
            del data[at : at + length]
        else:
            data[at:at] = data[at : at + length]
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


def test_damaged_files_end_in_a_set_or_in_one_line(tmp_path):
    folder = write_labelled(tmp_path / "set")
    outs = {tool: export(tool, folder, tmp_path / tool) for tool in TOOLS}
    whole = {tool: (outs[tool] / FILES[tool]).read_bytes() for tool in TOOLS}

    def check(tool, seed):
        file = outs[tool] / FILES[tool]
        file.write_bytes(damaged(whole[tool], random.Random(seed)))
        with TemporaryDirectory() as back:
            out = Path(back) / "out"
            try:
                with native.Writer(out) as writer:
                    for frame in formats.read(tool, outs[tool], original=folder):
                        if not isinstance(frame, LabelError):
                            writer.write(frame)
            except (LabelError, FileExistsError) as error:
                assert "\n" not in str(error)  # noqa: PT017
            else:
                assert not [found for _, found in find_faults(out) if found]
        file.write_bytes(whole[tool])

    fuzz(90, check, tool=st.sampled_from(TOOLS), seed=st.integers(0, 1 << 32))
