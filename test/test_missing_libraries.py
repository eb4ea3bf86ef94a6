# SPDX-License-Identifier: Apache-2.0
"""What a command does not need may be missing; what it draws with, too: that is a warning."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import replay_bags
from labelled_set import write_set
from missing_libraries import hide
from replay_bags import drive
from tiny_model import random_image, write_models

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.drawing.pictures import write_picture

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder that, first on the path, takes away what only bags, videos and reports need."""
    folder = tmp_path_factory.mktemp("bare")
    for name in ("rosbags", "ruamel", "backports", "lz4", "av", "jinja2", "matplotlib"):
        (folder / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('No module named {name}', name={name!r})\n"
        )
    return folder


def predict(bare, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "shared_encoder_perception", "predict", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{bare}:{ROOT}", "PATH": ""},
    )


def test_a_folder_is_perceived_with_the_nodes_libraries_alone(models, bare, tmp_path):
    write_picture(tmp_path / "in" / "a.png", random_image(0))
    options = ("--model", models.tiny, "--sheet", "--overlay")
    result = predict(bare, "--input", tmp_path / "in", "--out", tmp_path / "out", *options)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "sheet.png").exists()


def test_a_bag_names_what_it_lacks_and_what_helps(models, bare, tmp_path):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(1))
    result = predict(bare, "--input", bag, "--out", tmp_path / "out", "--model", models.tiny)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "`predict` needs " in result.stderr
    assert "which is not installed: pip install 'rosbags>=0.11.9'" in result.stderr


def test_a_replay_without_what_draws_has_its_numbers(models, tmp_path, monkeypatch, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(2))
    hide(monkeypatch, "jinja2", "matplotlib", "av")
    command = ["replay", str(bag), "--out", str(tmp_path / "out"), "--model", str(models.tiny)]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert "warning: the report is left out: jinja2 and matplotlib are not installed" in told
    assert "warning: the video is left out: av is not installed: pip install 'av>=14'" in told
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"summary.json", "results.jsonl", "bag"} <= there
    assert not {"report.html", "overlay.mp4"} & there


def test_two_results_are_held_against_each_other_without_a_report(
    models, tmp_path, monkeypatch, capsys
):
    labels = write_set(tmp_path / "set", 2)
    hide(monkeypatch, "jinja2", "matplotlib")
    for side in "ab":
        given = ("--labels", str(labels), "--model", str(models.tiny))
        assert main(["evaluate", *given, "--out", str(tmp_path / side)]) == 0
    out = tmp_path / "diff"
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]) == 0
    assert "warning: the report is left out" in capsys.readouterr().err
    assert json.loads((out / "diff.json").read_text())
    assert not (out / "report.html").exists()


def test_a_set_is_counted_without_a_plot(tmp_path, monkeypatch, capsys):
    labels = write_set(tmp_path / "set", 2)
    hide(monkeypatch, "matplotlib")
    plot = tmp_path / "plot.png"
    assert main(["dataset", "stats", str(labels), "--out", str(plot)]) == 0
    printed = capsys.readouterr()
    assert "warning: the plot is left out: matplotlib is not installed" in printed.err
    assert "2" in printed.out and not plot.exists()


def test_a_chart_library_that_does_not_fit_numpy_is_a_warning_too(tmp_path, monkeypatch, capsys):
    """Ubuntu's matplotlib beside a numpy 2 that pip has brought: there, and not to be loaded."""
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("")
    (tmp_path / "matplotlib" / "figure.py").write_text(
        "raise ImportError('numpy.core.multiarray failed to import')"
    )
    hide(monkeypatch, "matplotlib")
    monkeypatch.delitem(sys.modules, "matplotlib")
    monkeypatch.syspath_prepend(str(tmp_path))
    labels = write_set(tmp_path / "set", 2)
    try:
        assert main(["dataset", "stats", str(labels), "--out", str(tmp_path / "plot.png")]) == 0
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
    assert "matplotlib was not built for numpy" in capsys.readouterr().err
