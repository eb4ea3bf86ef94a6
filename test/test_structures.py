# SPDX-License-Identifier: Apache-2.0
"""Perception: every answer fits the image, and what it holds cannot change."""

from dataclasses import dataclass

import numpy as np
import pytest

from shared_encoder_perception.structures import Perception, frozen


@dataclass(frozen=True)
class Fits:
    """An answer for images of one size."""

    size: tuple[int, int]

    def check(self, image_size):
        if image_size != self.size:
            raise ValueError(f"fits {self.size}, not {image_size}")


def test_an_answer_that_does_not_fit_the_image_is_refused():
    answers = {"a": Fits((4, 6)), "b": Fits((4, 6))}
    assert Perception((4, 6), answers).answers["b"] == Fits((4, 6))
    with pytest.raises(ValueError, match=r"fits \(6, 4\), not \(4, 6\)"):
        Perception((4, 6), {**answers, "c": Fits((6, 4))})


def test_answers_and_times_are_copies_that_cannot_change():
    answers, times = {"a": Fits((4, 6))}, {"decode": 1.0}
    perception = Perception((4, 6), answers, times)
    answers.clear()
    times.clear()
    assert (dict(perception.answers), dict(perception.stage_ms)) == (
        {"a": Fits((4, 6))},
        {"decode": 1.0},
    )
    for held in (perception.answers, perception.stage_ms):
        with pytest.raises(TypeError):
            held["a"] = None


def test_a_model_may_answer_any_tasks_and_no_times_are_needed():
    assert dict(Perception((4, 6), {}).answers) == {}
    assert dict(Perception((4, 6), {}).stage_ms) == {}


def test_a_frozen_array_is_a_contiguous_copy_of_the_type():
    source = np.arange(6, dtype=np.int64).reshape(2, 3)
    held = frozen(source.T, np.float32)
    source[:] = -1
    assert held.dtype == np.float32 and held.flags.c_contiguous
    assert held.tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(ValueError, match="read-only"):
        held[0, 0] = 1
