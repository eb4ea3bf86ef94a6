# SPDX-License-Identifier: Apache-2.0
"""Pictures without labels, kept in files: the same again, each once a turn, none left open."""

import gc
import warnings

import cv2
import numpy as np
import pytest

from shared_encoder_perception.continual.supervision.config import SupervisionConfig
from shared_encoder_perception.continual.supervision.frames import UnlabelledFrames

SIZE = (24, 32)


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        picture = np.full((*SIZE, 3), 40 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    return tmp_path


def frames_of(folder):
    return UnlabelledFrames([str(folder)], SIZE, SupervisionConfig(pseudo=1.0))


def test_each_is_seen_once_before_any_is_seen_twice(folder):
    frames = frames_of(folder)
    assert len(frames) == 5
    for turn in range(2):
        drawn = frames.draw((3,), 5 * turn, 5).now
        assert sorted(drawn[:, 0, 0, 0].tolist()) == [0, 40, 80, 120, 160]
        assert (drawn == drawn[:, :1, :1, :1]).all()
    frames.close()


def test_what_nobody_closed_leaves_no_file_open(folder):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frames = frames_of(folder)
        del frames
        gc.collect()
    assert not [one for one in told if issubclass(one.category, ResourceWarning)]
