# SPDX-License-Identifier: Apache-2.0
"""A camera in forty lines: plays a video or a folder of images, again and again, on a topic.

``python examples/camera.py drive.mp4 --ros-args -r image:=/camera/image`` beside a node that
listens there; ``-p rate_hz:=10.0`` for other than 15 images a second.
"""

import sys
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.node.middleware import use_profile


class Camera(Node):
    """Publishes on ``image``, best effort, as drivers of cameras do."""

    def __init__(self, path):
        """Begin with the first image."""
        super().__init__("camera")
        self.frames = (frame for _ in cycle([0]) for frame in open_source(path))
        self.publisher = self.create_publisher(Image, "image", qos_profile_sensor_data)
        rate_hz = self.declare_parameter("rate_hz", 15.0).value
        self.create_timer(1 / rate_hz, self.send)

    def send(self):
        """Publish the next image, stamped with the time of the clock."""
        message = Image()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = "camera_optical"
        fill_image(message, next(self.frames).image, "bgr8")
        self.publisher.publish(message)


def main():
    """Run until Ctrl-C."""
    use_profile()  # without it images of this size get lost on their way
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(Camera(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
