# SPDX-License-Identifier: Apache-2.0
"""Faults that a reader must name instead of passing over, with the file and the line."""

import json
import tracemalloc

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.labels import formats, label_io, native
from shared_encoder_perception.labels.adapters.poly2d import flatten
from shared_encoder_perception.tasks.label_files import LabelError


def frames_of(text, path):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(formats.read("bdd100k", path))


@pytest.mark.parametrize("chunk", [9, 70, 1 << 20])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"name":"a"},\n{"name":"b"}', "line 2: .*expected , or ], found the end"),
        ('[{"name":"a"},\n{"name":"b"', "line 2: not JSON"),
        ('[{"name":"a"}\n{"name":"b"}]', "line 2: .*expected , or ], found {"),
        ('[{"name":"a"},\n,{"name":"b"}]', "line 2: not JSON"),
        ('[{"name":"a"}]\nrest', "line 2: .*behind the end"),
        ('{"frames": [{"name":"a"}]\n', "line 2: .*found the end"),
        ("", "line 1: .*empty"),
        (b'[{"name":"a\xff"}]', "not UTF-8"),
        ('[\n{"name":"a","size":{"height":"x","width":3}}]', "line 2: frame a: size is"),
        ('[\n{"name":"a","size":{"height":0,"width":0}}]', "line 2: frame a: size is"),
        ('[\n{"name":"a","attributes":[1],"labels":[]}]', "line 2: frame a: attributes"),
    ],
)
def test_scalabel_faults(tmp_path, monkeypatch, chunk, text, message):
    monkeypatch.setattr(label_io, "CHUNK", chunk)
    with pytest.raises(LabelError, match=rf"a\.json, .*{message}"):
        frames_of(text, tmp_path / "a.json")


def test_scalabel_keys_behind_the_frames_and_a_byte_order_mark(tmp_path):
    text = '\ufeff{"frames": [{"name": "a"}],\n"config": {"x": [1]}, "groups": null}'
    assert [frame.name for frame in frames_of(text, tmp_path / "a.json")] == ["a.jpg"]
    assert frames_of('{"frames": []}', tmp_path / "b.json") == []


@pytest.mark.parametrize("faulty", [False, True])
def test_streaming_keeps_a_chunk_only(tmp_path, monkeypatch, faulty):
    """Also where the beginning is at fault: the rest must not be read to find that out."""
    monkeypatch.setattr(label_io, "CHUNK", 1 << 14)
    path = tmp_path / "a.json"
    text = json.dumps([{"name": str(i), "text": "x" * 200} for i in range(10_000)])
    path.write_text(text.replace('"text"', "}", 1) if faulty else text)
    tracemalloc.start()
    try:
        if faulty:
            with pytest.raises(LabelError, match="line 1: not JSON"):
                list(label_io.stream_objects(path, "frames"))
        else:
            assert sum(1 for _ in label_io.stream_objects(path, "frames")) == 10_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300_000


@pytest.mark.parametrize("leg", [0, 1, 2])
def test_bezier_steps_are_short_however_uneven_the_controls(leg):
    controls = np.cumsum([[0, 0], *([300 if i == leg else 1, 0] for i in range(3))], axis=0)
    (curve,) = flatten([{"vertices": controls.tolist(), "types": "LCCC"}], [])
    assert np.hypot(*np.diff(curve, axis=0).T).max() <= 2


def test_culane_without_any_label_is_named(tmp_path):
    with pytest.raises(LabelError, match=r"there is none of list/train_gt\.txt"):
        list(formats.read("culane", tmp_path))
    (tmp_path / "a.lines.txt").write_bytes(b"1 2\n3 \xff")
    with pytest.raises(LabelError, match=r"a\.lines\.txt, line 2: .*not UTF-8"):
        list(formats.read("culane", tmp_path))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tusimple", "label_data_1.json"),
        ("culane", "list/train.txt"),
        ("curvelanes", "train.txt"),
        ("native", "frames.jsonl"),
    ],
)
def test_lines_that_are_no_text_are_named(tmp_path, name, file):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\xff\n")
    with pytest.raises(LabelError, match=r"line 1: .*(utf-8|UTF-8)"):
        list(formats.read(name, path) if name != "native" else native.read(path))


@pytest.mark.parametrize(
    ("names", "label", "message"),
    [
        ("{a: road}", b"", r"data\.yaml: expected `names`"),
        ("[road]", b"\n0 0 0 \xff", r"a\.txt, line 2: .*not UTF-8"),
        ("[road]", "\u00b2 0 0 1 0 1 1".encode(), r"a\.txt, line 1: class is"),
    ],
)
def test_yolo_faults(tmp_path, names, label, message):
    (tmp_path / "data.yaml").write_text(f"names: {names}\n")
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images/a.jpg"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "labels/a.txt").write_bytes(label)
    with pytest.raises(LabelError, match=message):
        list(formats.read("yolo", tmp_path))
