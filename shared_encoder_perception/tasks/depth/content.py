# SPDX-License-Identifier: Apache-2.0
"""The topics of depth, what their messages carry, and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.images.image_msg import FOR_PEOPLE, fill_compressed
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.cloud_msg import CLOUD
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.depth import draw
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.tasks.depth.decode import Options
from shared_encoder_perception.tasks.depth.depth_msg import (
    fill_camera_info,
    fill_depth,
    fill_points,
    focal_of,
    millimetres,
    pinhole,
    points,
    read_depth,
)
from shared_encoder_perception.tasks.depth.refine import SOURCE_HEIGHT
from shared_encoder_perception.tasks.depth.spec import Block
from shared_encoder_perception.tasks.parameter import Parameter, live

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED: Final = "sensor_msgs/msg/CompressedImage"
INFO: Final = "sensor_msgs/msg/CameraInfo"
DEPTH_TOPIC: Final = "depth/image"
RAW_TOPIC: Final = "depth/image_raw"
SIGMA_TOPIC: Final = "depth/sigma"
INFO_TOPIC: Final = "depth/camera_info"
POINTS_TOPIC: Final = "depth/points"
PICTURE_TOPIC: Final = "~/debug/depth/compressed"
TOPICS: Final = (
    Topic(DEPTH_TOPIC, IMAGE),
    Topic(INFO_TOPIC, INFO),
    Topic(RAW_TOPIC, IMAGE, lazy=True),
    Topic(SIGMA_TOPIC, IMAGE, lazy=True),
    Topic(POINTS_TOPIC, CLOUD, lazy=True),
    Topic(PICTURE_TOPIC, COMPRESSED, lazy=True, pictures=True),
)
NEEDS_CAMERA: Final = True
SOURCE_FOCAL: Final = "depth.source_focal_px"
BY_HEIGHT: Final = "depth.scale_by_height"
UNKNOWN_ABOVE: Final = "depth.unknown_above_sigma"
PARAMETERS: Final[Sequence[Parameter]] = (
    live(
        SOURCE_FOCAL,
        0.0,
        (0.0, 100000.0),
        "Focal length in pixels of the images, for cameras without CameraInfo; 0 = not known. "
        "A CameraInfo that fits the images comes first.",
    ),
    live(
        SOURCE_HEIGHT,
        0.0,
        (0.0, 100.0),
        "Height of the camera above the road, by which depth is scaled, where ground.source gives "
        "no pose (a homography is none); 0 = not known.",
    ),
    Parameter(
        BY_HEIGHT,
        True,
        "Scale depth so that the road lies as far below the camera as its pose (ground.source) or "
        "depth.source_height_m says. Off where what the camera stands on is no plane.",
        read_only=False,
    ),
    live(
        UNKNOWN_ABOVE,
        0.0,
        (0.0, 10.0),
        "Pixels whose standard deviation is a larger share of their depth become NaN; 0 = none.",
    ),
)
FOUND: Final = ("depth",)


def messages(answer: DepthMap, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the messages: all unknown where there are no metres."""
    metres = answer.depth if answer.in_metres else np.full_like(answer.depth, np.nan)

    def headed(kind: str) -> Any:
        message = new(kind)
        message.header = context.header
        return message

    def image(values: NDArray) -> Any:
        message = headed(IMAGE)
        fill_depth(message, values)
        return message

    def deviation() -> Any:
        return image(
            np.full_like(metres, np.nan) if answer.sigma is None else answer.sigma * metres
        )

    def camera() -> Any:
        message = headed(INFO)
        fill_camera_info(message, context.camera_info, answer.lens, context.image_size)
        return message

    def cloud() -> Any:
        message = headed(CLOUD)
        lens = answer.lens or pinhole(1.0, context.image_size)
        fill_points(message, points(metres, lens), new)
        return message

    def picture() -> Any:
        message = headed(COMPRESSED)
        fill_compressed(message, draw.picture(answer), quality=FOR_PEOPLE)
        return message

    return {
        DEPTH_TOPIC: lambda: image(metres),
        INFO_TOPIC: camera,
        RAW_TOPIC: lambda: image(millimetres(metres)),
        SIGMA_TOPIC: deviation,
        POINTS_TOPIC: cloud,
        PICTURE_TOPIC: picture,
    }


def read(messages: Mapping[str, Any], image_size: Size) -> DepthMap:
    """Return the depth of a recorded image, without its deviation.

    Raises:
        LookupError: There is no depth, or depth without its camera.
        ValueError: It is no depth image, or not of the source image's size.
    """
    for topic in (DEPTH_TOPIC, INFO_TOPIC):
        if topic not in messages:
            raise LookupError(f"there is no message on {topic}")
    depth, info = read_depth(messages[DEPTH_TOPIC]), messages[INFO_TOPIC]
    answer = DepthMap(depth)
    answer.check(image_size)
    if not info.k[0]:  # as ROS says that a camera is not calibrated
        return answer
    lens = camera_model(info, image_size)
    return DepthMap(depth, focal_px=focal_of(lens), lens=lens)


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return what the parameters ask for."""
    return Options(
        float(value(SOURCE_FOCAL)),
        float(value(SOURCE_HEIGHT)),
        bool(value(BY_HEIGHT)),
        float(value(UNKNOWN_ABOVE)),
    )


def found(answer: DepthMap) -> Sequence[str]:
    """Say whether there are metres."""
    return FOUND if answer.in_metres else ()


def fill_info(message: Any, block: Block) -> None:
    """Do nothing: depth says of itself what it is."""
