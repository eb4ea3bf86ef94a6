# SPDX-License-Identifier: Apache-2.0
"""Parameters ``background.*``: the picture of the empty place that images are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.tasks.parameter import Parameter, live

FILE, SAVE_TO, TRANSPORT = "background.file", "background.save_to", "background.transport"
MAX_AGE: Final = "background.max_age_s"
LOSSLESS: Final = ".png"


def _is_lossless(value: str) -> bool:
    """Whether a picture can be written there and read again as it was."""
    return not value or Path(value).suffix.lower() == LOSSLESS


PARAMETERS: Final = (
    Parameter(
        TRANSPORT,
        RAW,
        "Subscribe to `background` (sensor_msgs/Image) or to `background/compressed` "
        "(CompressedImage), latched, for models that compare images with the empty place.",
        choices=(RAW, COMPRESSED),
    ),
    Parameter(
        FILE,
        "",
        "Picture of the empty place by the same camera (.png, .jpg), read at configuration, when "
        "this changes, and by `~/reload_background`; empty = none. One that cannot be read leaves "
        "the one in use. Of topic, file and `~/capture_background` the newest taken counts.",
        read_only=False,
    ),
    Parameter(
        SAVE_TO,
        "",
        "File that `~/capture_background` writes the picture to, for background.file; empty = "
        "nowhere.",
        rule=(f"a path that ends in {LOSSLESS}, or empty", _is_lossless),
        read_only=False,
    ),
    live(
        MAX_AGE,
        0.0,
        (0.0, 1e9),
        "A background taken longer than this before the image, by their stamps, is too old: "
        "nothing is known then; 0 = any age.",
    ),
)


@dataclass(frozen=True)
class BackgroundOptions:
    """Values of the parameters, by the same names; see there for what they mean."""

    transport: str = RAW
    file: str = ""
    save_to: str = ""
    max_age_s: float = 0.0


def background_options(value: Callable[[str], Any]) -> BackgroundOptions:
    """Build the options from parameter values by name."""
    fields = BackgroundOptions.__dataclass_fields__
    return BackgroundOptions(**{name: value(f"background.{name}") for name in fields})
