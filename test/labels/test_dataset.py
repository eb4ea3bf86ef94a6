# SPDX-License-Identifier: Apache-2.0
"""The native data set: read, write, validate, merge, count, view."""

import json
from contextlib import suppress

import cv2
import numpy as np
import pytest
from labelled_set import (
    HEIGHT,
    WIDTH,
    label_of,
    lanes_of,
    mask_of,
    record,
    write_records,
    write_set,
)

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.statistics import count, table
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.world.synthetic import render_sample


def frames(path):
    return list(native.read(path))


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_read_gives_labels_and_pixels(tmp_path):
    first = frames(write_set(tmp_path / "set"))[0]
    sample = first.load()
    assert sample.image.shape == (HEIGHT, WIDTH, 3)
    assert set(np.unique(mask_of(sample))) == {0, 127, 255}
    assert lanes_of(first)[LaneId.LEFT_SPLIT_EGO] is None
    assert lanes_of(first)[LaneId.EGO].dtype == np.float32
    assert first.crop == (0, 52, 320, 128)


def test_missing_lane_is_unknown_and_null_is_absent(tmp_path):
    write_records(tmp_path, [record(0, lanes={"left_ego": None})])
    assert lanes_of(frames(tmp_path)[0]) == {LaneId.LEFT_EGO: None}


def test_written_and_read_again_is_the_same(tmp_path):
    write_set(tmp_path / "a")
    with native.Writer(tmp_path / "b") as writer:
        for frame in frames(tmp_path / "a"):
            writer.write(frame)
    old, new = lines_of(tmp_path / "a/frames.jsonl"), lines_of(tmp_path / "b/frames.jsonl")
    assert old == new
    for line in old:
        for key in ("image", "mask"):
            pixels = [cv2.imread(str(tmp_path / side / line[key]), -1) for side in "ab"]
            assert np.array_equal(*pixels)


def test_confidence_is_written_read_and_mirrored_by_merge(tmp_path):
    write_set(tmp_path / "a", 1, lane_confidence={"ego": 0.5}, mask_confidence="c.png")
    confidence = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    cv2.imwrite(str(tmp_path / "a/c.png"), confidence)
    assert main(["dataset", "merge", str(tmp_path / "a"), "--out", str(tmp_path / "b")]) == 0
    assert main(["dataset", "validate", str(tmp_path / "b")]) == 0
    sample = frames(tmp_path / "b")[0].load()
    assert label_of(sample, "lanes").confidence == {LaneId.EGO: 0.5}
    assert np.array_equal(label_of(sample, "drivable_surface").confidence, confidence)
    (tmp_path / "b/confidence/road/000.png").unlink()
    assert main(["dataset", "validate", str(tmp_path / "b")]) == 1


def test_interrupted_writing_leaves_no_set(tmp_path):
    write_set(tmp_path / "a")
    with suppress(RuntimeError), native.Writer(tmp_path / "b") as writer:
        writer.write(frames(tmp_path / "a")[0])
        raise RuntimeError
    assert not (tmp_path / "b/frames.jsonl").exists()
    with pytest.raises(FileExistsError, match="exists already"):
        native.Writer(tmp_path / "a")


LINE = record(0)["lanes"]["ego"]
FAULTS = [
    ("{", "not JSON"),
    ("[]", "a list, expected a JSON object"),
    ('{"image": ' + "[" * 100_000, "not JSON: .*nested too deep"),
    (f'{{"size": [{"9" * 5000}, 3]}}', "not JSON: .*digits"),
    (record(0, image=3), "image is 3, expected a path"),
    (record(0, image="/etc/x.png"), "leaves the folder"),
    (record(0, image="../x.png"), "leaves the folder"),
    (record(0, size=[180]), r"size is \[180\], expected \[height, width\]"),
    (record(0, size=[180, True]), "size is"),
    (record(0, lane_confidence=[1]), "lane_confidence is a list, expected an object"),
    (record(0, lane_confidence={"me": 1}), "names 'me', which is not among the lanes"),
    (record(0, lane_confidence={"ego": 0}), "of ego is 0, expected a number above 0, at most 1"),
    (record(0, lane_confidence={"ego": True}), "of ego is True, expected a number"),
    (record(0, mask_confidence="../c.png"), "leaves the folder"),
    (record(0, crop=[0, 0, 400, 100]), "crop is .* inside 320x180"),
    (record(0, crop=[0, 0, 1.5, 100]), "crop is"),
    (record(0, lanes=[]), "lanes is a list"),
    (record(0, lanes={"ego_lane": LINE}), "unknown lane 'ego_lane'"),
    (record(0, lanes={"ego": LINE[:1]}), "lane ego is no list of at least two"),
    (record(0, lanes={"ego": [["a", 3], [3, 2]]}), "lane ego is no list"),
    (record(0, lanes={"ego": [[1, 3], [float("nan"), 2]]}), "not finite"),
    (record(0, lanes={"ego": [[1, 50], [400, 40]]}), r"point 1: \[400.*outside of"),
    (record(0, lanes={"ego": [[1, 50], [2, 40], [3, 45]]}), "point 2: y must strictly decrease"),
    (record(0, boundaries={}), "boundaries is a dict"),
    (record(0, boundaries=[[[1, 2]]]), "boundary 0 is no list"),
    (record(0, pseudo="mask"), "pseudo is 'mask'"),
    (record(0, source=3), "source is 3"),
    (record(0, attributes=[]), "attributes is"),
]


@pytest.mark.parametrize(("line", "message"), FAULTS, ids=range(len(FAULTS)))
def test_faults_have_file_and_line(tmp_path, line, message):
    write_records(tmp_path, [record(0), line])
    with pytest.raises(LabelError, match=rf"frames\.jsonl, line 2: .*{message}"):
        frames(tmp_path)
    (_, none), (number, faults) = find_faults(tmp_path, pictures=False)
    assert none == []
    assert number == 2
    assert any(faults)


def test_validate_reports_every_fault_at_once(tmp_path, capsys):
    write_set(tmp_path, 6)
    records = lines_of(tmp_path / "frames.jsonl")
    records[0]["lanes"]["ego"][0] = [999, 999]
    records[0]["crop"] = [0, 0, 999, 2]
    records[2]["image"] = records[1]["image"]
    (tmp_path / records[3]["image"]).unlink()
    cv2.imwrite(str(tmp_path / records[4]["mask"]), np.full((HEIGHT, WIDTH), 7, np.uint8))
    cv2.imwrite(str(tmp_path / records[5]["image"]), np.zeros((9, 9, 3), np.uint8))
    write_records(tmp_path, records)
    assert main(["dataset", "validate", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    for fault in (
        "line 1: crop is",
        "line 1: lane ego, point 0",
        "line 3: image 'images/road/001.png' is also in line 2",
        "003.png: there is no such picture",
        "line 5: ",
        "values [7]",
        "line 6: ",
        "is 9x9",
        "6 frames, 5 faulty",
    ):
        assert fault in out


def test_validate_passes_a_good_set(tmp_path, capsys):
    write_set(tmp_path, 3)
    assert main(["dataset", "validate", str(tmp_path)]) == 0
    assert "3 frames, 0 faulty" in capsys.readouterr().out


def merged(tmp_path, *changes_of_b, count=2):
    """Merge a set with a copy of itself whose records were changed."""
    write_set(tmp_path / "a", count)
    write_set(tmp_path / "b", count)
    records = lines_of(tmp_path / "b/frames.jsonl")
    for change in changes_of_b:
        change(records)
    write_records(tmp_path / "b", records)
    args = ["dataset", "merge", str(tmp_path / "a"), str(tmp_path / "b")]
    assert main([*args, "--out", str(tmp_path / "all")]) == 0
    report = lines_of(tmp_path / "all/merge_report.jsonl")
    return lines_of(tmp_path / "all/frames.jsonl"), report


def test_merging_equal_sets_reports_duplicates_only(tmp_path):
    lines, report = merged(tmp_path)
    assert lines == lines_of(tmp_path / "a/frames.jsonl")
    assert [row["kind"] for row in report] == ["duplicate"] * 2
    assert report[0]["other"].endswith("b/frames.jsonl, line 1")


def test_merging_completes_partial_labels(tmp_path):
    def forget(records):
        del records[0]["mask"], records[0]["lanes"]["ego"]

    write_set(tmp_path / "full", 1)
    write_set(tmp_path / "part", 1)
    records = lines_of(tmp_path / "part/frames.jsonl")
    forget(records)
    write_records(tmp_path / "part", records)
    args = ["dataset", "merge", str(tmp_path / "part"), str(tmp_path / "full")]
    assert main([*args, "--out", str(tmp_path / "all")]) == 0
    (line,) = lines_of(tmp_path / "all/frames.jsonl")
    assert line["lanes"] == record(0)["lanes"]
    assert line["mask"] == "masks/road/000.png"
    assert {row["kind"] for row in lines_of(tmp_path / "all/merge_report.jsonl")} == {"duplicate"}


def test_conflicting_labels_are_kept_in_the_report(tmp_path):
    def shift(records):
        records[1]["lanes"]["ego"] = [[x + 3, y] for x, y in records[1]["lanes"]["ego"]]
        records[1]["lanes"]["left_split_ego"] = [[10, 100], [20, 80]]

    lines, report = merged(tmp_path, shift)
    conflicts = [row for row in report if row["kind"] == "conflict"]
    assert [row["what"] for row in conflicts] == ["lane ego", "lane left_split_ego"]
    assert lines[1] == record(1)
    assert conflicts[1]["value"] == [[10, 100], [20, 80]]


def test_other_pictures_of_the_same_name_are_renamed(tmp_path):
    def swap(records):
        for item in records:
            path = tmp_path / "b" / item["image"]
            cv2.imwrite(str(path), 255 - cv2.imread(str(path)))

    lines, report = merged(tmp_path, swap)
    names = [line["image"] for line in lines]
    assert len(set(names)) == len(names) == 4
    assert names[2] == "images/road/000_2.png"
    assert [row["kind"] for row in report] == ["name_clash"] * 2
    assert len({cv2.imread(str(tmp_path / "all" / name)).tobytes() for name in names}) == 4
    assert main(["dataset", "validate", str(tmp_path / "all")]) == 0


def test_statistics_count_present_absent_and_unknown(tmp_path):
    write_set(tmp_path, 3, pseudo=["mask"], attributes={"timeofday": "night"})
    records = lines_of(tmp_path / "frames.jsonl")
    del records[0]["lanes"]["ego"]
    write_records(tmp_path, records)
    statistics = count(native.read(tmp_path))
    road = statistics.sources["road"]
    lanes, masks = (road.labels[task] for task in ("lanes", "drivable_surface"))
    assert lanes.lanes[LaneId.EGO].tolist() == [2, 0, 1]
    assert lanes.lanes[LaneId.LEFT_SPLIT_EGO].tolist() == [0, 3, 0]
    assert (masks.masks, road.pseudo["mask"]) == (3, 3)
    assert masks.shares.sum() == 3
    assert lanes.maps[LaneId.EGO].max() == 2
    text = table(statistics)
    assert "2 / 0 / 1" in text
    assert "timeofday=night 3" in text


def test_pictures_of_a_set_are_drawn(tmp_path, capsys):
    write_set(tmp_path / "set", 5)
    for action, name in (("stats", "stats.png"), ("view", "view.jpg")):
        out = tmp_path / name
        assert main(["dataset", action, str(tmp_path / "set"), "--out", str(out)]) == 0
        assert cv2.imread(str(out)).std() > 5
    assert main(["dataset", "view", str(tmp_path / "set"), "--out", "x.png", "--name", "zz"]) == 2
    assert "no frame whose name contains 'zz'" in capsys.readouterr().err


def test_convert_reports_missing_pictures_and_goes_on(tmp_path, capsys):
    write_set(tmp_path / "a", 3)
    (tmp_path / "a" / record(1)["image"]).unlink()
    args = ["dataset", "convert", "native", str(tmp_path / "a"), "--out", str(tmp_path / "b")]
    assert main(args) == 1
    assert len(lines_of(tmp_path / "b/frames.jsonl")) == 2
    assert "001.png" in (tmp_path / "b/convert_faults.txt").read_text()
    assert "1 frames could not be converted" in capsys.readouterr().out


def test_disk_index_remembers_order():
    with DiskIndex() as index:
        assert index.add("a", 5) is None
        assert index.add("b", 6) is None
        assert index.add("a", 7) == 5
        assert list(index.numbers("a")) == [5, 7]
        assert list(index.numbers("c")) == []


def test_rendered_worlds_become_a_set(tmp_path):
    out = tmp_path / "worlds"
    assert main(["dataset", "render", "--count", "3", "--seed", "5", "--out", str(out)]) == 0
    assert main(["dataset", "validate", str(out)]) == 0
    first = frames(out)[0]
    world = render_sample(5)
    sample = first.load()
    assert np.array_equal(mask_of(sample), mask_of(world))
    assert np.abs(sample.image.astype(int) - world.image).mean() < 4
    for lane, points in lanes_of(world).items():
        if points is None:
            assert lanes_of(first)[lane] is None
        else:
            assert np.abs(lanes_of(first)[lane] - points).max() < 0.01
    assert main(["dataset", "render", "--seed", "899999999", "--out", str(tmp_path / "x")]) == 2
