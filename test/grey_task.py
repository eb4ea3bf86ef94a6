# SPDX-License-Identifier: Apache-2.0
"""A small third task, and a model that answers nothing else: how grey is the image, 0 to 1?

``monkeypatch.setitem(tasks.ROOMS, grey_task.NAME, grey_task.__name__)`` puts it into the table. It
has what ``predict`` and ``replay`` ask for, and what rooms may do without too: it remembers earlier
images, sends something once for each model, and reads labels from a bag.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from graph_files import write_graph
from onnx import TensorProto, helper

from shared_encoder_perception.spec import ModelSpec, Tensor
from shared_encoder_perception.tasks.contract.runtime import Topic
from shared_encoder_perception.tasks.parameter import Parameter

NAME = "grey"
KIND = "sensor_msgs/msg/Illuminance"


@dataclass(frozen=True)
class Block:
    """``light_from``: from how much grey on an image is light."""

    light_from: float = 0.2

    def outputs(self, input_size):
        return {"grey": Tensor("float32", (1,))}

    def inputs(self, input_size):
        return {}


@dataclass(frozen=True, eq=False)
class Answer:
    """``value``: how grey; ``seen``: images that it is the mean of."""

    value: float
    light_from: float = 0.2
    seen: int = 1

    def check(self, image_size):
        pass


Label = Answer


@dataclass(frozen=True)
class Options:
    """As of the block."""

    light_from: float

    @classmethod
    def of(cls, block):
        return cls(block.light_from)


class Decoder:
    """Takes the number as it is."""

    def __init__(self, block, input_size):
        pass

    def __call__(self, outputs, transform, options):
        return Answer(float(outputs["grey"][0]), options.light_from)


class Refiner:
    """Answers with the mean of all images of a drive."""

    def __init__(self, options):
        self.options, self._values = options, []

    def __call__(self, answer, moment):
        assert moment.stamp_s > 0
        self._values.append(answer.value)
        return Answer(float(np.mean(self._values)), answer.light_from, len(self._values))

    def end_drive(self):
        self._values.clear()


class Metric:
    """Mean distance from the label."""

    def __init__(self):
        self.error, self.images = 0.0, 0

    def update(self, answer, label, image_size, crop):
        self.error += abs(answer.value - label.value)
        self.images += 1

    def merge(self, other):
        self.error += other.error
        self.images += other.images

    def compute(self):
        error = self.error / self.images if self.images else float("nan")
        return {NAME: {"error": error, "images": self.images}}


def messages(answer, context, new):
    """Return the messages of an answer."""

    def value():
        message = new(KIND)
        message.header = context.header
        message.illuminance, message.variance = float(answer.value), float(answer.seen)
        return message

    return {"grey/value": value}


def announce(block, options, header, new):
    """Return what makes what is sent once."""

    def message():
        message = new(KIND)
        message.header, message.illuminance = header, float(block.light_from)
        return message

    return {"grey/light_from": message}


def read(found, image_size):
    """Return the answer of its message."""
    message = found["grey/value"]
    return Answer(float(message.illuminance), seen=int(message.variance))


def paint(canvas, answer, scale):
    """Fill a corner (in place)."""
    canvas[-20:, -20:] = round(255 * answer.value)


def result(answer, crop):
    """Return the keys of a result."""
    return {NAME: round(answer.value, 4), "grey_seen": answer.seen}


def detected(answer):
    """Say whether it is light."""
    return ["light"] if answer.value >= answer.light_from else []


def scores(counted):
    """Return the keys of the scores."""
    return {"grey_error": round(counted.error, 4) if counted.images else None}


def headline(by_source):
    """Return the error of all sources."""
    return {"grey_error": sum(one.error for one in by_source.values())}


spec = SimpleNamespace(Block=Block)
decode = SimpleNamespace(Options=Options, Decoder=Decoder)
refine = SimpleNamespace(Refiner=Refiner, options=lambda value: value("tracking.enabled"))
labels = SimpleNamespace(
    Label=Label,
    KEYS=(NAME,),
    faults=lambda record, size: iter(()),
    read=lambda record, folder, size: (
        (lambda: Label(record[NAME])) if record.get(NAME) is not None else None
    ),
)
metric = SimpleNamespace(
    Metric=Metric, SECTION=NAME, SCORE=(), COLUMNS=(), headline=headline, full_headline=dict
)
content = SimpleNamespace(
    TOPICS=(Topic("grey/value", KIND, last=True), Topic("grey/light_from", KIND, latched=True)),
    PARAMETERS=(Parameter("tracking.enabled", False, "Whether to take the mean of a drive."),),
    messages=messages,
    announce=announce,
    read=read,
    options=lambda value, block: Options.of(block),
    fill_info=lambda message, block: None,
)
draw = SimpleNamespace(
    LAYER=5,
    paint=paint,
    legend=lambda answer: [(f"grey {answer.value:.2f}", (255, 255, 255))],
    resized=lambda answer, image_size, size: answer,
)
record = SimpleNamespace(
    FILES={},
    DETECTABLE=("light",),
    detected=detected,
    prediction=lambda answer, out, picture: {NAME: round(answer.value, 4)},
    result=result,
    scores=scores,
)
bag_labels = SimpleNamespace(
    KINDS=(KIND,), add=lambda label, message: Label(float(message.illuminance))
)


def write_grey_model(path: Any) -> SimpleNamespace:
    """Write a model that answers this task alone; return it as ``tiny_model.write_models`` does.

    The task must be in the table.
    """
    promised = ModelSpec("grey", "1", (32, 64), tasks={NAME: Block()})
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("ReduceMean", ["flat", "axes"], ["mean"], keepdims=1),
        helper.make_node("Div", ["mean", "white"], [NAME]),
    ]
    arrays = {"axes": np.array([1]), "white": np.array([255.0], np.float32)}
    return SimpleNamespace(tiny=write_graph(path, promised, nodes, arrays))
