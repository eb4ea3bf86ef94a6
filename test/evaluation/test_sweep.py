# SPDX-License-Identifier: Apache-2.0
"""Scores by viewpoint: crops and cameras show what they say, and nothing is scored unseen."""

import json
from dataclasses import replace

import numpy as np
import pytest
from labelled_set import write_set
from missing_libraries import hide
from tiny_model import write_models

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.evaluation import sweep
from shared_encoder_perception.evaluation.labelled_images import open_set
from shared_encoder_perception.evaluation.sweep import (
    HORIZONS,
    SCALES,
    VIEWPOINTS,
    Viewpoint,
    crop_at,
    grid,
    horizons,
    table,
)
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.lanes.labelling.horizon import horizon_row
from shared_encoder_perception.world.synthetic import Drive

PLAIN = Crop(0, 208, 1280, 512)
ROOM = tasks.part("lanes", "labels")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("viewpoint", VIEWPOINTS)
def test_a_crop_shows_the_horizon_where_it_should_or_there_is_none(viewpoint):
    crop = crop_at(viewpoint, PLAIN, 237.0, (720, 1280))
    if viewpoint.scale < 1:
        assert crop is None  # wider than the picture
        return
    if crop is None:
        assert 237 - viewpoint.horizon * 512 / viewpoint.scale + 512 / viewpoint.scale > 719
        return
    assert (237.0 - crop.y) / crop.height == pytest.approx(viewpoint.horizon, abs=0.002)
    assert PLAIN.width / crop.width == pytest.approx(viewpoint.scale, abs=0.002)
    assert crop.x + crop.width / 2 == pytest.approx(640, abs=1)


@pytest.mark.parametrize("viewpoint", [(0.02, 1.6), (0.2, 1.0), (0.45, 0.6)])
def test_a_world_is_seen_from_the_viewpoint(viewpoint):
    camera = Drive(7).world.camera
    moved = camera.moved(*viewpoint)
    assert moved.horizon_px == pytest.approx(viewpoint[0] * 320, abs=0.2)
    assert moved.focal_px == pytest.approx(camera.focal_px * viewpoint[1])
    same = camera.moved(camera.horizon_px / 320, 1.0)
    assert same.centre_px == pytest.approx(camera.centre_px, abs=1e-6)
    assert replace(same, centre_px=camera.centre_px) == camera


def test_labels_tell_where_the_horizon_is():
    """Of most worlds: lines meet elsewhere where a road bends or climbs right ahead."""
    found = []
    for seed in range(40):
        drive = Drive(seed)
        row = ROOM.horizon_px(ROOM.of_world(drive.render(0.0)))
        if row is not None:
            found.append(abs(row - drive.world.camera.horizon_px))
    assert len(found) >= 20 and np.median(found) < 8


@pytest.mark.parametrize("bend", [0.0, 3e4])
def test_lines_meet_in_the_row_in_which_they_were_drawn(bend):
    """However the road bends: parallel lines bend alike."""
    y = np.arange(700.0, 300, -10)
    lines = [
        np.stack((400 + slope * (y - 237) + bend / (y - 237), y), axis=1)
        for slope in (-1.5, -0.2, 0.9)
    ]
    assert horizon_row(lines) == pytest.approx(237, abs=1e-6)
    assert horizon_row([lines[0][5:], lines[1][:-8]]) == pytest.approx(237, abs=1e-6)
    assert horizon_row(lines[:1]) is None
    assert horizon_row([lines[0], lines[0] + (5, 0)]) is None  # parallel in the picture
    assert horizon_row([lines[0][:2], lines[1][2:]]) is None  # never beside each other


def test_worlds_are_swept_by_the_command(models, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    command = ["evaluate", "--synthetic", "1", "--sweep", "--model", str(models.tiny)]
    assert main([*command, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    rows = json.loads((tmp_path / "sweep.json").read_text())["viewpoints"]
    assert [(row["horizon"], row["scale"]) for row in rows] == [tuple(v) for v in VIEWPOINTS]
    assert {row["images"] for row in rows} == {1}
    assert "mask_iou: horizon down, scale across" in out and "45%" in out
    assert (tmp_path / "sweep.png").stat().st_size > 10_000


def test_without_matplotlib_there_are_tables_only(models, tmp_path, monkeypatch, capsys):
    hide(monkeypatch, "matplotlib")
    monkeypatch.setattr(sweep, "VIEWPOINTS", VIEWPOINTS[:2])
    command = ["evaluate", "--synthetic", "1", "--sweep", "--model", str(models.tiny)]
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "sweep.png").exists()


def test_sources_without_a_horizon_are_named_and_left_out(models, tmp_path, capsys):
    road = write_set(tmp_path / "set", 2)
    lines = [json.loads(line) for line in (road / "frames.jsonl").read_text().splitlines()]
    for line in lines:
        line["lanes"] = {}
        line["source"] = "town"
    (road / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert horizons(open_set(road)) == {}
    command = ["evaluate", "--labels", str(road), "--sweep", "--model", str(models.tiny)]
    assert main(command) == 2
    said = capsys.readouterr()
    assert "left out: town" in said.out and "no picture can be seen" in said.err


@pytest.mark.parametrize("option", ["--worst", "--reliability"])
def test_what_a_sweep_does_not_draw_is_refused(models, tmp_path, option, capsys):
    command = ["evaluate", "--synthetic", "1", "--sweep", option, str(tmp_path / "picture.png")]
    assert main([*command, "--model", str(models.tiny)]) == 2
    assert "--sweep" in capsys.readouterr().err


def test_what_was_not_seen_is_no_number():
    rows = [{"horizon": 0.1, "scale": 1.0, "images": 1, "scores": {"a": 0.25, "b": None}}]
    values = grid(rows, "a")
    assert values[HORIZONS.index(0.1), SCALES.index(1.0)] == 0.25
    assert np.isnan(values).sum() == len(VIEWPOINTS) - 1 and np.isnan(grid(rows, "b")).all()
    assert table(rows, "a").count("0.250") == 1
    assert Viewpoint(0.1, 1.0) in VIEWPOINTS
