# SPDX-License-Identifier: Apache-2.0
"""Every room that merges answers to mirrored and resized pictures does it as the contract says."""

import numpy as np
import pytest
from every_task import label_of, world
from test_conformance import score

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.images.variants import PLAIN, Variant, parse_variants
from shared_encoder_perception.spec import blocks

SIZE = (320, 800)
WHOLE = Crop(0, 0, SIZE[1], SIZE[0])
TRANSFORM = ImageTransform.fit(SIZE, SIZE)
ROOMS = tuple(tasks.parts("ensemble"))
LISTS = ("flip", "scale:0.75", "scale:1.25", "flip,scale:0.75,scale:1.25", "scale:0.6,scale:1.7")
LOPSIDED = (16, 21)
"""Seeds of worlds whose left is unlike their right: in others depth is nearly its own mirror."""
each_task = pytest.mark.parametrize("name", ROOMS)


def looks_at(text):
    return [variant.look(TRANSFORM) for variant in parse_variants(text)]


def noise(name, seed):
    """Outputs of a network that says anything."""
    rng, found = np.random.default_rng(seed), {}
    for output, tensor in blocks(name)[name].outputs(SIZE).items():
        whole = tensor.dtype == "uint8"
        most = {"semantic": 13}.get(output, 256) if whole else 1
        values = rng.integers(0, most, tensor.shape) if whole else rng.random(tensor.shape)
        found[output] = values.astype(tensor.dtype)
    return found


def merged(name, looks, outputs):
    block = blocks(name)[name]
    found = tasks.part(name, "ensemble").merge(looks, outputs, block)
    assert {key: (str(value.dtype), value.shape) for key, value in found.items()} == {
        key: tuple(tensor) for key, tensor in block.outputs(SIZE).items()
    }
    return found


def perfect(name, label, look):
    """What a network says of this look that says what its label asks for."""
    room, block = tasks.part(name, "labels"), blocks(name)[name]
    label = room.inside(label, WHOLE)
    label = room.mirror(label, SIZE[1]) if look.mirrored else label
    scale = [abs(float(axis.factor)) for axis in (look.x, look.y)]
    # Resized about the middle: margins of equal width stay, or go.
    shift = [(side - 1) / 2 * (1 - by) for side, by in zip(SIZE[::-1], scale, strict=True)]
    moved = room.warp(label, np.column_stack([np.diag(scale), shift]), SIZE)
    target = tasks.part(name, "target")
    return target.ideal(target.encode(moved, SIZE, block), SIZE, block)


def scored(name, outputs, label):
    """Score what outputs are decoded to."""
    decode, block = tasks.part(name, "decode"), blocks(name)[name]
    answer = decode.Decoder(block, SIZE)(outputs, TRANSFORM, decode.Options.of(block))
    return score(name, answer, label, WHOLE)


@each_task
def test_the_plain_picture_alone_is_the_plain_answer_bit_for_bit(name):
    for seed in range(3):
        outputs = noise(name, seed)
        found = merged(name, [PLAIN.look(TRANSFORM)], [outputs])
        for key, value in outputs.items():
            np.testing.assert_array_equal(found[key], value, strict=True)


@each_task
@pytest.mark.parametrize("text", LISTS)
def test_looks_that_all_say_what_is_right_say_it_together(name, text):
    looks, scores, beside, plain = looks_at(text), [], [], []
    for seed in LOPSIDED:
        label = label_of(name, world(seed, name))
        outputs = [perfect(name, label, look) for look in looks]
        scores.append(scored(name, merged(name, looks, outputs), label))
        # The same outputs, each taken for another look's.
        beside.append(scored(name, merged(name, looks[1:] + looks[:1], outputs), label))
        plain.append(scored(name, outputs[0], label))
    assert np.nanmean(scores) > np.nanmean(plain) - 0.03
    assert np.nanmean(beside) < np.nanmean(plain) - 0.06


@each_task
def test_one_look_that_errs_is_outvoted(name):
    """Five of six are right: what the sixth says is gone."""
    looks, scores = looks_at("flip,scale:0.75,scale:0.85"), []
    for seed in range(2):
        label, other = label_of(name, world(seed, name)), label_of(name, world(seed + 10, name))
        outputs = [perfect(name, label, look) for look in looks]
        outputs[0] = perfect(name, other, looks[0])
        assert scored(name, outputs[0], label) < 0.9
        scores.append(scored(name, merged(name, looks, outputs), label))
    assert np.nanmean(scores) > 0.95


@each_task
def test_the_order_of_looks_is_of_no_importance(name):
    looks = looks_at("flip,scale:0.75,scale:1.25")
    outputs = [noise(name, seed) for seed in range(len(looks))]
    one = merged(name, looks, outputs)
    other = merged(name, looks[:1] + looks[:0:-1], outputs[:1] + outputs[:0:-1])
    for key, value in one.items():
        np.testing.assert_allclose(other[key], value, rtol=1e-6, atol=1e-6)


@each_task
def test_what_a_look_does_not_show_is_left_to_the_others(name):
    """Zoomed in, a picture ends: beyond, the answer is the plain one."""
    looks = looks_at("scale:2")
    plain, large = noise(name, 0), noise(name, 1)
    found = merged(name, looks, [plain, large])
    for key, value in plain.items():
        stride = SIZE[1] // value.shape[-1]
        seen = np.broadcast_to(looks[1].seen(stride), value.shape)
        assert 0.2 < seen.mean() < 0.3
        np.testing.assert_array_equal(found[key][~seen], value[~seen])
        assert (found[key][seen] != value[seen]).any()


@each_task
def test_a_mirrored_look_twice_is_the_plain_one(name):
    outputs, mirror = noise(name, 0), Variant(True).look(TRANSFORM)
    once = merged(name, [mirror], [outputs])
    assert any((once[key] != outputs[key]).any() for key in outputs)
    twice = merged(name, [mirror], [once])
    for key, value in outputs.items():
        np.testing.assert_allclose(twice[key], value, rtol=0, atol=1e-6)
