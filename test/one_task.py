# SPDX-License-Identifier: Apache-2.0
"""The smallest network that answers one task, and its artifact: exported once for all tests."""

import fcntl

import numpy as np
from smallest import ENCODER

from shared_encoder_perception.spec import ModelSpec

SIZE = (64, 160)


def one_task_network(name):
    """Return the network: random weights, the same in every process."""
    import torch

    from shared_encoder_perception.model.network import PerceptionNetwork

    torch.manual_seed(0)
    return PerceptionNetwork(_config(name)).eval()


def one_task_spec(name):
    """Return what its artifact promises."""
    from shared_encoder_perception.model.network import promised

    return ModelSpec("alone", "0", SIZE, promised(_config(name), SIZE))


def _config(name):
    """Return what the network is built from."""
    from shared_encoder_perception.model.config import NetworkConfig

    return NetworkConfig(ENCODER, channels=16, head_channels=4, tasks=[name])


def export_once(folder, name):
    """Return the artifact of a task in the table, one for all processes of this run."""
    return exported_once(
        folder / f"{name}_alone.onnx", lambda: (one_task_network(name), one_task_spec(name))
    )


def exported_once(path, made, *options):
    """Return an artifact; an export takes seconds, and several processes of tests want the same.

    Args:
        path: In the folder of all processes of this run.
        made: Returns network and spec.
        options: Of the export.
    """
    from shared_encoder_perception.model.onnx_export import export_onnx

    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            export_onnx(*made(), path, *options)
    return path


def some_images(count=2):
    """Return noise of the size that it takes."""
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)
