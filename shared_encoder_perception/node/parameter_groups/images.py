# SPDX-License-Identifier: Apache-2.0
"""Parameters ``input.*``: which images, and which part of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared_encoder_perception.images.preprocess import (
    RESIZES,
    STRETCH,
    Crop,
    CropRule,
    ImageError,
    roi_crop,
    whole_crop,
)
from shared_encoder_perception.images.stamps import Limits
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.parameter import Parameter

RAW, COMPRESSED = "raw", "compressed"
"""Values of ``input.transport``."""

AUTO, NONE, MANUAL, CAMERA_INFO = "auto", "none", "manual", "camera_info"
"""Values of ``input.crop_mode``."""

BEST_EFFORT, RELIABLE = "best_effort", "reliable"
"""Values of ``input.reliability``."""

NO_CROP: Final = (0, 0, 0, 0)
"""Value of ``input.crop`` that leaves the choice to ``preprocess.default_crop``."""

DEFAULT_LIMITS: Final = Limits()


def _is_crop(value: Sequence[int]) -> bool:
    """Whether ``value`` can be a crop of some image, or stands for none."""
    if tuple(value) == NO_CROP:
        return True
    return len(value) == 4 and min(value) >= 0 and min(value[2:]) >= 2


PARAMETERS: Final = (
    Parameter(
        "input.transport",
        RAW,
        "Subscribe to `image` (sensor_msgs/Image) or to `image/compressed` (CompressedImage).",
        choices=(RAW, COMPRESSED),
    ),
    Parameter(
        "input.reliability",
        BEST_EFFORT,
        "Reliability asked of the camera; best_effort hears every camera, reliable only reliable "
        "ones. ROS's qos_overrides parameters go first.",
        choices=(BEST_EFFORT, RELIABLE),
    ),
    Parameter(
        "input.depth",
        1,
        "Images that the middleware keeps for the node; more than 1 only delays the newest.",
        bounds=(1, 100),
    ),
    Parameter(
        "input.crop_mode",
        AUTO,
        "Part of the image that the network sees: auto = input.crop if it is set, otherwise the "
        "largest part of the model's aspect ratio, centred in x, flush with the bottom; none = all "
        "of it; manual = input.crop; camera_info = the region of interest in CameraInfo.",
        choices=(AUTO, NONE, MANUAL, CAMERA_INFO),
    ),
    Parameter(
        "input.crop",
        NO_CROP,
        "The part for input.crop_mode auto and manual; all zero = not set.",
        rule=(
            "[x, y, width, height] in pixels, width and height >= 2, or [0, 0, 0, 0]",
            _is_crop,
        ),
    ),
    Parameter(
        "input.resize",
        STRETCH,
        "How a part of another aspect ratio than the model's gets its size: stretch (what models "
        "are trained for), or letterbox, which keeps the ratio and pads with grey.",
        choices=RESIZES,
    ),
    Parameter(
        "input.max_age_s",
        DEFAULT_LIMITS.max_age_s,
        "Drop images that are older than this by the node's clock when their turn comes.",
        bounds=(0.01, 3600.0),
        special=(0.0, "off"),
        read_only=False,
    ),
    Parameter(
        "input.max_rate_hz",
        DEFAULT_LIMITS.max_rate_hz,
        "Drop images beyond this rate, before they cost anything.",
        bounds=(0.01, 1000.0),
        special=(0.0, "off"),
        read_only=False,
    ),
    Parameter(
        "input.reorder_window_s",
        DEFAULT_LIMITS.reorder_window_s,
        "An image stamped less than this before the last one is late and dropped; further back "
        "means that time jumped, and starts tracking afresh.",
        bounds=(0.0, 60.0),
        read_only=False,
    ),
)


@dataclass(frozen=True)
class InputOptions:
    """What the parameters ``input.*`` say, but for ``Limits``, which may change while running.

    Attributes:
        transport: ``RAW`` or ``COMPRESSED``.
        reliability: ``BEST_EFFORT`` or ``RELIABLE``.
        depth: Images that the middleware keeps.
        crop_mode: ``AUTO``, ``NONE``, ``MANUAL`` or ``CAMERA_INFO``.
        crop: The part for ``AUTO`` and ``MANUAL``; ``None`` where not set.
        resize: One of ``preprocess.RESIZES``.
    """

    transport: str = RAW
    reliability: str = BEST_EFFORT
    depth: int = 1
    crop_mode: str = AUTO
    crop: Crop | None = None
    resize: str = STRETCH

    def __post_init__(self) -> None:
        """Refuse two parameters that contradict each other."""
        if self.crop_mode == MANUAL and self.crop is None:
            raise ValueError(
                f"input.crop_mode is {MANUAL} but input.crop is not set: set it to [x, y, width, "
                f"height], or the mode to {AUTO}"
            )
        if self.crop_mode in (NONE, CAMERA_INFO) and self.crop is not None:
            raise ValueError(
                f"input.crop_mode is {self.crop_mode} but input.crop is {list(self.crop)}: leave "
                f"one of them out, or set the mode to {MANUAL}"
            )

    def crop_rule(self, camera_info: Callable[[], Any]) -> CropRule | Crop | None:
        """Return what ``Worker`` takes as its crop.

        Args:
            camera_info: Returns the newest CameraInfo of the images, ``None`` before one came;
                called for every image where ``crop_mode`` is ``CAMERA_INFO``, otherwise never.
        """
        if self.crop_mode == NONE:
            return whole_crop
        if self.crop_mode != CAMERA_INFO:
            return self.crop

        def region(image_size: Size) -> Crop:
            """Return the region of interest that the camera announces now."""
            info = camera_info()
            if info is None:
                raise ImageError(
                    f"input.crop_mode is {CAMERA_INFO}, but no CameraInfo has come yet: remap "
                    f"camera_info to the camera's topic, or set the mode to {AUTO}"
                )
            return roi_crop(info, image_size)

        return region


def input_options(value: Callable[[str], Any]) -> InputOptions:
    """Build the options from parameter values by name.

    Raises:
        ValueError: Two parameters contradict each other.
    """
    crop = tuple(value("input.crop"))
    return InputOptions(
        value("input.transport"),
        value("input.reliability"),
        value("input.depth"),
        value("input.crop_mode"),
        None if crop == NO_CROP else Crop(*crop),
        value("input.resize"),
    )


def limits(value: Callable[[str], Any]) -> Limits:
    """Build the limits from parameter values by name."""
    return Limits(
        value("input.max_age_s"), value("input.max_rate_hz"), value("input.reorder_window_s")
    )
