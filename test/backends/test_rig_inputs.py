# SPDX-License-Identifier: Apache-2.0
"""Tensors whose batch axis counts rigs, not images: checked, made and refused by name."""

import numpy as np
import pytest

from shared_encoder_perception.artifact.tensors import (
    InputError,
    OutputError,
    batched,
    blank,
    check_inputs,
    check_outputs,
    key_words,
)
from shared_encoder_perception.spec import ModelSpec, Tensor, blocks

IMAGE = {"image": Tensor("uint8", (32, 32, 3))}
RIG = {"place": Tensor("float32", (2, 5, 2))}
OF_RIGS = frozenset(RIG)


def inputs(images=4, rigs=1):
    return {
        "image": np.zeros((images, 32, 32, 3), np.uint8),
        "place": np.zeros((rigs, 2, 5, 2), np.float32),
    }


@pytest.mark.parametrize("images", [1, 4, 32])
def test_one_rig_goes_with_any_number_of_images(images):
    promised = {**IMAGE, **RIG}
    assert check_inputs(inputs(images), promised, OF_RIGS) == images
    assert check_inputs(blank(promised, images, OF_RIGS), promised, OF_RIGS) == images
    assert batched(promised, images, OF_RIGS)["place"] == (1, 2, 5, 2)


@pytest.mark.parametrize("rigs", [0, 2, 4])
def test_an_engine_takes_one_rig_at_a_time(rigs):
    with pytest.raises(
        InputError, match=rf"'place' is float32 \({rigs}, 2, 5, 2\), expected .*\(1"
    ):
        check_inputs(inputs(4, rigs), {**IMAGE, **RIG}, OF_RIGS)


def test_without_being_told_every_axis_counts_images():
    with pytest.raises(InputError, match=r"different numbers of images .*'place': 1"):
        check_inputs(inputs(4, 1), {**IMAGE, **RIG})


def test_outputs_are_held_against_rigs_and_images_apart():
    promised = {"mask": Tensor("uint8", (4,)), "map": Tensor("float32", (3,))}
    said = {"mask": np.zeros((4, 4), np.uint8), "map": np.zeros((1, 3), np.float32)}
    check_outputs(said, promised, 4, {"map"})
    said["map"] = np.zeros((4, 3), np.float32)
    with pytest.raises(OutputError, match=r"'map' as float32 \(4, 3\), .* promises float32 \(1, 3"):
        check_outputs(said, promised, 4, {"map"})


def test_the_key_of_an_engine_knows_the_number_of_rigs():
    text = key_words({**IMAGE, **RIG}, 4, OF_RIGS)
    assert "'image': ['uint8', [4, 32, 32, 3]]" in text
    assert "'place': ['float32', [1, 2, 5, 2]]" in text


def test_a_model_of_rigs_and_images_promises_both():
    spec = ModelSpec("m", "1", (64, 160), blocks("drivable_surface", "surround"))
    assert spec.of_rigs() == {"view_place", "view_weight", "surround"}
    shapes = spec.output_shapes(4)
    assert shapes["mask"][0] == 4
    assert shapes["surround"] == (1, 5, 100, 100)
    assert not ModelSpec("m", "1", (64, 160), blocks("drivable_surface")).of_rigs()
