# SPDX-License-Identifier: Apache-2.0
"""What the report of a replayed drive shows of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.records import Chart, Table
from shared_encoder_perception.tasks.semantic.metric import SECTION
from shared_encoder_perception.tasks.semantic.record import KEY

CHART: Final = Chart("Classes", "share", ("mean_confidence",))


def over_time(line: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the confidence."""
    return {"mean_confidence": line[KEY]["mean_confidence"]}


def score_table(scores: Mapping[str, Any]) -> Table | None:
    """Return the scores of all classes that were labelled."""
    said = scores[SECTION]
    if not said["images"]:
        return None
    keys = ("iou", "precision", "recall", "pixels", "images")
    rows = [
        [name, *(one[key] for key in keys)]
        for name, one in said["classes"].items()
        if one["pixels"]
    ]
    rows.append(["mean", said["miou"], None, None, None, said["images"]])
    return Table("Classes", ("class", "IoU", *keys[1:]), rows)
