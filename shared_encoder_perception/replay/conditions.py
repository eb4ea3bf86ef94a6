# SPDX-License-Identifier: Apache-2.0
"""What a result depends on: the first line of ``results.jsonl``. No times, no folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.bag_identity import bag_identity
from shared_encoder_perception.images.bags import bag_name
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec

FORMAT: Final = 1
"""Of the lines; goes up when an older reader would misread them."""


def conditions_of(
    predictor: Predictor,
    bag: Path,
    topic: str,
    labels: str,
    *,
    crop: Crop | None,
    tracking: bool,
    limit: int | None,
    companions: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the conditions of one replay, with what each task's decoder is told.

    Args:
        predictor: The model and its engine.
        bag: The bag; its name counts, without its folder, and its content.
        topic: Of the images.
        labels: The topic of the labels, or the hash of their file; empty for none.
        crop: Part of the images that was used; ``None`` for the default.
        tracking: Whether things were followed from image to image.
        limit: Number of images to stop after; ``None`` for all.
        companions: Where pictures come from that images were compared with, by their names.
    """
    options = {
        key: list(value) if isinstance(value, tuple) else value
        for told in predictor.options.values()
        for key, value in asdict(told).items()
    }
    return {
        "format": FORMAT,
        **model_conditions(predictor.spec, predictor.backend.info),
        **options,
        "bag": bag_name(bag),
        "bag_content": bag_identity(bag),
        "topic": topic,
        "labels": labels,
        "crop": list(crop) if crop else None,
        "tracking": tracking,
        "limit": limit,
        **({"companions": dict(companions)} if companions else {}),
    }


def model_conditions(spec: ModelSpec, info: BackendInfo) -> dict[str, Any]:
    """Return what the result depends on of the model and of what runs it."""
    return {
        "model": spec.name,
        "version": spec.version,
        "sha256": info.sha256,
        "backend": info.name,
        "backend_version": info.version,
        "device": info.device,
        "precision": info.precision,
        "threads": info.threads,
    }


def for_people(conditions: Mapping[str, Any]) -> dict[str, str]:
    """Return the conditions as a report shows them."""
    engine = [conditions[key] for key in ("backend", "backend_version", "device", "precision")]
    crop, companions = conditions["crop"], conditions.get("companions", {})
    return {
        "model": f"{conditions['model']} {conditions['version']}",
        "model sha256": conditions["sha256"],
        "engine": ", ".join([*engine, f"{conditions['threads']} threads"]),
        "bag": conditions["bag"],
        "topic": conditions["topic"],
        "labels": conditions["labels"] or "none",
        "crop": ",".join(map(str, crop)) if crop else "default",
        "tracking": "on" if conditions["tracking"] else "off",
        "limit": str(conditions["limit"] or "none"),
        **{name: source or "none" for name, source in companions.items()},
    }
