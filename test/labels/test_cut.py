# SPDX-License-Identifier: Apache-2.0
"""dataset cut: what is new in a set becomes cut-outs that compose takes."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.composites.cut import RIM_PX, things_of
from shared_encoder_perception.tasks.foreground.labels import Label

SIZE = (96, 160)


def labels_of(*boxes):
    mask = np.zeros(SIZE, np.uint8)
    for y, x, height, width in boxes:
        mask[y : y + height, x : x + width] = 255
    return {"foreground": Label(mask, np.zeros((*SIZE, 3), np.uint8))}


def picture():
    return np.random.default_rng(0).integers(60, 200, (*SIZE, 3)).astype(np.uint8)


def test_a_thing_is_cut_out_as_it_is():
    image = picture()
    (thing,) = things_of(image, labels_of((20, 30, 40, 24)), 30)
    assert thing.shape == (40 + 2 * RIM_PX, 24 + 2 * RIM_PX, 4)
    inner = np.s_[RIM_PX + 2 : -RIM_PX - 2, RIM_PX + 2 : -RIM_PX - 2]
    assert (thing[inner][:, :, 3] == 255).all()
    assert np.array_equal(thing[:, :, :3], image[18:62, 28:56])
    assert thing[0, 0, 3] == 0, "and nothing around it"


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        (((20, 30, 40, 24), (20, 80, 40, 24)), 2),
        (((20, 30, 20, 24),), 0),  # too small
        (((20, 30, 40, 7),), 0),  # too narrow for compose
        (((0, 30, 40, 24),), 0),  # goes on above
        (((56, 30, 40, 24),), 0),  # goes on below
        (((20, 0, 40, 24),), 0),
        (((20, 136, 40, 24),), 0),
        ((), 0),
    ],
)
def test_what_is_whole_and_large_enough_is_cut(boxes, count):
    assert len(list(things_of(picture(), labels_of(*boxes), 30))) == count


def test_what_is_as_dark_as_the_night_is_left_out():
    assert not list(things_of(picture() // 20, labels_of((20, 30, 40, 24)), 30))


def test_traffic_of_worlds_becomes_pairs_on_other_pictures(tmp_path, capsys):
    worlds, things, places = (tmp_path / name for name in ("worlds", "things", "places"))
    render = ["dataset", "render", "--traffic", "1", "--tasks", "foreground", "--count", "6"]
    assert main([*render, "--out", str(worlds)]) == 0
    assert main(["dataset", "cut", str(worlds), "--out", str(things), "--least", "20"]) == 0
    assert "cut-outs" in capsys.readouterr().out
    assert sorted(things.rglob("*.png"))
    places.mkdir()
    cv2.imwrite(str(places / "a.png"), picture())
    compose = ["dataset", "compose", "--backgrounds", str(places), "--foregrounds", str(things)]
    assert main([*compose, "--held-out", "0", "--out", str(tmp_path / "pairs")]) == 0


def test_a_set_without_anything_new_is_refused(tmp_path, capsys):
    worlds = tmp_path / "worlds"
    assert main(["dataset", "render", "--count", "1", "--out", str(worlds)]) == 0
    assert main(["dataset", "cut", str(worlds), "--out", str(tmp_path / "things")]) == 2
    assert "expected labels with foreground" in capsys.readouterr().err
