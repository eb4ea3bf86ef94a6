# SPDX-License-Identifier: Apache-2.0
"""The frames that a report shows: worst, middle and best, each with what tasks draw below."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.drawing.text import CAPTION_PX
from shared_encoder_perception.evaluation.frame_record import FrameRecord
from shared_encoder_perception.evaluation.informed import informed
from shared_encoder_perception.evaluation.picked_frames import (
    KEPT,
    SAMPLED,
    WIDTH_PX,
    PickedFrames,
    draw_answer,
)
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.scores import FrameScores
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (64, 160)
PANELS = 3
"""Answer, label, error."""
CROP = Crop(0, 0, 160, 64)


@pytest.fixture(scope="module")
def seen():
    """A world, and the depth that a perfect network says of it, no camera told."""
    sample = render_sample(3, SIZE, tasks=("depth",))
    label = sample.labels["depth"]
    depth = np.asarray(label.depth / np.float32(label.focal_px), np.float32)
    return sample, Perception(SIZE, {"depth": DepthMap(depth)})


def record_of(index, faults):
    scores = {"depth": FrameScores({}, faults, True, (f"off by {faults:.2f}",))}
    return FrameRecord(f"{index}.jpg", "worlds", {}, scores, {})


def test_the_frames_in_the_middle_are_those_of_median_faults(seen):
    sample, perception = seen
    picked, faults = PickedFrames(), np.random.default_rng(1).permutation(3 * SAMPLED) / 100
    for index, one in enumerate(faults):
        picked.update(record_of(index, float(one)), perception, sample, CROP)
    middle = [frame.faults for frame in picked.middle()["worlds"]]
    assert len(middle) == KEPT and abs(np.mean(middle) - np.median(faults)) < 0.1 * faults.max()
    assert picked.worst()["worlds"][0].faults == faults.max()
    assert picked.best()["worlds"][0].faults == faults.min()


def test_answer_label_and_error_stand_below(seen):
    sample, perception = seen
    assert not perception.answers["depth"].in_metres
    told = informed(perception, sample.labels)
    assert told.answers["depth"].in_metres
    picture = cv2.imdecode(np.frombuffer(draw_answer(told, sample, CROP), np.uint8), 1)
    height = round(WIDTH_PX / 2.5)
    small = round(height / PANELS)
    assert picture.shape[:2] == (height + small + CAPTION_PX, WIDTH_PX)
    row, names = picture[height : height + small].astype(int), picture[height + small :]
    assert (names < 128).any(axis=(0, 2)).reshape(PANELS, -1).any(axis=1).all(), "each is named"
    width = WIDTH_PX // PANELS
    answer, label, error = (
        row[4:-4, at * width + 4 : (at + 1) * width - 4] for at in range(PANELS)
    )
    assert np.abs(answer - label).mean() < 6, "a perfect answer looks like its label"
    assert np.ptp(np.median(error, axis=(0, 1))) < 40, "and its error has no colour"
