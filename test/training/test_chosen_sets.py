# SPDX-License-Identifier: Apache-2.0
"""Sets of worlds of some places and weathers: what is trained and tested on, and who refuses."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.continual.load import load_sequence
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.data_config import DataConfig, SetConfig
from shared_encoder_perception.training.rig_set import training_rigs, validation_rigs
from shared_encoder_perception.training.sets import training_sets, validation_sets
from shared_encoder_perception.world.choice import Choice
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED, render_sample

SIZE = (64, 160)
NAMES = ("semantic",)
CONFIGS = Path(__file__).parents[2] / "config/training"
TOWN_AT_NIGHT = SetConfig(count=3, places=["town"], weathers=["night"])


def test_a_set_renders_what_it_was_asked_for():
    (worlds,) = training_sets(DataConfig(train=[TOWN_AT_NIGHT]), 0, SIZE, 5, NAMES)
    for index in range(3):
        choice = Choice(("town",), ("night",))
        asked = render_sample(5000 + index, SIZE, tasks=NAMES, choice=choice)
        assert np.array_equal(worlds[index].sample.image, asked.image)
    assert worlds.description["weathers"] == "night"


def test_where_nothing_is_asked_for_nothing_is_written_down():
    (worlds,) = training_sets(DataConfig(train=[SetConfig(count=3)]), 0, SIZE, 5, NAMES)
    assert set(worlds.description) == {"path", "first_seed", "frames"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.train.0.places=[twon]", "places: there is no 'twon'; did you mean 'town'"),
        ("data.val.0.weathers=[hail]", "weathers: there is no 'hail': expected some of sun"),
        ("data.val.0.surfaces=[grabel]", "surfaces: there is no 'grabel'; did you mean 'gravel'"),
        ("data.train=[{path: d, weathers: [night]}]", "weathers of d: that is for rendered worlds"),
    ],
)
def test_names_that_there_are_not_are_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(None, [override])


@pytest.mark.parametrize("what", ["places", "weathers", "surfaces"])
def test_worlds_of_rigs_cannot_be_chosen(what):
    name = {"places": "town", "weathers": "night", "surfaces": "gravel"}[what]
    asked = [SetConfig(count=2, **{what: [name]})]
    with pytest.raises(ValueError, match=f"{what} can be chosen for single pictures"):
        training_rigs(DataConfig(train=asked), 0, SIZE, 0, (4,))
    with pytest.raises(ValueError, match=f"{what} can be chosen for single pictures"):
        validation_rigs(DataConfig(val=asked), (), SIZE, (4,))


def seeds(samples):
    """The seeds of a set of worlds."""
    first = samples.description["first_seed"]
    return set(range(first, first + len(samples)))


@pytest.mark.parametrize("name", ["continual_weather", "continual_smoke"])
def test_rendered_sequences_test_on_worlds_that_nobody_trains_on(name):
    config = load_sequence(CONFIGS / f"{name}.yaml")
    names = config.train.network.tasks
    trained, tested, kinds = set(), set(), []
    for number, task in enumerate(config.tasks):
        data = DataConfig(train=task.train, val=task.tests[0].sets)
        train = training_sets(data, number, SIZE, config.seed, names)
        test = validation_sets(data, train, SIZE, names)
        assert all(one.description["frames"] for one in (*train, *test))
        trained |= set.union(*map(seeds, train))
        tested |= set.union(*map(seeds, test))
        kinds.append([one.choice for one in (*task.train, *task.tests[0].sets)])
    assert max(trained) < CALIBRATION_SEED
    assert not trained & tested
    for number, (train, test) in enumerate(kinds):
        assert train == test
        assert train not in [other for other, _ in kinds[:number]]


def test_test_worlds_of_different_tasks_are_different_pictures():
    """They have the same seeds, and other places or weathers."""
    config = load_sequence(CONFIGS / "continual_weather.yaml")
    pictures = []
    for task in config.tasks:
        (worlds,) = validation_sets(DataConfig(val=task.tests[0].sets), (), SIZE, NAMES)
        pictures += [worlds[index].sample.image.tobytes() for index in range(4)]
    assert len(set(pictures)) == len(pictures)


def test_the_public_sequence_asks_for_its_folder_and_has_one_table(tmp_path):
    path = CONFIGS / "continual_roads.yaml"
    with pytest.raises(ConfigError, match="roads"):
        load_sequence(path)
    (tmp_path / "machine.yaml").write_text(f"roads: {tmp_path}\n")
    config = load_sequence(path, paths=tmp_path / "machine.yaml")
    for task in config.tasks:
        (train,), (test,) = task.train, task.tests[0].sets
        assert Path(train.path) == tmp_path / task.name / "train"
        assert Path(test.path) == tmp_path / task.name / "test"
    assert config.train.network.classes.count('"id"') == 6
