"""COMPAT, to be removed: what used to build perceptions and specs of exactly two tasks."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.drivable.labels import Label as MaskLabel
from shared_encoder_perception.tasks.lanes.answer import Lanes
from shared_encoder_perception.tasks.lanes.labels import Label as LaneLabel

TASK_LANES, TASK_DRIVABLE = "lanes", "drivable_surface"


def perception_of(size: Size, lines: Any, mask: Any, stage_ms: Any = None) -> Perception:
    """COMPAT."""
    answers = {TASK_LANES: Lanes(tuple(lines))}
    if mask is not None:
        answers[TASK_DRIVABLE] = mask
    return Perception(size, answers, stage_ms or {})


def with_lines(perception: Perception, lines: Any) -> Perception:
    """COMPAT."""
    return replace(perception, answers={**perception.answers, TASK_LANES: Lanes(tuple(lines))})


def flat(spec: ModelSpec, **keys: Any) -> ModelSpec:
    """COMPAT."""
    found = {}
    for name, block in spec.tasks.items():
        own = {f.name for f in fields(block)} & set(keys)
        found[name] = replace(block, **{key: keys.pop(key) for key in own})
    return replace(spec, tasks=found, **keys)


def spec_of(*args: Any, tasks: Any = (TASK_LANES, TASK_DRIVABLE), **keys: Any) -> ModelSpec:
    """COMPAT."""
    spec = ModelSpec(args[0], args[1], tasks=blocks(*tasks))
    return flat(spec, **keys)


def options_of(keypoint_threshold: float, lane_thresholds: Any, mask_threshold: float) -> Any:
    """COMPAT."""
    from shared_encoder_perception.tasks.drivable.decode import Options as MaskOptions
    from shared_encoder_perception.tasks.lanes.decode import Options

    return {
        TASK_LANES: Options(keypoint_threshold, tuple(lane_thresholds)),
        TASK_DRIVABLE: MaskOptions(mask_threshold),
    }


def sample_of(
    image: Any,
    lanes: Any,
    mask: Any = None,
    name: str = "",
    lane_confidence: Any = None,
    mask_confidence: Any = None,
) -> Sample:
    """COMPAT."""
    labels: dict[str, Any] = {}
    if lanes or lane_confidence:
        labels["lanes"] = LaneLabel(lanes, lane_confidence or {})
    if mask is not None:
        labels["drivable_surface"] = MaskLabel(mask, mask_confidence)
    return Sample(image, labels, name)


def without(sample: Sample, task: str) -> Sample:
    """COMPAT."""
    return replace(sample, labels={k: v for k, v in sample.labels.items() if k != task})
