# SPDX-License-Identifier: Apache-2.0
"""A model that answers rigs: held against torch, and scored, on rendered rigs.

What ``training.agreement`` and ``evaluation.evaluate.score`` do for single pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec
from shared_encoder_perception.tasks.options import own_options
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.rig_batches import (
    RigValidation,
    RigValidationStream,
    SeenRig,
    rig_task,
)
from shared_encoder_perception.training.rig_scorer import RigScorer
from shared_encoder_perception.training.rig_set import RenderedRigs
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED, VALIDATION_SEED

COMPARED: Final = (1, 4, 6)
"""Numbers of cameras of the rigs on which an artifact is held against torch."""
SCORED: Final = (4,)
"""And of those on which it is scored."""
ROUNDING: Final = 1e-3
"""Of probabilities and metres."""


def compare_rigs(network: PerceptionNetwork, backend: Backend) -> float:
    """Return the largest difference between what an artifact and torch say of rigs.

    Infinity where one of them says what is no number.
    """
    wrapper, of_rigs = DeployWrapper(network, backend.spec.tasks), backend.spec.of_rigs()
    largest = 0.0
    for item in _moments(backend.spec, len(COMPARED), COMPARED, CALIBRATION_SEED):
        inputs = _inputs(item.rig)
        with torch.inference_mode():
            said = wrapper(*(torch.from_numpy(inputs[name]) for name in wrapper.inputs))
        found = backend.infer(inputs)
        for name, expected in zip(wrapper.outputs, said, strict=True):
            if name in of_rigs:
                worst = np.abs(found[name] - expected.numpy()).max()
                largest = max(largest, float(np.nan_to_num(worst, nan=np.inf)))
    return largest


def score_rigs(backend: Backend, count: int) -> dict[str, Any]:
    """Score a model on ``count`` rendered rigs that no training has seen; scores by source."""
    spec = backend.spec
    task = rig_task(spec.tasks)
    decoder = tasks.part(task, "decode").Decoder(spec.tasks[task])
    options, scorer = own_options(spec)[task], RigScorer(task)
    names = spec.tasks[task].outputs(spec.input_size)
    moments = _moments(spec, count, SCORED, VALIDATION_SEED)
    for item in tqdm(moments, total=count, desc="scoring", unit="rig"):
        found = backend.infer(_inputs(item.rig))
        answer = decoder({name: found[name][0] for name in names}, item.rig.seen, options)
        scorer.update(item.source, answer, item.rig.truth)
    return scorer.compute()


def _moments(
    spec: ModelSpec, count: int, cameras: Sequence[int], first_seed: int
) -> Iterator[RigValidation]:
    """Render moments as a model takes them."""
    rendered = RenderedRigs(SetConfig(count=count), first_seed, spec.input_size)
    yield from RigValidationStream([rendered], spec.tasks, spec.input_size, cameras)


def _inputs(rig: SeenRig) -> dict[str, NDArray]:
    """Return the inputs of an engine."""
    return {INPUT_IMAGE: rig.images, **{name: one[None] for name, one in rig.tables.items()}}
