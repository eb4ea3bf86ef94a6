# SPDX-License-Identifier: Apache-2.0
"""What decoders learn from samples after training: what is usual, and what to believe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.tensors import check_outputs
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.evaluation.evaluate import SYNTHETIC, Frame
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.companions import network_inputs
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.labels.view import view_sample
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.training import Events


def learn_priors(
    spec: ModelSpec, samples: Iterable[Sample], names: Collection[str] | None = None
) -> ModelSpec:
    """Return ``spec`` with what labels alone teach the decoders.

    Args:
        spec: Of the network.
        samples: Labelled images of any size.
        names: Of the tasks that learn; ``None`` for all.

    Raises:
        ValueError: Too few of them.
    """
    priors = {
        name: room.Priors(spec.tasks[name], spec.input_size)
        for name, room in tasks.parts("priors", spec.tasks if names is None else names).items()
    }
    if not priors:
        return spec
    for sample in samples:
        size = (sample.image.shape[0], sample.image.shape[1])
        view = view_sample(sample, ImageTransform.fit(size, spec.input_size))
        for name, one in priors.items():
            if name in view.labels:
                one.update(view.labels[name])
    return _with(spec, {name: one.fit() for name, one in priors.items()})


def uncalibrated(spec: ModelSpec) -> ModelSpec:
    """Return ``spec`` without calibration and scores; thresholds stay until they are fitted."""
    rooms = tasks.parts("calibrate", spec.tasks)
    raw = {name: room.uncalibrated(spec.tasks[name]) for name, room in rooms.items()}
    return replace(_with(spec, raw), scores={})


def collect_events(
    backend: Backend, frames: Iterable[Frame], names: Collection[str] | None = None
) -> dict[str, Events]:
    """Run a model over labelled frames once, for all that is fitted.

    Args:
        backend: A model without calibration.
        frames: Held out of training; ``synthetic`` is the source of worlds.
        names: Of the tasks that are fitted; ``None`` for all.

    Returns:
        What each task that can be calibrated learned from.

    Raises:
        ValueError: The model is calibrated already.
    """
    spec = backend.spec
    if uncalibrated(spec).tasks != spec.tasks:
        raise ValueError(
            f"the model {spec.name} is calibrated already, expected raw scores: "
            "give it `uncalibrated` of its spec first"
        )
    events: dict[str, Events] = {
        name: room.Events(spec.tasks[name], spec.input_size)
        for name, room in tasks.parts("calibrate", spec.tasks if names is None else names).items()
    }
    if not events:
        return {}
    for source, sample, crop in frames:
        size = (sample.image.shape[0], sample.image.shape[1])
        transform = ImageTransform.fit(size, spec.input_size, crop, shrink=spec.shrink)
        found = backend.infer(network_inputs(spec, sample, transform))
        check_outputs(found, spec.output_tensors(), 1)
        outputs = {name: array[0] for name, array in found.items()}
        for name, one in events.items():
            if name in sample.labels:
                real, label = source != SYNTHETIC, sample.labels[name]
                one.update(source, real, outputs, transform, label)
    return events


def calibrated(spec: ModelSpec, events: Mapping[str, Events]) -> ModelSpec:
    """Return ``spec`` with the calibration that ``events`` teach.

    Args:
        spec: Of the uncalibrated model.
        events: By task, as ``collect_events`` returns them.
    """
    return _with(spec, {name: one.fit() for name, one in events.items()})


def _with(spec: ModelSpec, blocks: Mapping[str, object]) -> ModelSpec:
    """Return ``spec`` with other blocks of some of its tasks."""
    return replace(spec, tasks={**spec.tasks, **blocks})
