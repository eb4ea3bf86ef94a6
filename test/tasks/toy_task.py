"""A whole task in one file: how bright is each cell of a grid of 8 x 8 over what the network sees?

It lives in no room of the package. ``tasks.ROOMS["brightness"] = "toy_task"`` is all that is needed
for it to be trained, exported, run on every engine, published, recorded, scored and drawn. Each
class stands for a file of a room; ``tasks/contract`` says what each of them holds.

    python test/tasks/toy_task.py predict --model toy.onnx --input pictures --out answers

runs a command of the package with this task in its table; ``node --ros-args ...`` the node.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.spec import Tensor, expect
from shared_encoder_perception.tasks.contract.reports import Column, TaskReport
from shared_encoder_perception.tasks.contract.runtime import Topic
from shared_encoder_perception.tasks.contract.scores import FrameScores
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN, threshold

NAME = "brightness"
CELLS = 8
TOLERANCE = 0.05


def cells_of(plane):
    """Return the (8, 8) means of a plane, of what is known of each cell; NaN for nothing."""
    rows = [
        [_mean(cell) for cell in np.array_split(row, CELLS, axis=1)]
        for row in np.array_split(plane, CELLS, axis=0)
    ]
    return np.array(rows, np.float32)


def _mean(values):
    """Mean of the known values."""
    known = values[np.isfinite(values)]
    return known.mean() if known.size else np.nan


def grey_of(image):
    """Return the brightness (H, W) of a picture, 0 to 1."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255


class spec:  # noqa: N801 - stands for the file spec.py
    """spec.py."""

    @dataclass(frozen=True)
    class Block:
        """``bright_from``: brightness from which a cell counts as bright, 0 to 1."""

        bright_from: float = 0.5

        def __post_init__(self):
            expect(0 <= self.bright_from <= 1, "bright_from", self.bright_from, "0 to 1")

        def outputs(self, input_size):
            return {"brightness": Tensor("float32", (CELLS, CELLS))}

        def inputs(self, input_size):
            return {}


class answer:  # noqa: N801
    """answer.py."""

    @dataclass(frozen=True, eq=False)
    class Answer:
        """``plane``: (H, W) float32, each pixel its cell's brightness; NaN where unseen."""

        plane: np.ndarray
        bright_from: float = 0.5

        def check(self, image_size):
            if self.plane.shape != tuple(image_size):
                raise ValueError(f"brightness is {self.plane.shape}, expected {image_size}")


class decode:  # noqa: N801
    """decode.py."""

    @dataclass(frozen=True)
    class Options:
        """``bright_from`` as of the block."""

        bright_from: float

        @classmethod
        def of(cls, block):
            return cls(block.bright_from)

    class Decoder:
        """Paints each cell where it was seen."""

        def __init__(self, block, input_size):
            self._size = input_size

        def __call__(self, outputs, transform, options):
            height, width = self._size
            grid = cv2.resize(
                outputs["brightness"], (width, height), interpolation=cv2.INTER_NEAREST
            )
            x, y, width, height = transform.content
            crop = transform.crop
            plane = np.full(transform.image_size, np.nan, np.float32)
            plane[crop.window] = cv2.resize(
                grid[y : y + height, x : x + width],
                (crop.width, crop.height),
                interpolation=cv2.INTER_NEAREST,
            )
            return answer.Answer(plane, options.bright_from)


class draw:  # noqa: N801
    """draw.py."""

    LAYER = 5

    @staticmethod
    def paint(canvas, said, scale):
        seen = np.isfinite(said.plane)
        canvas[seen] = canvas[seen] // 2 + (127 * said.plane[seen, None]).astype(np.uint8)

    @staticmethod
    def legend(said):
        return [(f"brightness {np.nanmean(said.plane):.2f}", (255, 255, 255))]

    @staticmethod
    def paint_label(canvas, label, scale):
        known = np.isfinite(label.plane)
        canvas[known] = (255 * label.plane[known, None]).astype(np.uint8)

    @staticmethod
    def outline_label(canvas, label):
        pass  # a brightness has no edge

    @staticmethod
    def resized(said, image_size, size):
        plane = cv2.resize(said.plane, size[::-1], interpolation=cv2.INTER_NEAREST)
        return answer.Answer(plane, said.bright_from)


class labels:  # noqa: N801
    """labels.py."""

    KEYS = ("brightness",)
    IN_FILES = True

    @dataclass(frozen=True, eq=False)
    class Label:
        """``plane``: (H, W) float32 brightness of each pixel, NaN where it is not known."""

        plane: np.ndarray

        def check(self, image_size):
            if self.plane.shape != tuple(image_size):
                raise ValueError(f"brightness is {self.plane.shape}, expected {image_size}")

    @staticmethod
    def faults(record, size):
        if not isinstance(record.get("brightness", ""), str):
            yield f"brightness is {record['brightness']!r}, expected the path of a picture"

    @staticmethod
    def read(record, folder, size):
        if not record.get("brightness"):
            return None
        path = folder / record["brightness"]
        return lambda: labels.Label(grey_of(cv2.imread(str(path))))

    @staticmethod
    def write(label, folder, picture):
        path = Path("brightness") / picture.with_suffix(".png")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / path), (255 * np.nan_to_num(label.plane)).round().astype(np.uint8))
        return {"brightness": path.as_posix()}

    @staticmethod
    def merge(first, second):
        same = np.array_equal(first.plane, second.plane, equal_nan=True)
        return first, [] if same else [("brightness", None)]

    @staticmethod
    def of_world(rendered):
        return labels.Label(grey_of(rendered.image))

    @staticmethod
    def view(label, transform):
        crop, content = transform.crop, transform.content
        part = label.plane[crop.window]
        plane = np.full(transform.input_size, np.nan, np.float32)
        plane[content.y : content.y + content.height, content.x : content.x + content.width] = (
            cv2.resize(part, (content.width, content.height), interpolation=cv2.INTER_NEAREST)
        )
        return labels.Label(plane)

    @staticmethod
    def mirror(label, width):
        return labels.Label(np.ascontiguousarray(label.plane[:, ::-1]))

    @staticmethod
    def warp(label, matrix, size):
        plane = cv2.warpAffine(
            label.plane, matrix, size[::-1], flags=cv2.INTER_NEAREST, borderValue=float("nan")
        )
        return labels.Label(plane)

    @staticmethod
    def inside(label, crop):
        plane = np.full_like(label.plane, np.nan)
        part = crop.window
        plane[part] = label.plane[part]
        return labels.Label(plane)

    @staticmethod
    def still_true(label, size):
        return True


class target:  # noqa: N801
    """target.py."""

    @staticmethod
    def encode(label, size, block):
        cells = np.full((CELLS, CELLS), np.nan, np.float32)
        if label is not None:
            cells = cells_of(label.plane)
        known = np.isfinite(cells)
        return {"cells": np.nan_to_num(cells), "known": known.astype(np.float32)}

    @staticmethod
    def ideal(targets, size, block):
        return {"brightness": targets["cells"]}


class head:  # noqa: N801
    """head.py."""

    @staticmethod
    def make_head(widths, config):
        from torch import nn

        from shared_encoder_perception.layers.neck import upsample

        class Head(nn.Module):
            """One number for each cell of the shared map, averaged to the grid."""

            def __init__(self):
                super().__init__()
                self.brightness = nn.Conv2d(widths.neck, 1, 1)

            def forward(self, features):
                grid = upsample(self.brightness(features.neck), (CELLS, CELLS))
                return {"brightness": grid[:, 0]}

        return Head()

    @staticmethod
    def finish(logits, size, block):
        return {"brightness": logits["brightness"].float().clamp(0, 1)}


class loss:  # noqa: N801
    """loss.py."""

    PARTS = {"brightness": {"brightness": 1.0}}  # noqa: RUF012

    @staticmethod
    def make_loss(config):
        from torch import nn

        class Loss(nn.Module):
            """Mean square error of the cells that are known."""

            def forward(self, logits, targets):
                error = (logits["brightness"].float() - targets["cells"]).square()
                known = targets["known"]
                return {"brightness": (error * known).sum() / known.sum().clamp(min=1)}

        return Loss()


class metric:  # noqa: N801
    """metric.py."""

    SECTION = "brightness"
    SCORE = ("brightness_right",)
    COLUMNS = ("brightness_error",)

    class Metric:
        """Cells within ``TOLERANCE`` of the labelled brightness."""

        def __init__(self):
            self.right = self.cells = self.images = 0
            self.error = 0.0

        def update(self, said, label, image_size, crop):
            part = crop.window
            error = np.abs(cells_of(said.plane[part]) - cells_of(label.plane[part]))
            known = error[np.isfinite(error)]
            self.right += int((known < TOLERANCE).sum())
            self.cells += known.size
            self.error += float(known.sum())
            self.images += 1

        def merge(self, other):
            for name, value in vars(other).items():
                setattr(self, name, getattr(self, name) + value)

        def compute(self):
            share, error = (
                (self.right / self.cells, self.error / self.cells)
                if self.cells
                else (float("nan"),) * 2
            )
            return {"brightness": {"right": share, "error": error, "images": self.images}}

    FullMetric = Metric

    @staticmethod
    def headline(by_source):
        whole = metric.Metric()
        for one in by_source.values():
            whole.merge(one)
        return {"brightness_right": whole.compute()["brightness"]["right"]}

    @staticmethod
    def full_headline(by_source):
        return {}

    @staticmethod
    def shipped_scores(scores):
        return {"brightness_right": scores["brightness"]["right"]}

    @staticmethod
    def record(said, counted):
        scores = counted.compute()["brightness"]
        error = scores["error"]
        return FrameScores(
            {"brightness_error": error},
            0.0 if np.isnan(error) else error,
            not np.isnan(error),
            (f"brightness off by {error:.3f}",),
        )


class content:  # noqa: N801
    """content.py: each image's cells as a picture of 32-bit floats, NaN where nothing was seen."""

    TOPIC = "brightness/plane"
    KIND = "sensor_msgs/msg/Image"
    TOPICS = (Topic(TOPIC, KIND),)
    PARAMETERS = (threshold("brightness.bright_from", "Brightness of a bright cell."),)
    FOUND = ("bright",)

    @staticmethod
    def messages(said, context, new):
        def plane():
            message = new(content.KIND)
            message.header = context.header
            height, width = (int(side) for side in said.plane.shape)
            message.height, message.width, message.encoding = height, width, "32FC1"
            message.step = 4 * width
            message.data = pack(message.data, said.plane.astype("<f4").view(np.uint8), np.uint8)
            return message

        return {content.TOPIC: plane}

    @staticmethod
    def read(messages, image_size):
        if content.TOPIC not in messages:
            raise LookupError(f"there is no message on {content.TOPIC}")
        message = messages[content.TOPIC]
        plane = np.frombuffer(bytes(message.data), "<f4").reshape(message.height, message.width)
        said = answer.Answer(plane)
        said.check(image_size)
        return said

    @staticmethod
    def options(value, block):
        asked = value("brightness.bright_from")
        return decode.Options.of(block) if asked == MODEL_OWN else decode.Options(asked)

    @staticmethod
    def found(said):
        return content.FOUND if np.nanmax(said.plane) >= said.bright_from else ()

    @staticmethod
    def fill_info(message, block):
        pass  # ModelInfo has no field of ours


class record:  # noqa: N801
    """record.py."""

    FILES = {}  # noqa: RUF012
    DETECTABLE = ("bright",)

    @staticmethod
    def detected(said):
        return content.found(said)

    @staticmethod
    def prediction(said, out, picture):
        height, width = said.plane.shape
        rows, columns = (
            ((np.arange(CELLS) + 0.5) * side / CELLS).astype(int) for side in (height, width)
        )
        grid = said.plane[np.ix_(rows, columns)].astype(float).round(4)
        return {"brightness": [[None if np.isnan(v) else v for v in row] for row in grid.tolist()]}

    @staticmethod
    def result(said, crop):
        return {"brightness": round(float(np.nanmean(said.plane[crop.window])), 4)}

    @staticmethod
    def scores(counted):
        error = counted.compute()["brightness"]["error"]
        return {"brightness_error": None if np.isnan(error) else round(error, 4)}

    @staticmethod
    def different(line, said, crop):
        return (
            [] if record.result(said, crop)["brightness"] == line["brightness"] else ["brightness"]
        )


class report:  # noqa: N801
    """report.py."""

    REPORT = TaskReport(
        headlines={"brightness_right": "Cells right"},
        slice_scores=(Column("cells right", lambda scores: scores["brightness"]["right"]),),
        card_columns=(
            Column("cells right", lambda scores: scores["brightness"]["right"]),
            Column("error", lambda scores: scores["brightness"]["error"]),
        ),
    )


if __name__ == "__main__":
    from shared_encoder_perception.__main__ import main

    tasks.ROOMS[NAME] = Path(__file__).stem
    sys.path.insert(0, str(Path(__file__).parent))
    command, *arguments = sys.argv[1:]
    if command == "node":
        from shared_encoder_perception.node.perception_node import main as run_node

        sys.exit(run_node([command, *arguments]))
    sys.exit(main([command, *arguments]))
