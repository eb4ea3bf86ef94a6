# SPDX-License-Identifier: Apache-2.0
"""What is learned of the toy's task, and how right it is: its labels, targets, head, loss, metric.

Each class stands for a file of a room, as in ``toy_task``, which has the others.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from shared_encoder_perception.tasks.contract.reports import Column, TaskReport
from shared_encoder_perception.tasks.contract.scores import FrameScores

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
