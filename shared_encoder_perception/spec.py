"""ModelSpec: what a model artifact promises, carried inside the artifact itself as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any, Final

from shared_encoder_perception.structures import LANE_NAMES, Size

METADATA_KEY: Final = "shared_encoder_perception.model_spec"
"""Key of the spec in an ONNX file's ``metadata_props``."""

FORMAT_VERSION: Final = 1
"""Raised when a reader of the old spec would misread the new one."""

TASK_LANES: Final = "lanes"
TASK_DRIVABLE: Final = "drivable_surface"
TASKS: Final = (TASK_LANES, TASK_DRIVABLE)

LANE_MAPS: Final = ("hm", "off1x", "off1y", "off2x", "off2y")
"""Maps of each lane head, in order: heat map in [0, 1]; vector from the cell to the lane's start
(its nearest, lowest point); position of the keypoint relative to the cell. All in cells."""

OUTPUT_LANES: Final = "lanes"
"""Output tensor: float32 (N, 5 lanes, 5 maps, H / stride, W / stride)."""

OUTPUT_MASK: Final = "mask"
"""Output tensor: uint8 (N, H, W), probability 0..255 of drivable surface."""

INPUT_IMAGE: Final = "image"
"""Input tensor: uint8 (N, H, W, 3) BGR."""


class SpecError(ValueError):
    """A model artifact whose spec is missing or wrong; the message says what to do."""


@dataclass(frozen=True)
class StartPrior:
    """Where a lane's start usually lies, in cells of the lane maps, learned from training data.

    Attributes:
        u: Median column.
        v: Median row.
        sigma_u: Robust standard deviation of the column.
        sigma_v: Robust standard deviation of the row.
    """

    u: float
    v: float
    sigma_u: float
    sigma_v: float


@dataclass(frozen=True)
class LaneCalibration:
    """How likely a lane line is right, by its raw score: linear between knots, constant beyond.

    Attributes:
        score: Raw scores of the knots, 0 to 1, strictly increasing.
        probability: Share of lines with that score that are there and right, 0 to 1, never
            decreasing; as many as ``score``.
    """

    score: tuple[float, ...]
    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is no map from score to probability."""
        _expect(
            len(self.score) == len(self.probability) > 0,
            "lane_calibration",
            f"{len(self.score)} scores and {len(self.probability)} probabilities",
            "equally many, at least one",
        )
        for key in ("score", "probability"):
            values = getattr(self, key)
            rises = [b - a for a, b in pairwise(values)]
            _expect(
                all(0.0 <= value <= 1.0 for value in values)
                and all(rise > 0.0 if key == "score" else rise >= 0.0 for rise in rises),
                f"lane_calibration's {key}",
                values,
                "increasing numbers from 0 to 1",
            )


@dataclass(frozen=True)
class ModelSpec:
    """The contract of one model artifact.

    Attributes:
        name: Model name, e.g. ``"default"``.
        version: Version of the weights.
        input_size: ``(height, width)`` of the network input in pixels, multiples of 32.
        tasks: What the network answers, a subset of ``TASKS``.
        lane_names: Lanes in head order.
        lane_maps: Maps of each lane head, in order.
        color_order: Channel order of the input; only ``"bgr"`` is defined.
        stride: Input pixels per cell of the lane maps.
        keypoint_threshold: Lowest heat-map value of a keypoint, 0 to 1.
        lane_thresholds: Per lane, lowest confidence (calibrated, if the model is) that counts as
            detected, 0 to 1.
        mask_threshold: Lowest mask probability (calibrated likewise) that counts as drivable, 0
            to 1.
        lane_calibration: Per lane, what its raw score means; empty when uncalibrated.
        mask_temperature: Above 0; the mask's probability p becomes
            ``sigmoid(logit(p) / mask_temperature + mask_bias)``.
        mask_bias: As above; with temperature 1 and bias 0 the network's own p stays.
        horizon_row_px: Typical horizon row in input pixels; steers the curve basis only.
        start_priors: Per lane, where it usually starts; empty to do without.
        confidence_calibrated: Whether lane confidence is a calibrated probability: that the line is
            there and right, as ``evaluation.calibration`` counts it. Needs ``lane_calibration``.
        training_data: One line for people: what the weights saw.
        git_commit: Commit of the code that trained it; empty when unknown.
        scores: Measured scores, e.g. ``{"synthetic/mask_iou": 0.97}``.
    """

    name: str
    version: str
    input_size: Size = (320, 800)
    tasks: tuple[str, ...] = TASKS
    lane_names: tuple[str, ...] = LANE_NAMES
    lane_maps: tuple[str, ...] = LANE_MAPS
    color_order: str = "bgr"
    stride: int = 8
    keypoint_threshold: float = 0.3
    lane_thresholds: tuple[float, ...] = (0.4,) * len(LANE_NAMES)
    mask_threshold: float = 0.5
    horizon_row_px: float = 27.0
    start_priors: tuple[StartPrior, ...] = ()
    lane_calibration: tuple[LaneCalibration, ...] = ()
    mask_temperature: float = 1.0
    mask_bias: float = 0.0
    confidence_calibrated: bool = False
    training_data: str = ""
    git_commit: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a spec that the decoder could not honour."""
        _expect(bool(self.name and self.version), "name and version", "", "two non-empty strings")
        height, width = self.input_size
        _expect(
            height > 0 and width > 0 and height % 32 == 0 and width % 32 == 0,
            "input_size",
            self.input_size,
            "(height, width), positive multiples of 32",
        )
        _expect(
            bool(self.tasks)
            and set(self.tasks) <= set(TASKS)
            and len(set(self.tasks)) == len(self.tasks),
            "tasks",
            self.tasks,
            f"a non-empty subset of {TASKS}",
        )
        _expect(self.lane_names == LANE_NAMES, "lane_names", self.lane_names, LANE_NAMES)
        _expect(self.lane_maps == LANE_MAPS, "lane_maps", self.lane_maps, LANE_MAPS)
        _expect(self.color_order == "bgr", "color_order", self.color_order, "'bgr'")
        _expect(self.stride in (4, 8, 16, 32), "stride", self.stride, "4, 8, 16 or 32")
        for key in ("keypoint_threshold", "mask_threshold"):
            _expect(0.0 < getattr(self, key) < 1.0, key, getattr(self, key), "between 0 and 1")
        _expect(
            len(self.lane_thresholds) == len(LANE_NAMES)
            and all(0.0 <= value <= 1.0 for value in self.lane_thresholds),
            "lane_thresholds",
            self.lane_thresholds,
            f"{len(LANE_NAMES)} numbers from 0 to 1",
        )
        for key in ("start_priors", "lane_calibration"):
            count = len(getattr(self, key))
            _expect(
                count in (0, len(LANE_NAMES)), key, f"{count} entries", f"none or {len(LANE_NAMES)}"
            )
        _expect(
            math.isfinite(self.mask_temperature) and self.mask_temperature > 0.0,
            "mask_temperature",
            self.mask_temperature,
            "a finite number above 0",
        )
        _expect(math.isfinite(self.mask_bias), "mask_bias", self.mask_bias, "a finite number")
        _expect(
            bool(self.lane_calibration) or not self.confidence_calibrated,
            "confidence_calibrated",
            self.confidence_calibrated,
            "False without a lane_calibration",
        )

    @property
    def map_size(self) -> Size:
        """``(rows, columns)`` of the lane maps."""
        return self.input_size[0] // self.stride, self.input_size[1] // self.stride

    def output_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the shape of every output tensor for a batch of ``batch`` images."""
        shapes: dict[str, tuple[int, ...]] = {}
        if TASK_LANES in self.tasks:
            shapes[OUTPUT_LANES] = (batch, len(LANE_NAMES), len(LANE_MAPS), *self.map_size)
        if TASK_DRIVABLE in self.tasks:
            shapes[OUTPUT_MASK] = (batch, *self.input_size)
        return shapes

    def to_json(self) -> str:
        """Serialise for the artifact's metadata."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Parse ``to_json``'s form.

        Raises:
            SpecError: Not JSON, another format version, unknown or missing or invalid fields.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpecError(f"the model spec is not valid JSON: {error}") from None
        if not isinstance(raw, dict):
            raise SpecError(f"the model spec is a {type(raw).__name__}, expected a JSON object")
        version = raw.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise SpecError(
                f"the model spec has format_version {version}, this code reads {FORMAT_VERSION}: "
                "export the model again with this version of the package"
            )
        unknown = sorted(set(raw) - {item.name for item in fields(cls)})
        if unknown:
            raise SpecError(f"the model spec has unknown fields {unknown}")
        try:
            raw["start_priors"] = tuple(
                StartPrior(**prior) for prior in raw.get("start_priors", ())
            )
            raw["lane_calibration"] = tuple(
                LaneCalibration(**_tuples(lane)) for lane in raw.get("lane_calibration", ())
            )
            return cls(**_tuples(raw))
        except SpecError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise SpecError(f"the model spec is incomplete or malformed: {error}") from None


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples; the spec has no lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def _expect(condition: bool, what: str, found: object, expected: object) -> None:
    """Raise a ``SpecError`` that says what was wrong and what was expected."""
    if not condition:
        raise SpecError(f"model spec: {what} is {found!r}, expected {expected}")
