# SPDX-License-Identifier: Apache-2.0
"""A task that needs more than the image and gives two tensors, in one file: what has changed?

``background`` is a picture of the empty place, ``gain`` says how much each cell counts. It is put
into the table by ``tasks.ROOMS["changes"] = "changes_task"``; see ``tasks/toy_task.py`` for a task
that is complete.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared_encoder_perception.spec import ModelSpec, Tensor, blocks

NAME = "changes"
SIZE = (64, 160)
CELLS = (SIZE[0] // 8, SIZE[1] // 8)


class spec:  # noqa: N801 - stands for the file spec.py
    """spec.py."""

    @dataclass(frozen=True)
    class Block:
        """Nothing to be set."""

        def outputs(self, input_size):
            cells = (input_size[0] // 8, input_size[1] // 8)
            return {"strength": Tensor("float32", cells), "changed": Tensor("uint8", cells)}

        def inputs(self, input_size):
            cells = (input_size[0] // 8, input_size[1] // 8)
            return {
                "background": Tensor("uint8", (*input_size, 3)),
                "gain": Tensor("float32", cells),
            }


class decode:  # noqa: N801
    """decode.py."""

    @dataclass(frozen=True)
    class Options:
        """Nothing to be set."""

        @classmethod
        def of(cls, block):
            return cls()

    @dataclass(frozen=True, eq=False)
    class Changes:
        """The tensors as they are."""

        strength: np.ndarray
        changed: np.ndarray

        def check(self, image_size):
            pass

    class Decoder:
        """Keeps the tensors."""

        def __init__(self, block, input_size):
            pass

        def __call__(self, outputs, transform, options):
            return decode.Changes(outputs["strength"], outputs["changed"])


class head:  # noqa: N801
    """head.py."""

    @staticmethod
    def make_head(widths, config):
        import torch
        from torch import nn
        from torch.nn import functional

        class Head(nn.Module):
            """Looks at the features and at the background, a cell at a time."""

            def __init__(self):
                super().__init__()
                self.seen = nn.Conv2d(widths.neck + 3, 8, 3, padding=1)
                self.changed = nn.Conv2d(8, 1, 1)

            def forward(self, features):
                picture = features.inputs["background"].permute(0, 3, 1, 2).float() / 255
                cells = functional.avg_pool2d(picture, 8)
                joined = torch.cat((features.neck, cells), dim=1)
                seen = functional.relu(self.seen(joined))
                logits = self.changed(seen)[:, 0] * features.inputs["gain"]
                return {"change_logits": logits}

        return Head()

    @staticmethod
    def finish(logits, size, block):
        import torch

        strength = torch.sigmoid(logits["change_logits"].float())
        return {"strength": strength, "changed": (strength * 255 + 0.5).to(torch.uint8)}


SPEC_KEYS = {"name": "changes", "version": "1", "input_size": SIZE}


def changes_spec(*others: str) -> ModelSpec:
    """Return the spec of a model with this task, which must be in the table, and others."""
    return ModelSpec(**SPEC_KEYS, tasks=blocks(NAME, *others))


def write_changes_model(folder: Path, *others: str) -> tuple[Path, Path]:
    """Write a model of random weights; the task must be in the table.

    Returns:
        The ``.onnx`` file, and the checkpoint of the same network.
    """
    import torch

    from shared_encoder_perception.model.checkpoint import save_network
    from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
    from shared_encoder_perception.model.onnx_export import export_onnx

    torch.manual_seed(0)
    config = NetworkConfig(encoder="mobilenetv3_small_050", channels=16, tasks=[NAME, *others])
    network, written = PerceptionNetwork(config).eval(), changes_spec(*others)
    _spread(network)
    artifact, checkpoint = folder / "changes.onnx", folder / "changes.pt"
    export_onnx(network, written, artifact)
    save_network(network, checkpoint, written)
    return artifact, checkpoint


def _spread(network) -> None:
    """Let the strengths of random weights lie all over 0 to 1, so that differences show."""
    import torch

    head = network.decoder.heads[NAME]
    with torch.no_grad():
        head.changed.weight *= 40
        head.changed.bias.zero_()


def some_inputs(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return inputs for so many images, each another one."""
    random = np.random.default_rng(seed)
    return {
        "image": random.integers(0, 256, (count, *SIZE, 3), np.uint8),
        "background": random.integers(0, 256, (count, *SIZE, 3), np.uint8),
        "gain": random.uniform(0.5, 2.0, (count, *CELLS)).astype(np.float32),
    }
