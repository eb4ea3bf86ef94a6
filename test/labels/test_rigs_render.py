# SPDX-License-Identifier: Apache-2.0
"""Rendered rigs on disk: the same whether alone, by several processes, or in two runs."""

import argparse
import json

import cv2
import numpy as np
import pytest
from rig_sets import rig

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.rigs import render
from shared_encoder_perception.labels.rigs.native import RigSet, read_records, read_rigs
from shared_encoder_perception.labels.rigs.render import JPG, PNG, Options, make
from shared_encoder_perception.labels.rigs.view import view_record
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.world.rigs.dice_rig import four_cameras

SMALL = ("--size", "48", "96", "--pictures", "png")


def rendered(out, *more, count=2):
    args = ["dataset", "render", "--rig", "four", "--count", str(count), "--out", str(out)]
    return main([*args, *SMALL, *more])


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_on_disk_is_what_was_rendered(tmp_path):
    assert rendered(tmp_path, "--seed", "5") == 0
    one, other = read_rigs(tmp_path)
    assert (one.name, other.name) == ("000000005", "000000006")
    cameras = four_cameras((48, 96))
    frame, pictures = make(5, cameras, Options("four", (48, 96), PNG))
    assert one.rig.names == cameras.names
    assert one.label.objects == pytest.approx(frame.label.objects)
    assert np.array_equal(one.label.drivable.values, frame.label.drivable.values)
    assert np.array_equal(one.label.in_view.values, frame.label.in_view.values)
    assert one.label.in_view.grid == frame.label.in_view.grid
    for name in cameras.names:
        buffer = np.frombuffer(pictures[name].content, np.uint8)
        assert np.array_equal(one.images[name], cv2.imdecode(buffer, cv2.IMREAD_COLOR))
        view, again = cameras[name].view, one.rig[name].view
        assert np.array_equal(again.extrinsics.rotation, view.extrinsics.rotation)
        assert np.array_equal(again.camera.matrix, view.camera.matrix)
    assert main(["dataset", "validate", str(tmp_path)]) == 0


def test_several_processes_write_what_one_writes(tmp_path):
    assert rendered(tmp_path / "one", count=3) == 0
    assert rendered(tmp_path / "two", "--workers", "2", count=3) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_run_that_broke_off_goes_on(tmp_path, monkeypatch):
    assert rendered(tmp_path / "whole", count=3) == 0
    asked, real = [], make

    def broken(seed, *rest):
        asked.append(seed)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(seed, *rest)

    monkeypatch.setattr(render, "make", broken)
    with pytest.raises(KeyboardInterrupt):
        render.run(_args(tmp_path / "set", 3))
    assert not (tmp_path / "set/rigs.jsonl").exists()
    render.run(_args(tmp_path / "set", 3))
    assert asked == [0, 1, 2, 2]
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def _args(out, count):
    parser = argparse.ArgumentParser()
    parser.set_defaults(traffic=None, seed=None, tasks=None, composites=None, fold="", out=out)
    parser.set_defaults(count=count)
    render.add_arguments(parser)
    return parser.parse_args(["--rig", "four", *SMALL])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--traffic", "0.5"), "was begun with"),
        (("--seed", "7"), "holds 1 moments of other seeds, such as 000000000"),
    ],
)
def test_another_question_does_not_go_on_with_a_run(tmp_path, monkeypatch, capsys, more, message):
    def broken(seed, *rest):
        if seed == 1:
            raise KeyboardInterrupt
        return make(seed, *rest)

    monkeypatch.setattr(render, "make", broken)
    with pytest.raises(KeyboardInterrupt):
        render.run(_args(tmp_path, 2))
    part = (tmp_path / "rigs.jsonl.part").read_bytes()
    assert rendered(tmp_path, *more) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "rigs.jsonl.part").read_bytes() == part


def test_random_rigs_differ_and_a_rig_of_ones_own_is_kept(tmp_path):
    base = ["dataset", "render", "--count", "3", "--seed", "1"]
    assert main([*base, "--rig", "random", *SMALL, "--out", str(tmp_path / "random")]) == 0
    records = list(read_records(tmp_path / "random"))
    poses = {tuple(one.rig.cameras[0].view.position.tolist()) for one in records}
    assert len(poses) == 3
    write_rig(tmp_path / "rig.yaml", RigFile.of(rig()))
    own = str(tmp_path / "rig.yaml")
    assert main([*base, "--rig", own, "--out", str(tmp_path / "own"), "--count", "1"]) == 0
    (record,) = RigSet(tmp_path / "own")
    assert record.rig.names == rig().names
    assert {path.suffix for path in record.pictures.values()} == {JPG}
    for name in rig().names:
        found, asked = record.rig[name].view, rig()[name].view
        assert found.extrinsics.rotation == pytest.approx(asked.extrinsics.rotation, abs=1e-9)
        assert found.camera.distortion == pytest.approx(asked.camera.distortion)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--rig", "five"), "expected four, random or a rig.yaml"),
        (("--rig", "four", "--size", "4", "4"), "--size is"),
        (("--rig", "four", "--workers", "0"), "--workers is 0"),
        (("--rig", "four", "--traffic", "2"), "--traffic is 2"),
        (("--rig", "four", "--seed", "-1"), "seeds must lie in"),
        (("--rig", "four", "--count", "0"), "--count is 0"),
        (("--rig", "four", "--tasks", "lanes"), "--tasks is for single pictures"),
        (("--size", "48", "96"), "--size is for --rig"),
        (("--workers", "2"), "--workers is for --rig"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, capsys, args, message):
    assert main(["dataset", "render", "--out", str(tmp_path / "set"), *args]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_stats_and_view_show_a_set(tmp_path, capsys):
    assert rendered(tmp_path / "set") == 0
    assert main(["dataset", "stats", str(tmp_path / "set")]) == 0
    text = capsys.readouterr().out
    assert "2 moments, 8 pictures, 2 maps of the ground" in text
    assert "cameras front, left, rear, right: 2" in text
    values = [one.label().in_view.values for one in RigSet(tmp_path / "set")]
    hidden = np.mean(np.concatenate([one[one != NOT_KNOWN] for one in values]) == NO)
    assert f"hidden {hidden:.1%}" in text
    total = sum(len(one.objects) for one in read_records(tmp_path / "set"))
    rows = [
        row.split() for row in text.splitlines() if row.startswith(("vehicle", "person", "two_"))
    ]
    assert sum(int(number) for row in rows for number in row[1:6]) == total
    sheet = tmp_path / "sheet.png"
    assert (
        main(["dataset", "view", str(tmp_path / "set"), "--out", str(sheet), "--count", "1"]) == 0
    )
    one = cv2.imread(str(sheet))
    assert main(["dataset", "view", str(tmp_path / "set"), "--out", str(sheet)]) == 0
    assert cv2.imread(str(sheet)).shape[0] == 2 * one.shape[0]
    assert main(["dataset", "view", str(tmp_path / "set"), "--out", str(sheet), "--name", "x"]) == 2
    assert "no moment whose name contains 'x'" in capsys.readouterr().err


def test_an_older_set_is_read_and_shown_and_what_is_hidden_is_darker(tmp_path):
    assert rendered(tmp_path, "--seed", "14", "--traffic", "1", count=1) == 0
    raw = json.loads((tmp_path / "rigs.jsonl").read_text())
    shown = view_record(RigSet(tmp_path)[0]).astype(int)
    del raw["in_view"]
    (tmp_path / "rigs.jsonl").write_text(json.dumps(raw) + "\n")
    (older,) = RigSet(tmp_path)
    assert older.label().in_view is None and older.label().drivable is not None
    changed = view_record(older).astype(int) - shown
    assert (changed[-300:, 300:] >= 0).all() and (changed[-300:, 300:] > 10).mean() > 0.05


def test_merge_says_that_it_takes_no_rigs_and_writes_nothing(tmp_path, capsys):
    assert rendered(tmp_path / "rigs", count=1) == 0
    out = tmp_path / "all"
    assert main(["dataset", "merge", str(tmp_path / "rigs"), "--out", str(out)]) == 2
    assert "is a set of rigs" in capsys.readouterr().err
    assert not out.exists()


def test_options_are_kept_beside_the_set(tmp_path):
    assert rendered(tmp_path) == 0
    assert json.loads((tmp_path / "render.json").read_text()) == {
        "rig": "four",
        "size": [48, 96],
        "pictures": PNG,
        "traffic": None,
    }
