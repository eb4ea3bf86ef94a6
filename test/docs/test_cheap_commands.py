# SPDX-License-Identifier: Apache-2.0
"""Commands of the pages that are quick, and that no other test runs: each as a reader would."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from doc_pages import ROOT
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.adapt import rendered_drive


def test_an_engine_is_built_into_a_cache_and_found_there(tmp_path, capsys):
    pytest.importorskip("openvino", reason="the backend openvino needs it")
    model, cache = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "cache"
    arguments = ["build", "--model", str(model), "--backend", "openvino", "--cache", str(cache)]
    assert main(arguments) == 0
    assert any(cache.rglob("*")), capsys.readouterr().out


def test_a_sheet_of_worlds_depends_on_the_seed_alone(tmp_path):
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    pictures = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        out = tmp_path / f"{name}.png"
        assert main(["sheet", "--out", str(out), "--seed", str(seed), "--count", "1"]) == 0
        pictures.append(cv2.imread(str(out)))
    first, again, other = pictures
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_networks_with_residual_blocks_and_classes_are_listed(capsys):
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    network = ["--encoder", "test_resnet", "--architecture", "unet", "--residual"]
    asked = ["--tasks", "semantic", "--classes", "3", "--size", "64", "96", "--threads", "1"]
    assert main(["models", *network, *asked, "--rounds", "1"]) == 0
    rows = capsys.readouterr().out
    assert rows.count("| unet") == 2 and "residual" in rows


def test_runs_of_several_seeds_become_a_page(tmp_path, capsys, monkeypatch):
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    monkeypatch.syspath_prepend(ROOT / "test" / "continual")
    from learned_runs import sequence

    from shared_encoder_perception.continual.matrix import write_matrix

    for strategy in ("naive", "replay"):
        for seed in (0, 1):
            folder = tmp_path / "runs" / f"{strategy}{seed}"
            folder.mkdir(parents=True)
            write_matrix(sequence(strategy, seed, 0.8), folder)
    out = tmp_path / "comparison.html"
    assert main(["continual", "--compare", str(tmp_path / "runs"), "--out", str(out)]) == 0
    assert "naive" in capsys.readouterr().out and "replay" in out.read_text()


def test_a_drive_beside_the_road_is_rendered(tmp_path, monkeypatch, capsys):
    options = ["--seed", "102", "--beside", "2", "--metres", "4", "--later", "1"]
    monkeypatch.setattr(sys, "argv", ["rendered_drive", str(tmp_path / "bad"), *options])
    assert rendered_drive.main() == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(told) == {"bag", "later"}
    assert (tmp_path / "bad" / "drive" / "metadata.yaml").is_file()
