# SPDX-License-Identifier: Apache-2.0
"""What is tested must not be what was trained on: pictures are compared by what they show."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.labels.composites.index import is_index
from shared_encoder_perception.training.data_config import SYNTHETIC, SetConfig
from shared_encoder_perception.training.sets import NativeSet


def check_apart(config: ContinualConfig) -> None:
    """Look at the pictures of all sets; rendered worlds and composites are told apart elsewhere.

    Pictures without labels count where something is learned of them.

    Raises:
        ValueError: A test shows a picture that one of the tasks trains on; or a set cannot be read.
    """
    trained: dict[bytes, str] = {}
    for task in config.tasks:
        for one in task.train:
            trained |= dict.fromkeys(_pictures(one), task.name)
        for path in task.unlabelled if config.supervision.weights else ():
            trained |= dict.fromkeys(_frames(path), f"{task.name}, without labels")
    for task in config.tasks:
        for test in task.tests:
            for one in test.sets:
                if shared := [trained[found] for found in _pictures(one) if found in trained]:
                    raise ValueError(
                        f"{len(shared)} pictures of {one.path}, on which {test.name} is tested, "
                        f"are trained on, by the task {shared[0]}: test on others, such as another "
                        "fold or other sources"
                    )


def _pictures(config: SetConfig) -> Iterator[bytes]:
    """Yield a hash of each picture of a native set."""
    if config.path == SYNTHETIC or is_index(Path(config.path)):
        return
    samples = NativeSet(config, tasks=())  # no labels are read
    told = f"pictures of {config.path}"
    for index in tqdm(range(len(samples)), told, unit="image", leave=False):
        yield _hash(samples[index].sample.image)


def _frames(path: str) -> Iterator[bytes]:
    """Yield a hash of each frame without labels."""
    source = open_source(Path(path))
    total = len(source) or None  # some do not know
    for frame in tqdm(source, f"frames of {path}", total, unit="image", leave=False):
        yield _hash(frame.image)


def _hash(image: NDArray[np.uint8]) -> bytes:
    """Tell a picture from every other."""
    return sha256(repr(image.shape).encode() + image.tobytes()).digest()
