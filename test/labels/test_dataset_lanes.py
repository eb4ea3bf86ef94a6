# SPDX-License-Identifier: Apache-2.0
"""TuSimple, CULane and CurveLanes in their public formats, written here; TuSimple's real labels."""

import gzip
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import label_of, lanes_of
from straight_road import ROWS, SIZE, THREE, column, error_px

from shared_encoder_perception.labels import formats
from shared_encoder_perception.labels.adapters import tusimple
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.lanes.answer import LaneId

REAL = Path(__file__).parents[3] / "shared" / "data" / "tusimple_labels"


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
    assert error_px(lanes_of(first)[LaneId.EGO], 0) < 1.5
    assert error_px(lanes_of(first)[LaneId.RIGHT_EGO], 1) < 1.5
    assert LaneId.LEFT_EGO not in lanes_of(first)
    assert lanes_of(second)[LaneId.LEFT_EGO] is None
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
        (tusimple_line(0.5, lanes=[[9] * 2 * len(ROWS)]), "a number for each of `h_samples`"),
        (tusimple_line(0.5, lanes=[9] * len(ROWS)), "a number for each of `h_samples`"),
        (tusimple_line(0.5, lanes=[[float("inf")] * len(ROWS)]), "not finite"),
        (tusimple_line(0.5, lanes=[[1e9] * len(ROWS)]), "beyond 100000 pixels"),
    ],
)
def test_tusimple_faults(tmp_path, line, message):
    path = tmp_path / "label_data_1.json"
    path.write_text(tusimple_line(-0.5, 0.5) + "\n" + line + "\n")
    with pytest.raises(LabelError, match=rf"label_data_1\.json, line 2: .*{message}"):
        list(formats.read("tusimple", path))


def test_tusimple_columns_that_mean_nothing_are_not_there_and_counted(tmp_path):
    lane = [-7 if row < 400 else 500 for row in ROWS]
    text = tusimple_line(-0.5, 0.5, lanes=[lane, [-2] * len(ROWS)])
    (tmp_path / "label_data_1.json").write_text(text + "\n\n")
    (frame,) = formats.read("tusimple", tmp_path)
    assert "columns below 0 other than -2, taken as not there" in frame.notes
    (line,) = label_of(frame, "lanes").boundaries
    assert line[:, 1].min() == 400


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_compressed_label_file_that_is_cut_off_is_named(tmp_path, cut):
    text = "".join(tusimple_line(-0.5, 0.5, raw_file=f"{i}.jpg") + "\n" for i in range(200))
    content = gzip.compress(text.encode())
    (tmp_path / "label_data_1.json.gz").write_bytes(content[: int(cut * len(content))])
    with pytest.raises(LabelError, match=r"json\.gz, line \d+: the file is damaged or cut off"):
        list(formats.read("tusimple", tmp_path))


def test_a_line_without_end_is_not_read_to_its_end(tmp_path):
    (tmp_path / "label_data_1.json").write_bytes(b" " * (tusimple.MOST_BYTES + 1))
    with pytest.raises(LabelError, match="line 1: longer than"):
        list(formats.read("tusimple", tmp_path))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real TuSimple label files are not here")
def test_tusimple_counts_of_the_real_labels():
    counts, splits, changes, total = dict.fromkeys(LaneId, 0), 0, 0, 0
    begin = time.perf_counter()
    for part in ("0313", "0531", "0601"):
        for frame in tusimple.read(REAL / f"label_data_{part}.json.gz", lane_changes=True):
            total += 1
            for lane, points in lanes_of(frame).items():
                counts[lane] += points is not None
            splits += any(lanes_of(frame).get(lane) is not None for lane in list(LaneId)[3:])
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
        assert error_px(lanes_of(first)[LaneId.EGO], 0) < 1.5
        assert error_px(lanes_of(first)[LaneId.RIGHT_EGO], 1) < 1.5
        assert (first.name, first.size) == ("driver/a.jpg", SIZE)
        assert min(points.min() for points in label_of(first, "lanes").boundaries) >= 0
        assert lanes_of(second) == {}
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
    assert error_px(lanes_of(frame)[LaneId.EGO], 0) < 1
    (tmp_path / "train.txt").write_text("images/a.jpg\n")
    (again,) = formats.read("curvelanes", tmp_path / "train.txt")
    assert np.array_equal(lanes_of(again)[LaneId.EGO], lanes_of(frame)[LaneId.EGO])


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
