# SPDX-License-Identifier: Apache-2.0
"""dataset render and evaluate on worlds of some places and weathers, and in other classes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.evaluation.labelled_images import render_worlds
from shared_encoder_perception.world.choice import Choice
from shared_encoder_perception.world.synthetic import render_sample

CLASSES = Path(__file__).parents[2] / "config/classes"
TASKS = ("--tasks", "semantic", "drivable_surface")
SEMANTIC = ("semantic",)


def render(out, *words):
    return main(["dataset", "render", "--count", "2", "--out", str(out), *words])


def lines_of(out):
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]


def plane(out, line, key):
    return cv2.imread(str(out / line[key]), cv2.IMREAD_UNCHANGED)


def test_a_set_is_of_the_worlds_that_were_asked_for(tmp_path):
    assert render(tmp_path, "--places", "town", "--weathers", "night", *TASKS) == 0
    for seed, line in enumerate(lines_of(tmp_path)):
        asked = render_sample(seed, tasks=SEMANTIC, choice=Choice(("town",), ("night",)))
        ids = plane(tmp_path, line, "classes")
        assert np.array_equal(ids, asked.labels["semantic"].ids)


def test_classes_become_those_of_another_table(tmp_path):
    mapping = CLASSES / "roads_of_world.json"
    render(tmp_path / "plain", *TASKS)
    assert render(tmp_path / "mapped", "--classes", str(mapping), *TASKS) == 0
    said = json.loads(mapping.read_text())
    numbers = {one["name"]: one["id"] for one in said["classes"]}
    for line, mapped in zip(
        lines_of(tmp_path / "plain"), lines_of(tmp_path / "mapped"), strict=True
    ):
        world = json.loads((tmp_path / "plain" / line["class_table"]).read_text())
        ids = plane(tmp_path / "plain", line, "classes")
        expected = np.full(ids.shape, 255, np.uint8)
        for one in world:
            if one["name"] in said["map"]:
                expected[ids == one["id"]] = numbers[said["map"][one["name"]]]
        assert np.array_equal(plane(tmp_path / "mapped", mapped, "classes"), expected)
        masks = [
            plane(tmp_path / name, one, "mask")
            for name, one in (("plain", line), ("mapped", mapped))
        ]
        assert np.array_equal(*masks)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--places", "twon"), "--places: there is no 'twon'; did you mean 'town'?"),
        (("--weathers", "hail"), "--weathers: there is no 'hail': expected some of sun"),
        (("--rig", "four", "--places", "town"), "--places is for worlds of single pictures"),
        (("--rig", "four", "--classes", "world"), "--classes is for single pictures"),
        (("--composites", "x", "--surfaces", "gravel"), "--surfaces is for worlds of single"),
        (("--composites", "x", "--classes", "world"), "--classes is for worlds"),
        (("--classes", "world", "--tasks", "depth"), "none of --tasks is about classes"),
        (("--classes", "pascal"), "there is no table of classes 'pascal'"),
    ],
)
def test_what_cannot_be_rendered_is_refused(tmp_path, words, message, capsys):
    assert render(tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out/frames.jsonl").exists()


def test_it_is_said_what_was_scored_on():
    choice = Choice(weathers=("night", "dusk"), surfaces=("gravel",))
    labelled = render_worlds(1, SEMANTIC, choice=choice)
    assert labelled.conditions["data"].endswith(", weathers: night, dusk, surfaces: gravel")
    assert "weathers" not in render_worlds(1, SEMANTIC).conditions["data"]


def test_what_is_scored_on_is_what_was_asked_for():
    plain, dark = (
        np.mean(
            [image.sample.image.mean() for image in render_worlds(6, SEMANTIC, choice=one).read()]
        )
        for one in (Choice(weathers=("sun",)), Choice(weathers=("night",)))
    )
    assert dark < 0.7 * plain


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--synthetic", "2", "--weathers", "nihgt"), "--weathers: there is no 'nihgt'; did you"),
        (("--synthetic", "2", "--sweep", "--places", "town"), "--surfaces are for --synthetic"),
        (("--labels", "nowhere", "--surfaces", "gravel"), "--surfaces are for --synthetic"),
        (("--synthetic-rigs", "2", "--places", "town"), "for worlds of single pictures, not rigs"),
    ],
)
def test_worlds_that_cannot_be_scored_on_are_refused(words, message, capsys):
    assert main(["evaluate", *words]) == 2
    assert message in capsys.readouterr().err
