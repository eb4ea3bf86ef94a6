# SPDX-License-Identifier: Apache-2.0
"""What the report of a replayed drive shows of depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.records import Chart, Table
from shared_encoder_perception.tasks.depth.metric import SECTION
from shared_encoder_perception.tasks.depth.record import KEY

CHART: Final = Chart("Depth beyond the range", "share", ("beyond",))
SCORES: Final = ("absrel", "delta1", "rmse", "silog", "within_sigma")


def over_time(line: Mapping[str, Any]) -> Mapping[str, float]:
    """Return how much is beyond the range."""
    return {"beyond": line[KEY]["beyond"]}


def score_table(scores: Mapping[str, Any]) -> Table | None:
    """Return the errors over all images."""
    said = scores[SECTION]
    if not said["images"]:
        return None
    return Table("Depth", ("images", *SCORES), [[said["images"], *(said[name] for name in SCORES)]])
