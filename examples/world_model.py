# SPDX-License-Identifier: Apache-2.0
"""A consumer in forty lines: lanes and mask of the same image, whatever order they come in.

Beside a node in the namespace front: ``python examples/world_model.py --ros-args -r __ns:=/front``.
"""

from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from shared_encoder_perception.msg import LaneLine, LaneLineArray

from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.tasks.lanes.lane_geometry import LaneCurve


class WorldModel(Node):
    """Pairs the two by the stamp of their image, exactly; the lanes are published last."""

    def __init__(self):
        """Subscribe; the node publishes reliably, and keeps five."""
        super().__init__("world_model")
        self.waiting = {}
        self.create_subscription(Image, "drivable_surface/mask", self.take, 5)
        self.create_subscription(LaneLineArray, "lane_lines", self.take, 5)

    def take(self, message):
        """Keep one of the two until the other is there."""
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        parts = self.waiting.setdefault(stamp, {})
        parts[type(message)] = message
        if len(parts) == 2:
            del self.waiting[stamp]
            array, mask = parts[LaneLineArray], to_bgr(parts[Image])[:, :, 0]
            x, y = array.crop_x, array.crop_y  # the network saw this part: the rest is unknown
            seen = mask[y : y + array.crop_height or None, x : x + array.crop_width or None]
            self.update(array.lanes, seen == 255)
        elif len(self.waiting) > 5:  # its other half was lost
            del self.waiting[next(iter(self.waiting))]

    def update(self, lanes, drivable):
        """Use them: here, say where the vehicle is."""
        ego = lanes[LaneLine.EGO]
        text = f"confidence {ego.confidence:.2f}, drivable {drivable.mean():.0%} of what it sees"
        curve = LaneCurve.from_message(ego)
        if curve is not None:
            offset, heading = curve.offset(), curve.heading(0.0, extrapolate=True)
            text += f", offset {offset.value:+.2f} ± {offset.std:.2f} m"
            text += f", lane's heading {heading.value:+.3f} ± {heading.std:.3f} rad"
        elif ego.status != LaneLine.NOT_DETECTED:
            text += f", at the bottom in column {ego.image_x[0]:.0f}: no calibration"
        self.get_logger().info(text)


if __name__ == "__main__":
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(WorldModel())
