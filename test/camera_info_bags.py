# SPDX-License-Identifier: Apache-2.0
"""Small bags of one camera with its CameraInfo, for the tests of ``replay``."""

import numpy as np
from replay_bags import TOPIC, drive, header, stamps, write_bag
from tiny_model import random_image

from shared_encoder_perception.replay.camera_infos import beside
from shared_encoder_perception.replay.messages import new_message

COUNT = 4
FOCALS = (500.0, 500.0, 1000.0, 1000.0)
"""Of each image: the camera zooms in the middle of the drive."""


def info(stamp_ns, focal_px, size):
    """Return a CameraInfo of square pixels."""
    message = new_message("sensor_msgs/msg/CameraInfo")
    message.header = header(stamp_ns)
    message.height, message.width = size
    message.distortion_model = "plumb_bob"
    message.d = np.zeros(5)
    message.k = np.array([focal_px, 0, size[1] / 2, 0, focal_px, size[0] / 2, 0, 0, 1.0])
    message.r = np.eye(3).ravel()
    message.p = np.insert(message.k.reshape(3, 3), 3, 0, axis=1).ravel()
    return message


def bag_with_infos(path, focals, size=None):
    """Write a drive of ``COUNT`` images; ``size`` is what its CameraInfo says of them."""
    size = size or random_image(0).shape[:2]
    messages = drive(COUNT)
    for stamp, focal in zip(stamps(COUNT), focals, strict=False):
        messages.append((beside(TOPIC), stamp, info(stamp, focal, size)))
    return write_bag(path, sorted(messages, key=lambda one: one[1]))
