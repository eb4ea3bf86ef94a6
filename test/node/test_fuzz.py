# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in: a perception of the image's size, or one line that says what is wrong.

5000 cases, the same in every run.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from fuzzing import fuzz
from ground_world import LANES, LENSES, camera_info, lanes_of, line, options
from hypothesis import strategies as st
from tiny_model import write_tiny_model

from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.camera_info import MODELS, camera_model
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.image_msg import ENCODINGS, ImageMsgError, to_bgr
from shared_encoder_perception.images.preprocess import RESIZES, Crop, ImageError, roi_crop
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.ground.options import RoadOptions
from shared_encoder_perception.tasks.lanes.ground.projector import Projector

RAW_CASES, COMPRESSED_CASES, CALIBRATION_CASES = 2500, 1500, 1000

UINT32 = st.one_of(st.integers(0, 100), st.sampled_from([2**16, 2**31 - 1, 2**31, 2**32 - 1]))
"""Sizes and offsets as a broken driver may send them."""

NUMBERS = st.one_of(
    st.floats(),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e-320, 1e-30, 1e300]),
)


def assert_reason(error: ValueError) -> None:
    """A refusal is one line for people."""
    assert str(error).splitlines() == [str(error)]


def assert_whole(seen: Perception, size: tuple[int, int]) -> None:
    """A perception is of the image's size in every part, and finite."""
    assert seen.image_size == size
    assert seen.answers["drivable_surface"].binary().shape == size
    for lane in seen.answers["lanes"]:
        assert np.isfinite(lane.points_px).all()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model that takes a millisecond."""
    model = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")
    return Predictor(load_backend(model, "onnxruntime", BackendOptions(threads=1)))


def noise(seed: int, size: int) -> np.ndarray:
    """Return so many random bytes."""
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


@st.composite
def raw_images(draw: Any) -> SimpleNamespace:
    """Return a ``sensor_msgs/Image``: a good one, or what is left of one."""
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    height, width = draw(st.integers(0, 48)), draw(st.integers(0, 48))
    layout = ENCODINGS[encoding]
    step = width * layout.channels * layout.bits // 8 + draw(st.sampled_from([0, 0, 1, 13]))
    message = SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=draw(st.integers(0, 255)),
        step=step,
        data=noise(draw(st.integers(0, 99)), step * height),
    )
    fields = ["height", "width", "step", "encoding", "data"]
    for field in draw(st.lists(st.sampled_from([None, None, None, *fields]), max_size=3)):
        if field == "encoding":
            message.encoding = draw(st.one_of(st.sampled_from(sorted(ENCODINGS)), st.text()))
        elif field == "data":
            message.data = noise(1, draw(st.integers(0, 2 * len(message.data) + 2)))
        elif field is not None:
            setattr(message, field, draw(UINT32))
    if draw(st.booleans()):
        message.data = array("B", message.data.tobytes())
    return message


CROPS = st.one_of(st.none(), st.builds(Crop, *[st.integers(-1, 20)] * 2, *[st.integers(0, 50)] * 2))


def test_any_image_is_perceived_or_refused(predictor: Predictor) -> None:
    tally: Counter[str] = Counter()

    def check(message: SimpleNamespace, crop: Crop | None, resize: str) -> None:
        try:
            image = to_bgr(message)
            seen = predictor(image, crop, resize)
        except (ImageMsgError, ImageError) as error:
            assert_reason(error)
            tally["refused"] += 1
        else:
            assert image.shape == (message.height, message.width, 3)
            assert_whole(seen, (message.height, message.width))
            tally["perceived"] += 1

    fuzz(RAW_CASES, check, message=raw_images(), crop=CROPS, resize=st.sampled_from(RESIZES))
    assert tally.total() >= RAW_CASES and min(tally.values()) > RAW_CASES // 5, tally


def _files() -> list[tuple[bytes, tuple[int, int]]]:
    """Return pictures in files, with their sizes."""
    files = []
    for height, width in ((4, 5), (7, 40), (48, 64)):
        colour = noise(height, height * width * 3).reshape(height, width, 3)
        for picture in (colour, colour[..., 0], np.full_like(colour, 90)):
            for name, flags in (
                (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 60]),
                (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
                (".png", []),
            ):
                content = cv2.imencode(name, picture, flags)[1].tobytes()
                files.append((content, (height, width)))
    return files


FILES = _files()
FORMATS = ("jpeg", "png", "rgb8; jpeg compressed bgr8", "bgr8; png compressed rgb8", "jpg")

NAMES = st.one_of(
    st.sampled_from(["", "h264", "16UC1; compressedDepth png"]),
    st.text(),
    st.builds("{} jpeg {}".format, st.text(), st.text()),
)


@st.composite
def compressed_images(draw: Any) -> tuple[SimpleNamespace, tuple[int, int] | None]:
    """Return a ``sensor_msgs/CompressedImage``, and its size if nothing was done to it."""
    content, size = draw(st.sampled_from(FILES))
    name, damaged = draw(st.sampled_from(FORMATS)), bytearray(content)
    damages = [None, None, "flip", "flip", "drop", "cut", "junk", "name"]
    for damage in draw(st.lists(st.sampled_from(damages), max_size=2)):
        length = len(damaged)
        if damage == "cut":
            del damaged[draw(st.integers(0, length)) :]
        elif damage == "flip" and length:
            for _ in range(draw(st.integers(1, 4))):
                damaged[draw(st.integers(0, length - 1))] = draw(st.integers(0, 255))
        elif damage == "drop" and length:
            start = draw(st.integers(0, length - 1))
            del damaged[start : start + draw(st.integers(1, 40))]
        elif damage == "junk":
            damaged[draw(st.integers(0, length)) :] = draw(st.binary(max_size=60))
        elif damage == "name":
            name = draw(NAMES)
    data = array("B", bytes(damaged))
    whole = bytes(damaged) == content and name in FORMATS
    return SimpleNamespace(format=name, data=data), size if whole else None


def test_any_compressed_image_is_perceived_or_refused(predictor: Predictor) -> None:
    tally: Counter[str] = Counter()

    def check(case: tuple[SimpleNamespace, tuple[int, int] | None]) -> None:
        message, size = case
        try:
            image = to_bgr(message)
            seen = predictor(image)
        except (ImageMsgError, ImageError) as error:
            assert_reason(error)
            tally["refused"] += 1
            tally["refused for nothing"] += size is not None
        else:
            assert size is None or image.shape[:2] == size
            assert_whole(seen, (image.shape[0], image.shape[1]))
            tally["perceived"] += 1

    fuzz(COMPRESSED_CASES, check, case=compressed_images())
    assert tally["refused"] + tally["perceived"] >= COMPRESSED_CASES, tally
    assert min(tally["refused"], tally["perceived"]) > COMPRESSED_CASES // 5, tally
    assert not tally["refused for nothing"]


@pytest.mark.parametrize("size", [(8000, 8000), (65535, 1000)])
def test_a_jpeg_that_claims_to_be_huge_costs_nothing(size: tuple[int, int]) -> None:
    """Two damaged bytes of a header must not take gigabytes and half a minute."""
    content = bytearray(FILES[-3][0])
    assert content.startswith(b"\xff\xd8")
    frame = content.find(b"\xff\xc0")
    assert frame > 0
    content[frame + 5 : frame + 9] = struct.pack(">HH", *size)
    with pytest.raises(ImageMsgError, match=rf"{size[1]}x{size[0]}"):
        to_bgr(SimpleNamespace(format="jpeg", data=array("B", bytes(content))))


@st.composite
def calibrations(draw: Any) -> SimpleNamespace:
    """Return a ``sensor_msgs/CameraInfo``: a good one, or what is left of one."""
    info = deepcopy(camera_info(draw(st.sampled_from(sorted(LENSES))), (320, 800)))
    info.binning_x, info.binning_y = draw(st.sampled_from([(0, 0), (1, 1), (2, 2)]))
    fields = ["k", "d", "r", "p", "size", "roi", "binning", "distortion_model", "length"]
    for field in draw(st.lists(st.sampled_from([None, None, *fields]), max_size=3)):
        if field in ("k", "d", "r", "p"):
            numbers = [float(number) for number in getattr(info, field)] or [0.0]
            for _ in range(draw(st.integers(1, 3))):
                numbers[draw(st.integers(0, len(numbers) - 1))] = draw(NUMBERS)
            setattr(info, field, numbers)
        elif field == "length":
            name = draw(st.sampled_from(["k", "d", "r", "p"]))
            setattr(info, name, draw(st.lists(NUMBERS, max_size=15)))
        elif field == "size":
            info.height, info.width = draw(UINT32), draw(UINT32)
        elif field == "roi":
            names = ("x_offset", "y_offset", "width", "height")
            changes = {name: draw(st.integers(0, 900)) for name in names}
            info.roi = SimpleNamespace(**changes, do_rectify=draw(st.booleans()))
        elif field == "binning":
            info.binning_x, info.binning_y = draw(UINT32), draw(UINT32)
        elif field == "distortion_model":
            info.distortion_model = draw(st.one_of(st.sampled_from(sorted(MODELS)), st.text()))
    return info


IMAGE_SIZES = st.sampled_from([(320, 800), (320, 800), (160, 400), (1, 1), (720, 1280)])


def test_any_calibration_is_used_or_refused() -> None:
    """The points of the lanes come to finite places on the road, or to none."""
    tally: Counter[str] = Counter()
    chosen = options()
    rows = np.linspace(319, 0, 40)

    def check(info: SimpleNamespace, size: tuple[int, int], rectified: bool) -> None:
        height, width = size
        scale = np.array([width / 800, height / 320])
        lines = {
            lane: line(lane, np.stack((400 - 90 * at + rows / 3, rows), axis=-1) * scale)
            for lane, at in LANES.items()
        }
        try:
            roi_crop(info, size)
        except ImageError as error:
            assert_reason(error)
        try:
            camera = camera_model(info, size, rectified)
            view = CameraView(camera, chosen.extrinsics)
            projector = Projector(CalibratedCamera(view, chosen), RoadOptions())
        except ValueError as error:
            assert_reason(error)
            tally["refused"] += 1
            return
        seen = projector.project(lanes_of(lines))
        tally["used"] += 1
        for lane in (lane for lane in seen if lane.detected):
            ground = lane.ground
            assert ground is not None and ground.points_m.shape == (len(lane.points_px), 3)
            for numbers in (
                *(ground.points_m, ground.y_std_m, ground.polynomial, ground.covariance),
                np.array([*ground.x_range_m, ground.rmse_m]),
            ):
                assert not np.isinf(numbers).any()
            tally["on the road"] += bool(np.isfinite(ground.points_m).any())

    fuzz(
        CALIBRATION_CASES,
        check,
        info=calibrations(),
        size=IMAGE_SIZES,
        rectified=st.booleans(),
    )
    assert tally["refused"] + tally["used"] >= CALIBRATION_CASES, tally
    assert min(tally[name] for name in ("refused", "used", "on the road")) > 100, tally
