# SPDX-License-Identifier: Apache-2.0
"""Every task of the table, and the toy, keeps what the contract says; see ``tasks/contract``.

A task that is added to the table is held to all of this without a line being written here.
"""

import pickle
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import toy_task
from every_task import TASKS, beside, label_of, perfect_answer, world
from one_task import one_task_network, one_task_spec, some_images
from perfect_backend import PerfectBackend

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import LETTERBOX, STRETCH, Crop, ImageTransform
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec, SpecError, blocks
from shared_encoder_perception.tasks.parameter import Parameter

SIZE = (320, 800)
PERFECT = 0.97
"""Of an answer that was made of the label: rounding to cells and pixels costs a little."""
CROPS = {
    "whole": (None, STRETCH),
    "crop": (Crop(60, 30, 700, 280), STRETCH),
    "letterbox": (Crop(0, 20, 800, 300), LETTERBOX),
}

pytestmark = pytest.mark.usefixtures("toy_in_table")
each_task = pytest.mark.parametrize("name", TASKS)


@each_task
def test_the_block_survives_json(name):
    spec = ModelSpec("m", "1", SIZE, tasks=blocks(name))
    assert ModelSpec.from_json(spec.to_json()) == spec


@each_task
def test_a_wrong_key_of_the_block_is_named(name):
    text = ModelSpec("m", "1", SIZE, tasks=blocks(name)).to_json()
    for field in fields(tasks.part(name, "spec").Block):
        renamed = text.replace(f'"{field.name}":', f'"{field.name}_":')
        with pytest.raises(SpecError, match=f"{name}.*{field.name}"):
            ModelSpec.from_json(renamed)


@each_task
def test_tensors_have_names_of_their_own(name):
    others = {
        output
        for other in TASKS
        if other != name
        for output in tasks.part(other, "spec").Block().outputs(SIZE)
    }
    assert not others & set(tasks.part(name, "spec").Block().outputs(SIZE))


@each_task
@pytest.mark.parametrize("how", CROPS)
def test_a_label_comes_back_from_the_outputs_it_asks_for(name, how):
    """Label -> view -> target -> ideal outputs -> decode, scored against the label."""
    crop, resize = CROPS[how]
    scores = []
    for seed in range(4):
        sample = world(seed, name)
        transform = ImageTransform.fit(SIZE, SIZE, crop, resize)
        answer = perfect_answer(name, label_of(name, sample), transform)
        scores.append(score(name, answer, label_of(name, sample), transform.crop))
    assert np.nanmean(scores) >= PERFECT


@each_task
def test_images_of_a_batch_do_not_touch(name):
    samples = [world(seed, name) for seed in range(3)]
    crops = [None, Crop(60, 30, 700, 280), None]
    backend = PerfectBackend(name, [label_of(name, sample) for sample in samples], crops)
    pairs = [beside(name, sample) for sample in samples]
    together = Predictor(backend).perceive_batch(
        [sample.image for sample in samples], crops, companions=pairs
    )
    for index, sample in enumerate(samples):
        alone = PerfectBackend(name, [label_of(name, sample)], [crops[index]])
        (expected,) = Predictor(alone).perceive_batch(
            [sample.image], [crops[index]], companions=[pairs[index]]
        )
        assert equal(together[index].answers[name], expected.answers[name])


@each_task
def test_a_mirrored_sample_gives_the_mirrored_answer(name):
    room, against = tasks.part(name, "labels"), []
    whole = Crop(0, 0, SIZE[1], SIZE[0])
    for seed in range(4):
        label = label_of(name, world(seed, name))
        mirrored = room.mirror(label, SIZE[1])
        assert equal(room.mirror(mirrored, SIZE[1]), label)
        answer = perfect_answer(name, mirrored, ImageTransform.fit(SIZE, SIZE))
        assert score(name, answer, mirrored, whole) >= PERFECT
        against.append(score(name, answer, label, whole))
    assert min(against) < PERFECT, "a mirrored answer is not right of the picture as it was"


@each_task
def test_metrics_merged_are_metrics_pooled(name):
    for kind in ("Metric", "FullMetric"):
        make = getattr(tasks.part(name, "metric"), kind)
        pooled, merged = make(), make()
        for seed in range(4):
            sample, one = world(seed, name), make()
            transform = ImageTransform.fit(SIZE, SIZE)
            answer = perfect_answer(name, label_of(name, world(seed // 2, name)), transform)
            for metric in (pooled, one):
                metric.update(answer, label_of(name, sample), SIZE, transform.crop)
            merged.merge(one)
        assert repr(merged.compute()) == pytest.approx(repr(pooled.compute()))


@each_task
def test_drawing_changes_no_input(name):
    room, sample = tasks.part(name, "draw"), world(0, name)
    label = label_of(name, sample)
    answer = perfect_answer(name, label, ImageTransform.fit(SIZE, SIZE))
    before = deepcopy((vars(answer), vars(label)))
    canvas = sample.image.copy()
    room.paint(canvas, answer, 1.0)
    assert (canvas != sample.image).any()
    assert all(isinstance(text, str) and len(colour) == 3 for text, colour in room.legend(answer))
    room.paint_label(sample.image.copy(), label, 1.0)
    room.outline_label(sample.image.copy(), label)
    half = (SIZE[0] // 2, SIZE[1] // 2)
    room.resized(answer, SIZE, half).check(half)
    assert equal((vars(answer), vars(label)), before)


@each_task
def test_labels_survive_files_and_turning(name, tmp_path):
    room, sample = tasks.part(name, "labels"), world(2, name)
    label = label_of(name, sample)
    from pathlib import Path

    record = room.write(label, tmp_path, Path("road/a.jpg"))
    assert set(record) <= set(room.KEYS)
    assert not list(room.faults(record, SIZE))
    read = room.read(record, tmp_path, SIZE)()
    crop = Crop(0, 0, SIZE[1], SIZE[0])
    answer = perfect_answer(name, read, ImageTransform.fit(SIZE, SIZE))
    assert score(name, answer, label, crop) >= PERFECT
    same = room.warp(label, np.array([[1.0, 0, 0], [0, 1, 0]]), SIZE)
    assert equal(same, label)
    assert room.read({}, tmp_path, SIZE) is None
    assert pickle.loads(pickle.dumps(label)) is not None


@each_task
def test_a_sample_without_the_label_costs_nothing(name):
    torch = pytest.importorskip("torch")
    spec, room = blocks(name)[name], tasks.part(name, "loss")
    encode = tasks.part(name, "target").encode
    targets = [encode(None, SIZE, spec), encode(label_of(name, world(0, name)), SIZE, spec)]
    assert {key: value.shape for key, value in targets[0].items()} == {
        key: value.shape for key, value in targets[1].items()
    }
    network = one_task_network(name)
    images = torch.zeros((1, *SIZE, 3), dtype=torch.uint8)
    names = ModelSpec("m", "1", SIZE, tasks=blocks(name)).companions()
    logits = network(images, inputs=dict.fromkeys(names, images))
    config = getattr(room, "Config", lambda: None)()
    loss = room.make_loss(config)
    parts = {part for group in room.PARTS.values() for part in group}
    for target, costs in zip(targets, (False, True), strict=True):
        batch = {key: torch.from_numpy(value)[None] for key, value in target.items()}
        found = loss(logits, batch)
        assert set(found) == parts
        total = sum(found.values())
        assert torch.isfinite(total) and (total.item() > 0) == costs


@each_task
def test_a_network_gives_what_its_block_promises(name, one_task_model):
    """On every engine that is here, and the same."""
    pytest.importorskip("torch")
    from shared_encoder_perception.backends import load_backend

    spec, images, first = one_task_spec(name), some_images(2), None
    others = dict.fromkeys(spec.companions(), some_images(2)[::-1])
    for engine in ("onnxruntime", "openvino", "torch"):
        backend = load_backend(one_task_model(name), engine)
        found = backend.infer({"image": images, **others})
        assert {key: (str(value.dtype), value.shape) for key, value in found.items()} == {
            key: (tensor.dtype, (2, *tensor.shape)) for key, tensor in spec.output_tensors().items()
        }
        first = first or found
        for key, value in found.items():
            assert value.shape == first[key].shape
        given = [{key: value[index] for key, value in others.items()} for index in range(2)]
        perceptions = Predictor(backend).perceive_batch(list(images), companions=given)
        assert set(perceptions[0].answers) == {name}
        backend.close()


@each_task
def test_parameters_and_topics_are_its_own(name):
    room = tasks.part(name, "content")
    for kind, mine in (("PARAMETERS", room.PARAMETERS), ("TOPICS", room.TOPICS)):
        others = {
            item.name
            for other in TASKS
            if other != name
            for item in getattr(tasks.part(other, "content"), kind)
        }
        assert not others & {item.name for item in mine}
    assert all(isinstance(item, Parameter) and item.description for item in room.PARAMETERS)
    defaults = {item.name: item.default for item in room.PARAMETERS}
    block = blocks(name)[name]
    own = tasks.part(name, "decode").Options.of(block)
    assert room.options(defaults.__getitem__, block) == own


@each_task
def test_nothing_is_found_that_has_no_name(name):
    room = tasks.part(name, "content")
    answer = perfect_answer(name, label_of(name, world(0, name)), ImageTransform.fit(SIZE, SIZE))
    assert set(room.found(answer)) <= set(room.FOUND)


def test_the_toy_is_not_in_the_package(monkeypatch):
    monkeypatch.delitem(tasks.ROOMS, toy_task.NAME)
    with pytest.raises(ValueError, match="no task 'brightness'"):
        tasks.part("brightness", "spec")


def score(name, answer, label, crop):
    """Score one answer against the whole label, 1 for perfect."""
    counted = tasks.part(name, "metric").Metric()
    counted.update(answer, label, SIZE, crop)
    return headline(name, counted)


def headline(name, counted):
    """Return the mean of what counts for the score."""
    room = tasks.part(name, "metric")
    numbers = room.headline({"one": counted})
    return float(np.nanmean([numbers[key] for key in room.SCORE]))


def equal(a, b):
    """Whether two values are the same, arrays and dataclasses within them too."""
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    if is_dataclass(a):
        return type(a) is type(b) and all(
            equal(getattr(a, field.name), getattr(b, field.name)) for field in fields(a)
        )
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return a == b or (a != a and b != b)


def test_a_perfect_score_can_be_missed():
    """The suite's own row that must fail: a wrong answer is not perfect."""
    name = toy_task.NAME
    sample = world(0, name)
    answer = perfect_answer(name, label_of(name, sample), ImageTransform.fit(SIZE, SIZE))
    wrong = replace(answer, plane=1 - answer.plane)
    assert score(name, wrong, label_of(name, sample), Crop(0, 0, SIZE[1], SIZE[0])) < PERFECT


@each_task
def test_small_pictures_are_named(name):
    room, sample = tasks.part(name, "draw"), world(0, name)
    if not hasattr(room, "panels"):
        pytest.skip("it has none")
    label = label_of(name, sample)
    shown = room.panels(perfect_answer(name, label, ImageTransform.fit(SIZE, SIZE)), label)
    assert len(shown) == len(room.PANELS)
