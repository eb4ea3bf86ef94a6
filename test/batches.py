# SPDX-License-Identifier: Apache-2.0
"""Training batches, as tests write them down."""

import numpy as np

from shared_encoder_perception.labels.view import View
from shared_encoder_perception.spec import blocks
from shared_encoder_perception.tasks import DEFAULT
from shared_encoder_perception.training.batches import collate, to_item


def batch_of(*labels, size, tasks=DEFAULT, seed=0, targets=None):
    """Return a Batch of noise; ``labels`` of each image, by task, in pixels of ``size``.

    ``targets`` are the blocks that targets are made for, each task's own by default.
    """
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), *size, 3), np.uint8)
    targets = targets or blocks(*tasks)
    views = [View(image, label) for image, label in zip(images, labels, strict=True)]
    return collate([to_item(view, size, targets) for view in views], size)
