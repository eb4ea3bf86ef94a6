# SPDX-License-Identifier: Apache-2.0
"""One integer confusion matrix, pooled over images, and what follows from it.

As Cityscapes scores (Cordts et al. 2016): a pixel that is not labelled counts nowhere; one that is
labelled counts as missed if another class is said of it, or none; a class of which there is neither
a label nor an answer has no score and is left out of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table


@dataclass(frozen=True, eq=False)
class ClassScores:
    """How well each class was found; (C,) float64, NaN where there is nothing to score.

    Attributes:
        iou: TP / (TP + FP + FN).
        precision: TP / (TP + FP).
        recall: TP / (TP + FN).
        pixels: Labelled.
    """

    iou: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    pixels: NDArray[np.int64]


def counted(said: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Count the pixels of an image.

    Args:
        said: (H, W) ids below ``classes``, or 255.
        truth: The same size, of the same table; 255 for what is not labelled.
        classes: How many there are.

    Returns:
        (classes, classes + 1): rows are labels, columns what was said, the last one nothing.

    Raises:
        ValueError: The two are of different size.
    """
    if said.shape != truth.shape:
        raise ValueError(f"prediction is {said.shape}, label is {truth.shape}")
    pairs = truth.astype(np.intp) * 256 + said
    table = np.bincount(pairs.ravel(), minlength=256 * 256).reshape(256, 256)
    columns = [*range(classes), UNLABELLED]
    return np.ascontiguousarray(table[:classes][:, columns])


def class_scores(matrix: NDArray[np.int64]) -> ClassScores:
    """Score each class of a matrix of ``counted``."""
    right = np.diagonal(matrix).astype(np.float64)
    labelled = matrix.sum(axis=1)
    said = matrix[:, :-1].sum(axis=0)
    return ClassScores(
        _ratio(right, labelled + said - right),
        _ratio(right, said),
        _ratio(right, labelled),
        labelled.astype(np.int64),
    )


def merged(matrix: NDArray[np.int64], groups: list[int], count: int) -> NDArray[np.int64]:
    """Return the matrix of groups of classes: confusion inside a group is right.

    Args:
        matrix: Of ``counted``.
        groups: Of each class, 0 to ``count`` - 1.
        count: Of the groups.
    """
    to_group = np.zeros((len(groups), count), np.int64)
    to_group[np.arange(len(groups)), groups] = 1
    inside = to_group.T @ matrix[:, :-1] @ to_group
    return np.concatenate((inside, to_group.T @ matrix[:, -1:]), axis=1)


def scores_of(matrix: NDArray[np.int64], images: NDArray[np.int64], classes: Table) -> dict:
    """Return all scores as JSON can hold them.

    Args:
        matrix: Of ``counted``, pooled.
        images: (C,) how many images show the class, by their labels.
        classes: The table.
    """
    each = class_scores(matrix)
    categories = list(dict.fromkeys(one.category for one in classes if one.category))
    groups = [
        categories.index(one.category) if one.category else len(categories) for one in classes
    ]
    by_category = class_scores(merged(matrix, groups, len(categories) + 1)).iou[: len(categories)]
    per_class: dict[str, dict[str, Any]] = {
        one.name: {
            "iou": float(each.iou[one.id]),
            "precision": float(each.precision[one.id]),
            "recall": float(each.recall[one.id]),
            "pixels": int(each.pixels[one.id]),
            "images": int(images[one.id]),
        }
        for one in classes
    }
    labelled = int(matrix.sum())
    return {
        "miou": mean(each.iou),
        "category_iou": mean(by_category),
        "pixel_accuracy": float(np.trace(matrix)) / labelled if labelled else float("nan"),
        "classes": per_class,
        "categories": {name: float(iou) for name, iou in zip(categories, by_category, strict=True)},
    }


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean of those that are numbers; NaN for none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    """Divide; NaN for nothing of nothing."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
