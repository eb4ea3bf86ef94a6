# SPDX-License-Identifier: Apache-2.0
"""A task that is none of the package's: how green is an image? And models that answer it alone.

``monkeypatch.setitem(tasks.ROOMS, NAME, "green_task")`` adds it to the table. Each class stands for
a file of a room.
"""

from dataclasses import dataclass

import numpy as np
from graph_files import write_graph
from onnx import TensorProto, helper

from shared_encoder_perception.spec import ModelSpec, Tensor
from shared_encoder_perception.tasks.contract.comparisons import (
    AGREEMENT,
    FRAMES,
    HIGHER,
    LOWER,
    DriftTexts,
    Limit,
    Reason,
    SummedScore,
)
from shared_encoder_perception.tasks.contract.scores import FrameScores
from shared_encoder_perception.tasks.sums import share

NAME = "greenness"
SIZE = (64, 160)


def write_green_model(path, version="1", more=0.0):
    """Write a model whose greenness is the mean of all channels, 0 to 1, and ``more``."""
    promised = ModelSpec("green", version, input_size=SIZE, tasks={NAME: spec.Block()})
    nodes = [
        helper.make_node("Cast", ["image"], ["float_image"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float_image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["share"]),
        helper.make_node("Add", ["share", "more"], ["sum"]),
        helper.make_node("Unsqueeze", ["sum", "last"], ["green"]),
    ]
    arrays = {
        "axes": np.array([1, 2, 3]),
        "scale": np.array(1 / 255, np.float32),
        "more": np.array(more, np.float32),
        "last": np.array([1]),
    }
    return write_graph(path, promised, nodes, arrays)


class spec:  # noqa: N801 - stands for the file spec.py, as those below for theirs
    @dataclass(frozen=True)
    class Block:
        """Nothing to be said."""

        def outputs(self, input_size):
            return {"green": Tensor("float32", (1,))}

        def inputs(self, input_size):
            return {}


@dataclass(frozen=True)
class Green:
    """Answer and label: a ``share`` from 0 to 1."""

    share: float

    def check(self, image_size):
        pass


class decode:  # noqa: N801
    @dataclass(frozen=True)
    class Options:
        """Nothing to be set."""

        @classmethod
        def of(cls, block):
            return cls()

    class Decoder:
        """Takes the number."""

        def __init__(self, block, input_size):
            pass

        def __call__(self, outputs, transform, options):
            return Green(float(outputs["green"][0]))


class labels:  # noqa: N801
    KEYS = ("green",)
    Label = Green

    @staticmethod
    def faults(record, size):
        return iter(())

    @staticmethod
    def read(record, folder, size):
        return (lambda: Green(record["green"])) if "green" in record else None

    @staticmethod
    def view(label, transform):
        return label


class metric:  # noqa: N801
    SECTION = "green"
    SCORE = ("green_right",)
    COLUMNS = ("green_error",)

    class Metric:
        """Keeps the errors."""

        def __init__(self):
            self.errors = []

        def update(self, said, label, image_size, crop):
            self.errors.append(abs(said.share - label.share))

        def merge(self, other):
            self.errors += other.errors

        def compute(self):
            return {"green": {"right": 1 - float(np.mean(self.errors or [np.nan]))}}

    FullMetric = Metric

    @staticmethod
    def headline(by_source):
        errors = [error for one in by_source.values() for error in one.errors]
        return {"green_right": 1 - float(np.mean(errors or [np.nan]))}

    @staticmethod
    def full_headline(by_source):
        return {}

    @staticmethod
    def record(said, counted):
        error = sum(counted.errors)
        words = (f"green off by {error:.2f}",)
        return FrameScores({"green_error": error}, error, bool(counted.errors), words)


class record:  # noqa: N801
    FILES = {}  # noqa: RUF012
    DETECTABLE = ()

    @staticmethod
    def detected(said):
        return ()


class drift:  # noqa: N801
    COLUMNS = ("share", "right", "labelled", "apart", "pairs")
    THINGS = None
    TEXTS = DriftTexts("all colours", "how far the greenness is off", "the difference")
    SCORES = (
        SummedScore("green_right", HIGHER, share("right", "labelled"), limit=Limit(0.01)),
        SummedScore("green_share", 0, share("share", FRAMES), place=50),
        SummedScore(
            f"{AGREEMENT}green",
            LOWER,
            share("apart", "pairs"),
            perfect=0.0,
            limit=Limit(0.1),
            place=90,
        ),
    )

    @staticmethod
    def answer_counts(said, crop):
        return {"share": said.share}

    @staticmethod
    def label_counts(basic, full, shares):
        return {"right": sum(1 - error for error in basic.errors), "labelled": len(basic.errors)}

    @staticmethod
    def agreement_counts(one, other, crop):
        return {"apart": abs(one.share - other.share), "pairs": 1.0}

    @staticmethod
    def apart(one, other, image_size, crop):
        return {"green": abs(one.share - other.share)}

    @staticmethod
    def words(said):
        return (f"green {said.share:.2f}",)


class reasons:  # noqa: N801
    REASONS = {"too_green": "hardly anything on a road is green"}  # noqa: RUF012
    NOTHING = ""

    @staticmethod
    def reasons(said, crop):
        return {"too_green": Reason(said.share, f"{said.share:.0%} green")}

    @staticmethod
    def planes(said, crop):
        return ()
