# SPDX-License-Identifier: Apache-2.0
"""Parameters ``input.*``: what they mean together, and which of them contradict each other."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from shared_encoder_perception.images.preprocess import LETTERBOX, Crop, ImageError, ImageTransform
from shared_encoder_perception.images.stamps import Limits
from shared_encoder_perception.node.parameter_groups.images import (
    AUTO,
    CAMERA_INFO,
    MANUAL,
    NONE,
    PARAMETERS,
    InputOptions,
    input_options,
    limits,
)

BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
CROP = Crop(10, 20, 300, 100)


def value(**changes: Any) -> Any:
    """Return the parameters as a node would: the defaults but for ``changes``."""
    values = {name: parameter.default for name, parameter in BY_NAME.items()}
    values.update({f"input.{name}": change for name, change in changes.items()})
    return values.__getitem__


def no_camera() -> Any:
    """Fail: only one mode may ask."""
    raise AssertionError("nobody should ask for the CameraInfo")


def test_defaults_are_the_dataclasses_own() -> None:
    assert input_options(value()) == InputOptions()
    assert limits(value()) == Limits()
    assert input_options(value()).crop_rule(no_camera) is None


def test_every_value_arrives() -> None:
    options = input_options(
        value(
            transport="compressed",
            reliability="reliable",
            depth=5,
            crop_mode=MANUAL,
            crop=list(CROP),
            resize=LETTERBOX,
        )
    )
    assert options == InputOptions("compressed", "reliable", 5, MANUAL, CROP, LETTERBOX)
    given = limits(value(max_age_s=0.3, max_rate_hz=15.0, reorder_window_s=0.1))
    assert given == Limits(0.3, 15.0, 0.1)


@pytest.mark.parametrize("mode", [AUTO, MANUAL])
def test_a_crop_alone_is_enough(mode: str) -> None:
    """As before there was a mode."""
    assert input_options(value(crop_mode=mode, crop=list(CROP))).crop_rule(no_camera) == CROP


def test_no_crop_is_the_whole_image() -> None:
    rule = input_options(value(crop_mode=NONE)).crop_rule(no_camera)
    assert callable(rule) and rule((480, 640)) == Crop(0, 0, 640, 480)


def test_crop_follows_the_camera_info() -> None:
    """The newest counts, and without one the image is refused with what to do."""
    infos: list[Any] = [None]
    rule = input_options(value(crop_mode=CAMERA_INFO)).crop_rule(lambda: infos[-1])
    assert callable(rule)
    with pytest.raises(ImageError, match=r"no CameraInfo has come yet: remap camera_info"):
        rule((480, 640))
    for x in (40, 80):
        roi = SimpleNamespace(x_offset=x, y_offset=100, width=400, height=160)
        infos.append(SimpleNamespace(width=640, height=480, binning_x=0, binning_y=0, roi=roi))
        assert rule((480, 640)) == Crop(x, 100, 400, 160)
    ImageTransform.fit((480, 640), (320, 800), rule((480, 640)))


@pytest.mark.parametrize(
    ("mode", "crop", "reason"),
    [
        (MANUAL, (0, 0, 0, 0), "input.crop_mode is manual but input.crop is not set: set it to"),
        (NONE, CROP, r"input.crop_mode is none but input.crop is \[10, 20, 300, 100\]: leave one"),
        (CAMERA_INFO, CROP, "input.crop_mode is camera_info but input.crop is"),
    ],
)
def test_contradictions_are_refused(mode: str, crop: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        input_options(value(crop_mode=mode, crop=list(crop)))


@pytest.mark.parametrize(
    ("name", "wrong", "reason"),
    [
        ("crop_mode", "centre", "is 'centre', expected auto, none, manual, camera_info"),
        ("resize", "fill", "is 'fill', expected stretch, letterbox"),
        ("reliability", "sometimes", "expected best_effort, reliable"),
        ("depth", 0, "is 0, expected 1 to 100"),
        ("max_age_s", -1.0, "expected 0.01 to 3600, or 0 = off"),
        ("max_age_s", math.nan, "is nan"),
        ("max_rate_hz", math.inf, "is inf"),
        ("reorder_window_s", -0.1, "expected 0 to 60"),
    ],
)
def test_wrong_values_are_refused(name: str, wrong: Any, reason: str) -> None:
    assert reason in BY_NAME[f"input.{name}"].problem(wrong)


def test_limits_only_change_while_running() -> None:
    """What needs another subscription or shape is fixed."""
    changing = {name for name, parameter in BY_NAME.items() if not parameter.read_only}
    assert changing == {"input.max_age_s", "input.max_rate_hz", "input.reorder_window_s"}
