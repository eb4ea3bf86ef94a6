# SPDX-License-Identifier: Apache-2.0
"""Composites in training: made when they are seen, of an index, in no order."""

import json
import pickle
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from cutouts import write_index

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.labels.composites.fold import Composites
from shared_encoder_perception.training.composite_set import FEW, CompositeSet
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.data import training_stream
from shared_encoder_perception.training.data_config import FOLDS, OF_COMPOSITES, DataConfig
from shared_encoder_perception.training.data_config import SetConfig as Config
from shared_encoder_perception.training.mixture import Mixture
from shared_encoder_perception.training.sets import (
    NativeSet,
    WorldSet,
    training_sets,
    validation_sets,
)
from shared_encoder_perception.training.train import train

SIZE = (64, 96)
PAIR = ("foreground",)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    root = tmp_path_factory.mktemp("composites")
    return write_index(root, backgrounds=12, things=16, held_out=0.3, places=4)


def test_the_path_says_which_kind_a_set_is(index):
    for path in (index, index.parent):
        config = DataConfig(
            train=[Config(str(path), fold="train"), Config()],
            val=[Config(str(path), fold="held_out", count=5), Config(count=2)],
        )
        sets = training_sets(config, 0, SIZE, 0, PAIR)
        assert [type(one) for one in sets] == [CompositeSet, WorldSet]
        val = validation_sets(config, sets, SIZE, PAIR)
        assert [len(one) for one in val] == [5, 2]
        assert len(sets[0]) == len(Composites(index, "train"))


@pytest.mark.parametrize("fold", FOLDS)
def test_a_sample_is_a_composite_of_its_fold(index, fold):
    samples = CompositeSet(Config(str(index), fold=fold), PAIR)
    sample, crop, source = samples[3]
    composites = Composites(index, fold)
    expected = composites.sample(composites.spread(3))
    assert (sample.name, crop) == (expected.name, None)
    np.testing.assert_array_equal(sample.image, expected.image)
    assert set(sample.labels) == set(PAIR)
    assert source == (f"composites_{fold}" if fold else "composites")
    with pytest.raises(IndexError):
        samples[len(samples)]


def test_what_a_run_remembers_of_it(index):
    samples = CompositeSet(Config(str(index), fold="held_out", count=7), PAIR)
    said = samples.description
    assert said["path"] == str(index) and said["fold"] == "held_out" and said["frames"] == 7
    assert len(said["sha256"]) == 64
    assert said["backgrounds"] == len(Composites(index, "held_out").backgrounds)
    json.dumps(said)
    assert list(samples.rare) == []


def test_only_those_who_ask_for_pairs_find_it_complete(index):
    config = Config(str(index), count=9)
    assert len(CompositeSet(config, PAIR).complete) == 9
    assert len(CompositeSet(config, ("lanes",)).complete) == 0
    assert len(CompositeSet(config).complete) == 0
    assert set(CompositeSet(config, ("lanes",))[0].sample.labels) == set()


def test_a_set_travels_between_processes(index):
    samples = pickle.loads(pickle.dumps(CompositeSet(Config(str(index)), PAIR)))
    np.testing.assert_array_equal(
        samples[5].sample.image, CompositeSet(Config(str(index)), PAIR)[5].sample.image
    )


def test_few_are_shuffled_anew_each_time_round_and_many_stand_in_no_order(tmp_path):
    few = CompositeSet(Config(str(write_index(tmp_path / "few")), count=50), PAIR)
    assert not few.in_no_order
    mixture = Mixture((few,), (1.0,), 0.0, (0, 0))
    turns = [tuple(mixture.draw(50 * turn + at)[1] for at in range(50)) for turn in range(3)]
    assert len(set(turns)) == 3 and all(sorted(turn) == list(range(50)) for turn in turns)
    many = CompositeSet(Config(str(write_index(tmp_path / "many", places=FEW))), PAIR)
    assert many.in_no_order and len(many) == 40 * FEW
    mixture = Mixture((many,), (1.0,), 0.0, (0, 0))
    drawn = [mixture.draw(at)[1] for at in range(5000)]
    assert len(set(drawn)) == 5000
    composites = Composites(tmp_path / "many")
    used = Counter(composites.parts(composites.spread(at))[:3] for at in drawn)
    assert len(used) == 4 * 5 * 2  # all of a thing's sides on all backgrounds
    assert max(used.values()) < 2 * min(used.values())


def test_memory_does_not_grow_with_the_number_of_composites(tmp_path):
    def most(places):
        path = write_index(tmp_path / str(places), places=places)
        tracemalloc.start()
        config = load_config(
            None,
            [
                f"data.train=[{{path: {path}}}]",
                "network.tasks=[foreground]",
                "stages=[{size: [64, 96], steps: 3, batch_size: 2}]",
            ],
        )
        sets = training_sets(config.data, 0, SIZE, 0, PAIR)
        batches = sum(1 for _ in training_stream(config, 0, sets))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return batches, peak

    most(2)  # whoever comes first pays for what is made once
    few, many = most(3), most(3_000_000)
    assert few[0] == many[0] == 3
    assert many[1] < few[1] + 500_000


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"fold": "held_out_background"}, "no backgrounds: the index holds out 0 of them"),
        ({"sources": ["city"]}, r"sources are \['city'\] for .*: composites have none"),
    ],
)
def test_what_an_index_has_not_is_said(tmp_path, config, message):
    path = write_index(tmp_path)
    with pytest.raises(ValueError, match=message):
        CompositeSet(Config(str(path), **config), PAIR)


APART = [
    ("train", "held_out"),
    ("train", "held_out_background"),
    ("train", "held_out_foreground"),
    ("held_out_foreground", "held_out"),
]
SAME = [("", ""), ("train", "train"), ("", "train"), ("train", ""), ("", "held_out")]


def opened(train, val):
    """Open both sides, each a path and a fold."""
    one, other = (Config(str(path), fold=fold, count=4) for path, fold in (train, val))
    config = DataConfig(train=[Config(), one], val=[Config(count=2), other])
    return validation_sets(config, training_sets(config, 0, SIZE, 0, PAIR), SIZE, PAIR)


@pytest.mark.parametrize("folds", [*APART, *SAME])
def test_nobody_is_scored_on_what_is_trained_on(index, folds):
    """Whether the index is given by itself or by its folder."""
    sides = tuple(zip((index, index.parent), folds, strict=True))
    if folds in APART:
        assert len(opened(*sides)) == 2
        return
    with pytest.raises(ValueError, match=r"data\.val would score on what data\.train") as error:
        opened(*sides)
    said = str(error.value)
    assert "cut-outs of " in said and "give data.train the fold 'train' and data.val one" in said


def test_other_indexes_of_the_same_pictures_are_no_other_pictures(index, tmp_path):
    other = write_index(tmp_path, backgrounds=12, things=16, held_out=0.0, seed=4)
    with pytest.raises(ValueError, match=r"data\.val would score on what data\.train trains on"):
        opened((index, "train"), (other, ""))


def test_who_holds_nothing_out_says_on_purpose_what_is_scored_on(tmp_path):
    path = write_index(tmp_path)
    assert len(opened((path, "train"), (path, ""))) == 2
    with pytest.raises(ValueError, match=r"the index held out nothing\. Make one with --held-out"):
        opened((path, ""), (path, ""))


def test_folds_of_composites_are_none_of_a_native_set(tmp_path):
    for fold in OF_COMPOSITES:
        with pytest.raises(ValueError, match=f"fold is '{fold}' for .*: that is for composites"):
            NativeSet(Config(str(tmp_path), fold=fold))
    with pytest.raises(ConfigError, match="fold is 'test', expected one of"):
        load_config(None, ["data.train=[{path: x, fold: test}]"])


def test_a_network_trains_on_an_index_and_is_scored_on_what_it_never_saw(index, tmp_path):
    """Three steps on tiny pictures; a run whose index has changed is not gone on with."""
    config = load_config(
        None,
        [
            f"out={tmp_path / 'run'}",
            f"network.encoder={ENCODER}",
            "network.channels=16",
            "network.head_channels=8",
            "network.tasks=[foreground]",
            "stages=[{size: [64, 96], steps: 3, learning_rate: 1.0e-3, batch_size: 2}]",
            f"data.train=[{{path: {index}, fold: train}}]",
            f"data.val=[{{path: {index}, fold: held_out, count: 4}}, "
            f"{{path: {index}, fold: held_out_background, count: 3}}]",
            *("machine.precision=32-true", "machine.accelerator=cpu", "machine.workers=0"),
        ],
    )
    train(config)
    out = tmp_path / "run"
    assert (out / "network.pt").is_file()
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    (last,) = [row for row in rows if row["kind"] == "val"][-1:]
    assert {"composites_held_out", "composites_held_out_background"} <= set(str(last).split("'"))
    (start,) = json.loads((out / "run.json").read_text())
    assert [one["frames"] for one in start["data"]["val"]] == [4, 3]
    assert start["data"]["train"][0]["fold"] == "train"
    whole = index.read_text()
    try:
        index.write_text(whole + "\n")
        with pytest.raises(ConfigError, match=r"compose\.json is not what it was when the run"):
            train(config)
    finally:
        index.write_text(whole)
