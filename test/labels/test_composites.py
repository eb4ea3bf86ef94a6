# SPDX-License-Identifier: Apache-2.0
"""Composites of cut-outs and backgrounds: an index of a few kilobytes, pairs made of numbers."""

import json
import os
import subprocess
import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import pytest
from cutouts import background, compose, cutout, write_index, write_pictures
from patience import PATIENCE_S

from shared_encoder_perception.labels.composites import fold as folds
from shared_encoder_perception.labels.composites.fold import Composites, Parts
from shared_encoder_perception.labels.composites.index import (
    FOLDS,
    is_index,
    read_index,
)
from shared_encoder_perception.labels.composites.index import (
    write_index as save,
)
from shared_encoder_perception.labels.composites.make import make_index
from shared_encoder_perception.labels.composites.pictures import place_of, thing_of
from shared_encoder_perception.tasks.foreground.labels import Label

CODE = """
import sys
from hashlib import sha256
from pathlib import Path
from shared_encoder_perception.labels.composites.fold import Composites
for number in (0, 7, 41, 100):
    for one in Composites(Path(sys.argv[1])).pair(number):
        print(sha256(one.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return write_index(tmp_path_factory.mktemp("composites"))


def names(files):
    return {file.name for file in files}


# ---- numbers ------------------------------------------------------------------------------------


# ---- pairs --------------------------------------------------------------------------------------


def test_the_same_number_is_the_same_pair_in_another_process(index):
    here = [
        sha256(one.tobytes()).hexdigest()
        for number in (0, 7, 41, 100)
        for one in Composites(index).pair(number)
    ]
    words = [sys.executable, "-c", CODE, str(index)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=PATIENCE_S, cwd=os.getcwd()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == here
    assert len(set(here)) == len(here)


def test_another_seed_is_another_pair(index, tmp_path):
    other = Composites(write_index(tmp_path, seed=1))
    pairs = Composites(index).pair(5), other.pair(5)
    assert not any(np.array_equal(a, b) for a, b in zip(*pairs, strict=True))


def test_a_pair_is_what_it_is_made_of(index):
    """Where the mask is, the picture is another than the background; elsewhere it is the same."""
    composites = Composites(index)
    inside, outside = [], []
    for number in range(0, len(composites), 7):
        image, before, mask = composites.pair(number)
        assert image.shape == before.shape == (*mask.shape, 3)
        assert image.dtype == before.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
        light = (image.mean((0, 1)) - before.mean((0, 1)))[None, None]
        difference = np.abs(image.astype(float) - before - light).mean(2)
        if (mask == 255).any():
            inside.append(difference[mask == 255].mean())
            outside.append(np.median(difference[mask == 0]))
    assert len(inside) > 10
    assert np.mean(inside) > 2.5 * np.mean(outside)


def test_some_share_has_nothing_pasted(tmp_path):
    composites = Composites(write_index(tmp_path, empty=0.3, places=20))
    empty = [not composites.pair(composites.spread(at)).mask.any() for at in range(300)]
    assert np.mean(empty) == pytest.approx(0.3, abs=0.08)
    none = Composites(write_index(tmp_path / "none", empty=0.0, places=20))
    assert all(none.pair(none.spread(at)).mask.any() for at in range(100))


def test_the_mask_is_the_alpha_of_what_is_pasted(tmp_path, monkeypatch):
    """And the mirrored composite shows the mirror image of the cut-out."""
    shown = []
    monkeypatch.setattr(folds, "paste", lambda place, thing, at: shown.append((thing, at)) or real)
    composites = Composites(write_index(tmp_path, empty=0.0))
    real = (background(0), np.ones((96, 160), bool))
    for mirrored in (False, True):
        composites.pair(composites.number(Parts(1, 2, mirrored, 0)))
    (thing, at), (same, turned) = shown
    np.testing.assert_array_equal(thing.alpha, same.alpha)
    assert (at.mirrored, turned.mirrored) == (False, True)
    pixels = cutout(2)
    rows, columns = np.nonzero(pixels[..., 3])
    cut = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_array_equal(thing.alpha, cut[..., 3])
    np.testing.assert_array_equal(thing.colour, cut[..., :3])


def test_a_composite_has_a_label_of_the_foreground_alone(index):
    sample = Composites(index).sample(3)
    assert set(sample.labels) == {"foreground"}
    label = sample.labels["foreground"]
    assert isinstance(label, Label)
    pair = Composites(index).pair(3)
    np.testing.assert_array_equal(label.mask, pair.mask)
    np.testing.assert_array_equal(label.background, pair.background)
    np.testing.assert_array_equal(sample.image, pair.image)
    assert sample.name == f"{index}, composite 3"


def test_large_pictures_are_made_smaller_and_small_ones_refused():
    content = cv2.imencode(".png", np.zeros((1000, 4000, 3), np.uint8))[1].tobytes()
    assert place_of(content).shape == (320, 1280, 3)
    pixels = np.zeros((3000, 3000, 4), np.uint8)
    pixels[200:2700, 100:600] = 255
    assert thing_of(cv2.imencode(".png", pixels)[1].tobytes()).alpha.shape == (1280, 256)


def test_sixteen_bits_become_eight_and_a_palette_is_looked_up():
    wide = cutout(0).astype(np.uint16) << 8
    content = cv2.imencode(".png", wide)[1].tobytes()
    plain = thing_of(cv2.imencode(".png", cutout(0))[1].tobytes())
    np.testing.assert_array_equal(thing_of(content).alpha, plain.alpha)
    np.testing.assert_array_equal(thing_of(content).colour, plain.colour)


# ---- who is held out ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return write_index(tmp_path_factory.mktemp("split"), backgrounds=12, things=16, held_out=0.3)


def test_folds_share_neither_backgrounds_nor_cut_outs(split):
    train, held_out, new_place, new_thing = (Composites(split, fold) for fold in FOLDS)
    assert not names(train.backgrounds) & names(held_out.backgrounds)
    assert not names(train.foregrounds) & names(held_out.foregrounds)
    assert len(names(train.backgrounds) | names(held_out.backgrounds)) == 12
    assert len(names(train.foregrounds) | names(held_out.foregrounds)) == 16
    assert new_place.backgrounds == held_out.backgrounds
    assert new_place.foregrounds == train.foregrounds
    assert new_thing.backgrounds == train.backgrounds
    assert new_thing.foregrounds == held_out.foregrounds
    whole = Composites(split)
    assert len(whole) == sum(map(len, (train, held_out, new_place, new_thing)))


def test_more_files_move_none_to_another_fold_and_change_no_pair(tmp_path, split):
    """Neither do other names, nor the order in which they come."""
    before = Composites(split, "train")
    more = Composites(
        write_index(tmp_path, backgrounds=20, things=20, held_out=0.3),
        "train",
    )
    assert names(before.backgrounds) < names(more.backgrounds)
    assert names(before.foregrounds) < names(more.foregrounds)
    middle = len(before) // 2
    parts = before.parts(middle)
    place, thing = before.backgrounds[parts.background], before.foregrounds[parts.thing]
    moved = parts._replace(
        background=more.backgrounds.index(place), thing=more.foregrounds.index(thing)
    )
    number = more.number(moved)
    assert number != middle
    for one, other in zip(before.pair(middle), more.pair(number), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_larger_share_keeps_who_is_held_out(split):
    index = read_index(split)
    few, many = (names(index.backgrounds.split(share, True)) for share in (0.3, 0.6))
    assert few < many
    shares = [index.backgrounds.split(share, True) for share in (0.0, 1.0)]
    assert shares == [(), index.backgrounds.files]


def test_a_split_that_leaves_nothing_is_refused(tmp_path, split, capsys):
    write_pictures(tmp_path, 2, 3)
    assert compose(tmp_path, "--held-out", "0.001") == 2
    said = capsys.readouterr().err
    assert "of 2 backgrounds 0 would be held out by a share of 0.001" in said
    assert "give more of them" in said
    assert not (tmp_path / "out").exists()
    index = write_index(tmp_path / "none", held_out=0.0)
    with pytest.raises(
        ValueError, match=r"'held_out' has no backgrounds: the index holds out 0 of"
    ):
        Composites(index, "held_out")
    with pytest.raises(ValueError, match=r"no fold 'test', expected one of \['train', "):
        Composites(split, "test")


# ---- the index ----------------------------------------------------------------------------------


def test_an_index_read_again_is_the_same(split, tmp_path):
    index = read_index(split)
    assert is_index(split) and is_index(split.parent) and not is_index(tmp_path)
    assert index.backgrounds.folder == "places"
    size = save(tmp_path / "again.json", index)
    assert read_index(tmp_path / "again.json") == index
    assert size == (tmp_path / "again.json").stat().st_size
    assert json.loads(split.read_text())["version"] == 1


def test_eight_hundred_thousand_composites_are_a_few_kilobytes(tmp_path, capsys):
    places, things = write_pictures(tmp_path, 100, 200)
    start = perf_counter()
    assert compose(tmp_path, "--mirror", "--held-out", "0.1") == 0
    assert perf_counter() - start < 60
    path = tmp_path / "out/compose.json"
    assert path.stat().st_size < 100_000
    said = capsys.readouterr().out
    composites = Composites(path)
    assert len(composites) == 800_000
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line[:1] in "th"}
    assert sum(int(rows[fold][2]) for fold in FOLDS) == 800_000
    assert int(rows["train"][0]) + int(rows["held_out"][0]) == 100
    assert int(rows["train"][1]) + int(rows["held_out"][1]) == 200
    assert "nothing is new in 10% of them" in said
    assert all(one.is_absolute() for one in map(Path, (index_folder(path))))
    assert places.is_dir() and things.is_dir()


def index_folder(path):
    index = read_index(path)
    return index.backgrounds.folder, index.foregrounds.folder


def test_memory_does_not_grow_with_the_number_of_composites(tmp_path):
    def peak(path):
        tracemalloc.start()
        composites = Composites(path)
        for at in range(20):
            composites.parts(composites.spread(at))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, len(composites)

    few, many = (
        peak(write_index(tmp_path / str(places), places=places)) for places in (1, 5_000_000)
    )
    assert many[1] == 5_000_000 * few[1]
    assert many[0] < few[0] + 200_000


def test_a_set_that_moves_with_its_index_is_found(index, tmp_path):
    write_index(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    pair = Composites(tmp_path / "b").pair(4)
    np.testing.assert_array_equal(pair.image, Composites(index).pair(4).image)


def test_copies_of_a_picture_count_once(tmp_path):
    places, things = write_pictures(tmp_path)
    (places / "again.png").write_bytes((places / "000.png").read_bytes())
    index = make_index(places, things, tmp_path / "compose.json", held_out=0.0)
    assert len(index.backgrounds.files) == 4
