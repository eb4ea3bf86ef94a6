# SPDX-License-Identifier: Apache-2.0
"""An image with an ego line and the mask of all that lies below it, and answers beside them."""

import numpy as np
from perceptions import perception as perception_of
from samples import sample_of

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

SIZE, CROP = (180, 320), Crop(0, 52, 320, 128)
Y = np.arange(179.0, 19.0, -10.0)
LINE = np.stack((np.full_like(Y, 160.0), Y), axis=1).astype(np.float32)


def perceive(shift=0.0, far=52.0):
    """Return a line ``shift`` pixels beside the label, and that everything is drivable."""
    points = LINE[LINE[:, 1] >= far] + np.float32([shift, 0])
    std = np.zeros(len(points), np.float32)
    ego = LaneLine(LaneId.EGO, LaneStatus.DETECTED, 0.9, points, std)
    others = tuple(LaneLine(lane) for lane in LaneId)[1:]
    return perception_of(SIZE, (ego, *others), DrivableMask(np.full(SIZE, 255, np.uint8)))


def sample():
    """Return the labelled image."""
    mask = np.zeros(SIZE, np.uint8)
    mask[52:] = 255
    known = {LaneId.EGO: LINE, LaneId.LEFT_EGO: None}
    return sample_of(np.zeros((*SIZE, 3), np.uint8), known, mask)
