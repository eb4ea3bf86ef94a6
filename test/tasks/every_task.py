# SPDX-License-Identifier: Apache-2.0
"""Labels and perfect answers of every task, the toy among them, made of rendered worlds."""

from functools import lru_cache

import toy_task

from shared_encoder_perception import tasks
from shared_encoder_perception.labels.companions import companions_for
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.depth.depth_msg import pinhole
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, render_sample

assert toy_task.NAME not in tasks.ROOMS, "the tests put the toy over a room of this name"
TASKS = (*tasks.ROOMS, toy_task.NAME)


def world(seed, name=None):
    """Return a rendered sample with the labels of all tasks; with traffic, if one asks for it."""
    room = name and tasks.part(name, "labels")
    return _world(seed, 1.0 if "empty" in getattr(room, "OF_WORLD", ()) else None)


@lru_cache(maxsize=8)
def _world(seed, traffic):
    """Render each once."""
    return render_sample(VALIDATION_SEED + seed, (320, 800), traffic_probability=traffic)


def beside(name, sample):
    """Return the pictures that a network of a task takes beside a sample's image."""
    names = ModelSpec("m", "1", (320, 800), tasks=blocks(name)).companions()
    return companions_for(names, sample.image, sample.labels)


def label_of(name, sample):
    """Return a task's label of a sample."""
    return sample.labels[name]


def ideal_outputs(name, label, transform):
    """Return the tensors of a network that says what the label asks for in this view."""
    size, block = transform.input_size, blocks(name)[name]
    target = tasks.part(name, "target")
    view = tasks.part(name, "labels").view(label, transform)
    return target.ideal(target.encode(view, size, block), size, block)


def perfect_answer(name, label, transform):
    """Return what such a network's outputs are decoded to."""
    room, block = tasks.part(name, "decode"), blocks(name)[name]
    decoder = room.Decoder(block, transform.input_size)
    return decoder(ideal_outputs(name, label, transform), transform, room.Options.of(block))


def published(name, answer):
    """Return the answer as a node publishes it whose camera is known."""
    if not getattr(tasks.part(name, "content"), "NEEDS_CAMERA", False):
        return answer
    values = {one.name: one.default for one in tasks.part(name, "content").PARAMETERS}
    room, size = tasks.part(name, "refine"), (320, 800)
    refiner = room.Refiner(room.options(values.__getitem__))
    return refiner(answer, Moment(size, 1.0, None, pinhole(700.0, size)))
