"""The lanes' ground points on a topic of a standard type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from shared_encoder_perception.node.topic_watch import create_output
from shared_encoder_perception.tasks.lanes.answer import LaneLine
from shared_encoder_perception.tasks.lanes.point_cloud import fill_cloud, lane_points

POINTS_TOPIC: Final = "lane_lines/points"
POINTS_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)


def cloud_message(lanes: Iterable[LaneLine], header: Any, frame_id: str) -> PointCloud2:
    """Return the ground points of all lanes; a cloud of width 0 where there are none.

    Args:
        lanes: Lines of one image.
        header: The image's ``std_msgs/Header``; its stamp is copied.
        frame_id: The vehicle's frame.
    """
    message = PointCloud2()
    message.header = Header(stamp=header.stamp, frame_id=frame_id)
    fill_cloud(message, lane_points(lanes), PointField)
    return message


class PointsOutput:
    """Lifecycle publisher of the point cloud; builds none unless somebody subscribes.

    Attributes:
        publishers: The one.
    """

    def __init__(self, node: Any) -> None:
        """Create the publisher on a ``LifecycleNode``."""
        self._node = node
        self._publisher = create_output(node, PointCloud2, POINTS_TOPIC, POINTS_QOS)
        self.publishers = (self._publisher,)

    def publish(self, lanes: Iterable[LaneLine], header: Any, frame_id: str) -> None:
        """Publish the points of one image (inference thread).

        Args:
            lanes: Its lines.
            header: Its ``std_msgs/Header``.
            frame_id: The vehicle's frame; empty without calibration: nothing is published then.
        """
        if frame_id and self._publisher.get_subscription_count():
            self._publisher.publish(cloud_message(lanes, header, frame_id))

    def destroy(self) -> None:
        """Remove the publisher from the node."""
        self._node.destroy_lifecycle_publisher(self._publisher)
