# SPDX-License-Identifier: Apache-2.0
"""Rows of the result: one combination, from what is known beforehand to what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared_encoder_perception.artifact.file import CHECKPOINT, ArtifactError, read_model
from shared_encoder_perception.artifact.remote import StoreError
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.benchmark.combinations import Combination
from shared_encoder_perception.benchmark.graph_cost import GraphCostError, count


def new_row(combination: Combination) -> dict[str, Any]:
    """Return the row of a combination that was not measured yet; see ``run`` for its keys."""
    return {
        "label": combination.label,
        "name": combination.name,
        "model": combination.model,
        "engine": combination.engine,
        "precision": combination.precision,
        "threads": combination.threads,
        "device": combination.device,
        "peer": combination.peer,
        "rig": combination.rig,
        "ran": False,
        "reason": "",
        "notes": [],
        "cost": None,
        "cold_start": None,
        "stages": {},
        "images_per_s": None,
        "share_of_limit": None,
        "operators": [],
        "other_share": None,
    }


def add_cost(row: dict[str, Any], combination: Combination) -> None:
    """Count the model's parameters and work, or note why not."""
    path = Path(combination.model)
    if path.suffix == CHECKPOINT:
        row["notes"].append("its work is not counted: a checkpoint has no graph")
        return
    try:
        model = read_model(fetch(combination.model))
        cost = count(model, combination.size, combination.batch)
    except GraphCostError as error:
        row["notes"].append(f"its work is not counted: {error}")
        return
    except (ArtifactError, StoreError):  # loading it says the same
        return
    row["cost"] = asdict(cost)
    if cost.uncounted:
        row["notes"].append(f"GMAC leaves out its {', '.join(cost.uncounted)}")


def overhead(stages: Mapping[str, float]) -> dict[str, float]:
    """Add to the node's stages what it adds to inference, in milliseconds."""
    return {**stages, "overhead": stages["total"] - stages["inference"]}
