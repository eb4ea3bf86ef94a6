# SPDX-License-Identifier: Apache-2.0
"""Videos: one size, whatever comes; and rates that are known before the first frame is read."""

import logging

import cv2
import numpy as np
import pytest
from replay_bags import drive, write_bag

from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.images.video import DEFAULT_RATE_HZ, of_one_size, write_video

GREY = 100


def frame(height, width):
    return np.full((height, width, 3), GREY, np.uint8)


def test_frames_of_one_even_size_are_passed_on_as_they_are(caplog):
    frames = [frame(4, 6) for _ in range(3)]
    with caplog.at_level(logging.WARNING):
        assert all(
            np.shares_memory(a, b) for a, b in zip(of_one_size(iter(frames)), frames, strict=True)
        )
    assert not caplog.records
    assert not list(of_one_size(iter([])))


def test_an_odd_row_and_column_are_cut_off_unblurred(caplog):
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    (cut,) = of_one_size(iter([noise]))
    assert np.array_equal(cut, noise[:4, :6])
    assert not caplog.records


@pytest.mark.parametrize(
    ("other", "inside"),
    [((20, 10), np.s_[:, 15:25]), ((40, 80), np.s_[:, :]), ((8, 80), np.s_[8:12, :])],
)
def test_other_sizes_keep_their_proportions_in_black_and_are_told_once(other, inside, caplog):
    with caplog.at_level(logging.WARNING):
        _, one, _ = of_one_size(iter([frame(20, 40), frame(*other), frame(*other)]))
    assert one.shape == (20, 40, 3) and (one[inside] == GREY).all()
    rest = np.ones((20, 40), bool)
    rest[inside] = False
    assert not one[rest].any()
    (told,) = caplog.messages
    assert "40x20" in told and f"{other[1]}x{other[0]}" in told


def test_a_video_has_the_rate_it_was_written_with(tmp_path):
    for rate in (7.5, 29.97, 60):
        path = tmp_path / f"{rate}.mp4"
        assert write_video(iter([frame(16, 16)] * 8), path, rate) == 8
        assert open_source(path).rate_hz() == pytest.approx(rate, rel=1e-4)


def test_a_bag_has_the_rate_of_its_messages(tmp_path):
    assert open_source(write_bag(tmp_path / "many", drive(5))).rate_hz() == pytest.approx(20)
    assert open_source(write_bag(tmp_path / "one", drive(1))).rate_hz() is None


def test_pictures_have_no_rate(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), frame(8, 8))
    assert open_source(tmp_path).rate_hz() is None
    assert DEFAULT_RATE_HZ == 15
