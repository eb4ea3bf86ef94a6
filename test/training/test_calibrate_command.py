# SPDX-License-Identifier: Apache-2.0
"""Calibrating an artifact again, as a person would."""

from collections import Counter
from dataclasses import replace

import onnx
import pytest
from labelled_set import write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.training import calibrated_artifact
from shared_encoder_perception.training.held_out import held_out_frames

WORLDS = ["--worlds", "40"]


def calibrate(model, out, *options):
    return main(["calibrate", str(model), "--out", str(out), "--version", "9", *options])


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    out = tmp_path_factory.mktemp("calibrated") / "once.onnx"
    assert calibrate(DEFAULT_MODEL, out, *WORLDS) == 0
    return out


def test_only_the_calibration_changes(once):
    before, after = onnx.load(DEFAULT_MODEL), onnx.load(once)
    assert before.graph == after.graph
    old, new = load_backend(DEFAULT_MODEL).spec, load_backend(once).spec
    assert new.version == "9" and new.scores and new.scores != old.scores
    fitted = {
        "lanes": ("lane_calibration", "lane_thresholds", "keypoint_threshold"),
        "drivable_surface": ("mask_temperature", "mask_bias", "mask_threshold"),
    }
    for name, keys in fitted.items():
        before, after = old.tasks[name], new.tasks[name]
        assert after != before
        assert replace(before, **{key: getattr(after, key) for key in keys}) == after
    assert replace(old, version="9", scores=new.scores, tasks=new.tasks) == new


def test_what_was_fitted_before_has_no_part_in_it(once, tmp_path):
    assert calibrate(once, tmp_path / "twice.onnx", *WORLDS) == 0
    assert load_backend(tmp_path / "twice.onnx").spec == load_backend(once).spec


def test_the_model_itself_is_not_overwritten(once, capsys):
    before = once.read_bytes()
    assert calibrate(once, once, *WORLDS) == 2
    assert "expected another .onnx file than the model" in capsys.readouterr().err
    assert once.read_bytes() == before


@pytest.mark.parametrize("name", ["text.onnx", "missing.onnx", "model.pt"])
def test_what_is_no_artifact_is_refused(name, tmp_path, capsys):
    if name != "missing.onnx":
        (tmp_path / name).write_text("no model")
    assert calibrate(tmp_path / name, tmp_path / "out.onnx", *WORLDS) == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_an_interrupted_one_leaves_what_was_there(once, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrated_artifact, "collect_events", interrupted)
    out = tmp_path / "out.onnx"
    assert calibrate(once, out, *WORLDS) == 130
    assert not list(tmp_path.iterdir())
    out.write_text("an earlier one")
    assert calibrate(once, out, *WORLDS) == 130
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an earlier one"]


def test_all_frames_of_a_set_nobody_trained_on_count(once, tmp_path, capsys):
    write_set(tmp_path / "data", 30)
    held_out = ["--worlds", "16", "--held-out", str(tmp_path / "data")]
    counts = []
    for options in ([], ["--all-frames"]):
        assert calibrate(once, tmp_path / "out.onnx", *held_out, *options) == 0
        ego = capsys.readouterr().out.splitlines()[0].split()
        counts.append(int(ego[1]))
    assert ego[0] == "ego" and 0 < counts[0] < counts[1]


def test_several_sets_count_each_with_its_own_sources(once, tmp_path, capsys):
    sets = [write_set(tmp_path / name, 30, source=name) for name in ("road", "town")]
    counts = {
        names: Counter(
            source for source, _, _ in held_out_frames(sets, list(names), (64, 160), fold="")
        )
        for names in ((), ("road",), ("town",), ("town", "road"))
    }
    both = counts[()]
    assert set(both) == {"road", "town"} and both == counts[("town", "road")]
    assert both == counts[("road",)] + counts[("town",)]
    paths = ["--held-out", *map(str, sets)]
    assert calibrate(once, tmp_path / "other.onnx", *WORLDS, *paths, "--sources", "sea") == 2
    said = capsys.readouterr().err
    assert "--sources names sea, which no set of --held-out has: they have road, town" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--worlds", "0"], "--worlds is 0"),
        (["--all-frames"], "of --held-out, which is not given"),
        (["--sources", "road"], "--held-out, which is not given"),
    ],
)
def test_what_makes_no_sense_is_refused(once, tmp_path, capsys, options, said):
    assert calibrate(once, tmp_path / "out.onnx", *options) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
