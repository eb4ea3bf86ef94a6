# SPDX-License-Identifier: Apache-2.0
"""The smallest sequences of two places, on sets that are written for them."""

import cv2
from labelled_set import write_set
from smallest import ENCODER

from shared_encoder_perception.continual.load import load_sequence
from shared_encoder_perception.model.checkpoint import load_network

SMALL = f"""
train:
  network: {{encoder: {ENCODER}, channels: 8, head_channels: 8, tasks: [drivable_surface]}}
  stages: [{{size: [64, 96], steps: 3, learning_rate: 2.0e-3, batch_size: 4}}]
  validate_every: 0
  checkpoint_every: 1
  machine: {{precision: 32-true, accelerator: cpu, workers: 0}}
"""
TASK = (
    "  - {{name: {0}, train: [{{path: '${{paths.{0}}}/train'}}],"
    " tests: [{{name: {0}, sets: [{{path: '${{paths.{0}}}/test'}}]}}]}}\n"
)


def write_sequence(folder, places=("town", "coast")):
    """Write a set for each place, a config of both and a file of paths; return the config's."""
    for number, place in enumerate(places):
        write_set(folder / place / "train", 4 + number)
        write_set(folder / place / "test", 2)
        brighten(folder / place / "test")
    (folder / "paths.yaml").write_text("".join(f"{one}: {folder / one}\n" for one in places))
    tasks = "".join(TASK.format(one) for one in places)
    (folder / "config.yaml").write_text(f"out: {folder / 'run'}\ntasks:\n{tasks}{SMALL}")
    return folder / "config.yaml"


def brighten(folder):
    """Make the pictures of a set others."""
    for picture in (folder / "images").rglob("*.png"):
        cv2.imwrite(str(picture), cv2.imread(str(picture)) // 2 + 60)


def sequence(path, *overrides):
    """Read such a config."""
    return load_sequence(path, overrides, path.with_name("paths.yaml"))


def weights(path):
    """Return the tensors of a network."""
    return load_network(path).state_dict()
