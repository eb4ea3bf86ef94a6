"""The node's parameters as options: read together, so that they can be judged together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shared_encoder_perception.ground.options import GroundOptions, ground_options
from shared_encoder_perception.images.stamps import Limits
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.parameter_groups.diagnostics import watchdog_options
from shared_encoder_perception.node.parameter_groups.images import (
    InputOptions,
    input_options,
    limits,
)
from shared_encoder_perception.node.parameters import decode_options
from shared_encoder_perception.node.watchdogs import WatchdogOptions
from shared_encoder_perception.predictor import Options
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions, tracking_options


@dataclass(frozen=True)
class NodeOptions:
    """What all parameters say, but for those that decide which model is loaded."""

    images: InputOptions
    limits: Limits
    ground: GroundOptions
    tracking: TrackingOptions
    debug: DebugOptions
    watchdogs: WatchdogOptions
    keypoint_threshold: float
    confidence_threshold: float
    mask_threshold: float

    @classmethod
    def read(cls, value: Callable[[str], Any]) -> NodeOptions:
        """Build the options.

        Args:
            value: Returns the value of the parameter of a name.

        Raises:
            ValueError: Parameters that contradict each other, or name a file that is not there.
        """
        return cls(
            input_options(value),
            limits(value),
            ground_options(value),
            tracking_options(value),
            DebugOptions.from_parameters(value),
            watchdog_options(value),
            value("lanes.keypoint_threshold"),
            value("lanes.confidence_threshold"),
            value("mask.threshold"),
        )

    def decode(self, spec: ModelSpec) -> Options:
        """Return what the decoder of a model is told."""
        options = decode_options(
            spec, self.keypoint_threshold, self.confidence_threshold, self.mask_threshold
        )
        own = options["lanes"]
        lanes = self.tracking.decode_thresholds(own.lane_thresholds)
        return {**options, "lanes": replace(own, lane_thresholds=lanes)}
