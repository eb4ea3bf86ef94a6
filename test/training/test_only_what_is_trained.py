# SPDX-License-Identifier: Apache-2.0
"""What no trained task needs is not rendered, read or moved; pictures are the same all the same."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_set import HEIGHT, WIDTH, write_set

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception import tasks
from shared_encoder_perception.labels import native
from shared_encoder_perception.tasks.semantic import labels as semantic_labels
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.tables import WORLD
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.data import training_stream
from shared_encoder_perception.training.sets import training_sets, validation_sets
from shared_encoder_perception.training.train import train
from shared_encoder_perception.world.synthetic import Drive, render_sample

SIZE = (64, 160)
OF_FOLDER = ("lanes", "drivable_surface", "semantic")
WITHOUT, WITH = "[lanes, drivable_surface]", "[lanes, drivable_surface, semantic]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A set that has lanes, masks and classes."""
    mine = tmp_path_factory.mktemp("data")
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    with native.Writer(mine / "classes") as writer:
        for frame in native.read(write_set(mine / "plain", 4)):
            writer.write(frame.with_label("semantic", lambda: Label(ids, WORLD)))
    return mine / "classes"


def config(folder, names, out="nowhere"):
    data = f"[{{path: synthetic, count: 4}}, {{path: {folder}}}]"
    return load_config(
        None,
        [
            *(f"network.encoder={ENCODER}", "network.channels=16", "network.head_channels=8"),
            *("machine.precision=32-true", "machine.accelerator=cpu", "machine.workers=0"),
            *(f"network.tasks={names}", f"data.train={data}", f"data.val={data}", f"out={out}"),
            *("stages=[{size: [64, 160], steps: 2, batch_size: 4}]", "validate_every=2"),
        ],
    )


@pytest.fixture
def asked(monkeypatch):
    """Count worlds by whether classes were painted, and class maps that are read and moved."""
    found = {"painted": [], "read": 0, "moved": 0}
    render, read, view = Drive.render, semantic_labels._read, semantic_labels.view

    def rendered(self, distance_m=0.0, asked=()):
        found["painted"].append("classes" in asked)
        return render(self, distance_m, asked)

    def count(name, function):
        def counted(*arguments):
            found[name] += 1
            return function(*arguments)

        return counted

    monkeypatch.setattr(Drive, "render", rendered)
    monkeypatch.setattr(semantic_labels, "_read", count("read", read))
    monkeypatch.setattr(semantic_labels, "view", count("moved", view))
    return found


def test_a_training_without_classes_never_asks_for_them(folder, tmp_path, asked):
    train(config(folder, WITHOUT, tmp_path))
    assert asked["painted"] and not any(asked["painted"])
    assert asked["read"] == asked["moved"] == 0


def test_a_training_with_classes_does(folder, tmp_path, asked):
    train(config(folder, WITH, tmp_path))
    assert asked["painted"] and all(asked["painted"])
    assert asked["read"] >= 4 and asked["moved"] >= 8, "to train on, and to score by"


def test_pictures_and_other_labels_are_the_same_to_the_byte(folder):
    """Through augmentation, too: what is drawn by chance does not depend on classes."""
    seen = []
    for names in (WITHOUT, WITH):
        one = config(folder, names)
        sets = training_sets(one.data, 0, SIZE, one.seed, one.network.tasks)
        seen.append(list(training_stream(one, 0, sets).views()))
    for bare, full in zip(*seen, strict=True):
        assert np.array_equal(bare.image, full.image)
        assert set(full.labels) - set(bare.labels) == {"semantic"}
        assert np.array_equal(
            bare.labels["drivable_surface"].mask, full.labels["drivable_surface"].mask
        )


@pytest.mark.parametrize("names", [(), ("lanes",), ("semantic",), ("drivable_surface", "semantic")])
def test_a_world_has_the_labels_that_are_asked_for(names):
    whole = render_sample(7, SIZE)
    some = render_sample(7, SIZE, tasks=names)
    assert set(some.labels) == set(names) <= set(whole.labels)
    assert np.array_equal(some.image, whole.image)


def test_sets_are_scored_by_the_tasks_too(folder):
    one = config(folder, "[drivable_surface]")
    for names in (("drivable_surface",), ("semantic", "lanes"), None):
        worlds, written = validation_sets(one.data, [], SIZE, names)
        assert set(worlds[0].sample.labels) == set(names or tasks.ROOMS)
        assert set(written[0].sample.labels) == set(names or OF_FOLDER)
    overfit = replace(one.data, overfit=2)
    (train_set,) = training_sets(overfit, 0, SIZE, 0, ("semantic",))
    assert set(train_set[1].sample.labels) == {"semantic"}
