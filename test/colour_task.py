"""A third task that is only scored, in one file: the mean colour of what the network sees.

``tasks.ROOMS["colour"] = "colour_task"`` puts it into the table. Each class stands for a file of a
room; those that scoring does not ask for are left out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from graph_files import write_graph
from onnx import TensorProto, helper

from shared_encoder_perception.spec import ModelSpec, Tensor, blocks
from shared_encoder_perception.tasks.contract.reports import MODEL, Column, TaskReport, number
from shared_encoder_perception.tasks.contract.scores import FrameScores

NAME = "colour"
NEAR = 10.0
"""A colour is right within so many of 255."""


class spec:  # noqa: N801 - stands for the file
    """spec.py."""

    @dataclass(frozen=True)
    class Block:
        """Nothing but one output tensor."""

        def outputs(self, input_size):
            return {"colour": Tensor("float32", (3,))}

        def inputs(self, input_size):
            return {}


@dataclass(frozen=True)
class Colour:
    """Answer and label: ``bgr``, (3,) 0 to 255."""

    bgr: tuple

    def check(self, image_size):
        if len(self.bgr) != 3:
            raise ValueError(f"colour is {self.bgr}, expected three numbers")


class decode:  # noqa: N801 - stands for the file
    """decode.py."""

    class Options:
        """Nothing to choose."""

        @classmethod
        def of(cls, block):
            return cls()

    class Decoder:
        """Hands the tensor on."""

        def __init__(self, block, input_size):
            pass

        def __call__(self, outputs, transform, options):
            return Colour(tuple(map(float, outputs["colour"])))


class labels:  # noqa: N801 - stands for the file
    """labels.py."""

    KEYS = ("colour",)
    Label = Colour

    @staticmethod
    def faults(record, size):
        return iter(())

    @staticmethod
    def read(record, folder, size):
        return (lambda: Colour(tuple(record["colour"]))) if "colour" in record else None

    @staticmethod
    def of_world(rendered):
        return Colour(tuple(rendered.image.mean(axis=(0, 1)).tolist()))

    @staticmethod
    def view(label, transform):
        return label


class metric:  # noqa: N801 - stands for the file
    """metric.py."""

    SECTION = "colour"
    SCORE = ("colour_right",)
    COLUMNS = ("colour_said", "colour_error")

    class Metric:
        """Colours within ``NEAR``."""

        def __init__(self):
            self.right = self.images = 0
            self.error = 0.0

        def update(self, answer, label, image_size, crop):
            error = np.abs(np.subtract(answer.bgr, label.bgr)).max()
            self.right += int(error < NEAR)
            self.error += float(error)
            self.images += 1

        def merge(self, other):
            for name, value in vars(other).items():
                setattr(self, name, getattr(self, name) + value)

        def compute(self):
            shares = [v / self.images if self.images else np.nan for v in (self.right, self.error)]
            return {"colour": {"right": shares[0], "error": shares[1], "images": self.images}}

    FullMetric = Metric

    @staticmethod
    def headline(by_source):
        pooled = metric.Metric()
        for one in by_source.values():
            pooled.merge(one)
        return {"colour_right": pooled.compute()["colour"]["right"]}

    @staticmethod
    def full_headline(by_source):
        return {}

    @staticmethod
    def record(answer, counted):
        scores = counted.compute()["colour"]
        cells = {"colour_said": "dark" if max(answer.bgr) < 128 else "bright"}
        return FrameScores(
            {**cells, "colour_error": scores["error"]},
            0.0 if np.isnan(scores["right"]) else 1 - scores["right"],
            not np.isnan(scores["right"]),
            (f"colour off by {scores['error']:.1f}",),
            {"colour": scores["right"]},
        )


class baseline:  # noqa: N801 - stands for the file
    """baseline.py."""

    USUAL = "the usual colour"
    NOTHING = "black"

    class Constant:
        """The mean of what it has seen."""

        def __init__(self):
            self.seen = []

        def update(self, label, image_size):
            self.seen.append(label.bgr)

        def answer(self, image_size):
            return Colour(tuple(np.mean(self.seen, axis=0).tolist()))

    @staticmethod
    def nothing(image_size):
        return Colour((0.0, 0.0, 0.0))


class slices:  # noqa: N801 - stands for the file
    """slices.py."""

    RULES = {"shade": "whether green is above 90"}  # noqa: RUF012
    ORDER = ("low", "high")

    @staticmethod
    def slices_of(label, image_size):
        return {"shade": "high" if label.bgr[1] > 90 else "low"}


class report:  # noqa: N801 - stands for the file
    """report.py."""

    @staticmethod
    def terminal(scores, baselines):
        rows = [
            f"{source:<16}{number(sections['colour']['right'], 9)}"
            + "".join(number(said[source]["colour"]["right"], 10) for said in baselines.values())
            for source, sections in scores.items()
        ]
        return ["source             colour" + "".join(f"{name:>10}" for name in baselines), *rows]

    @staticmethod
    def write(page, summary):
        page.section("Mean colour")
        rows = [[source, said["colour"]["error"]] for source, said in summary["sources"].items()]
        page.table(("source", MODEL), rows)


report.REPORT = TaskReport(
    headlines={"colour_right": "Colours right"},
    pooling="colours are pooled",
    spreads={"colour": "right colours"},
    faults="one for a wrong colour",
    slice_counts=(Column("with colour", lambda scores: scores["colour"]["images"]),),
    slice_scores=(Column("colours right", lambda scores: scores["colour"]["right"]),),
    card_columns=(Column("colours right", lambda scores: scores["colour"]["right"]),),
    terminal=report.terminal,
    write=report.write,
)


def write_colour_model(path: Path, *others: str) -> Path:
    """Write a model that answers the mean colour, and other tasks with zeros."""
    found = ModelSpec("colours", "1", tasks=blocks(*others, NAME))
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["colour"], keepdims=0),
        helper.make_node("Shape", ["image"], ["batch"], start=0, end=1),
    ]
    arrays = {"axes": np.array([1, 2])}
    for name, tensor in found.output_tensors().items():
        if name != "colour":
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
            zero = helper.make_tensor("value", kind, [1], np.zeros(1, tensor.dtype))
            arrays[f"{name}_s"] = np.array(tensor.shape, np.int64)
            nodes += [
                helper.make_node("Concat", ["batch", f"{name}_s"], [f"{name}_shape"], axis=0),
                helper.make_node("ConstantOfShape", [f"{name}_shape"], [name], value=zero),
            ]
    return write_graph(path, found, nodes, arrays)
