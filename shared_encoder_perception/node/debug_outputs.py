"""Pictures for people on topics: the overlay and the markers, while somebody looks at them.

They are drawn in a thread of their own, from the newest image: neither the executor nor the
inference thread waits for them, and the lanes are out before.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import Any, Final

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from shared_encoder_perception.node import topics
from shared_encoder_perception.node.debug_overlay import DebugOptions, encode_jpeg, notes_of, render
from shared_encoder_perception.node.mailbox import Mailbox
from shared_encoder_perception.node.topic_watch import create_output
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.markers import Shape, ShapeType, lane_shapes

OVERLAY_TOPIC: Final = f"~/{topics.OVERLAY_TOPIC}"
MARKERS_TOPIC: Final = "~/debug/markers"
DEBUG_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)
"""Viewers ask for either reliability; a reliable publisher serves both."""

MARKER_LIFETIME: Final = Duration(sec=1)
"""A viewer forgets a lane that is not confirmed: a dead node must not look like a live one."""
STOP_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, eq=False)
class DebugImage:
    """One perceived image, to be drawn.

    Attributes:
        pixels: (H, W, 3) uint8 BGR; nobody writes to it any more.
        header: Its ``std_msgs/Header``.
        perception: What it told us.
        model: Name and version of the model that said so.
        stage_ms: Milliseconds by stage.
        replaced: Images replaced by newer ones so far.
        frame_id: The vehicle's frame; empty without calibration.
    """

    pixels: NDArray
    header: Any
    perception: Perception
    model: str
    stage_ms: Mapping[str, float]
    replaced: int = 0
    frame_id: str = ""


class DebugOutputs:
    """Lifecycle publishers of the overlay and the markers, and the thread that draws them.

    Attributes:
        publishers: All of them.
        options: How pictures are drawn.
    """

    def __init__(
        self,
        node: Any,
        options: DebugOptions,
        report: Callable[[str], None],
    ) -> None:
        """Create the publishers on a ``LifecycleNode``; the thread starts with the first picture.

        Args:
            node: The node.
            options: Read for every picture; may be replaced at any time.
            report: Called in the thread with the reason why something could not be drawn.
        """
        self._node, self._report = node, report
        self.options = options
        self._overlay = create_output(node, CompressedImage, OVERLAY_TOPIC, DEBUG_QOS)
        self._markers = create_output(node, MarkerArray, MARKERS_TOPIC, DEBUG_QOS)
        self.publishers = (self._overlay, self._markers)
        self._overlay_pace, self._markers_pace = _Pace(), _Pace()
        self._mailbox: Mailbox[DebugImage] = Mailbox()
        self._thread: Thread | None = None
        self._destroyed = False

    def submit(self, image: DebugImage) -> None:
        """Have an image drawn if somebody looks; never blocks (inference thread).

        One that comes while the last is still being drawn replaces those that wait.
        """
        now = monotonic()
        if self._destroyed or not (self._overlay_due(now) or self._markers_due(image, now)):
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="debug", daemon=True)
            self._thread.start()
        self._mailbox.put(image)

    def destroy(self) -> None:
        """End the thread and remove the publishers from the node."""
        self._destroyed = True
        self._mailbox.close()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
        for publisher in self.publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def _overlay_due(self, now: float) -> bool:
        """Whether somebody looks at the overlay and it is time for the next."""
        return bool(self._overlay_pace.due(now) and self._overlay.get_subscription_count())

    def _markers_due(self, image: DebugImage, now: float) -> bool:
        """Whether somebody looks at the markers, it is time, and there is a frame for them."""
        return bool(
            image.frame_id
            and self._markers_pace.due(now)
            and self._markers.get_subscription_count()
        )

    def _run(self) -> None:
        """Draw images until the mailbox is closed."""
        while (image := self._mailbox.take()) is not None:
            try:
                self._draw(image)
            except Exception as error:  # a picture is never worth more than the node
                if self._node.context.ok():
                    self._report(f"cannot draw, {type(error).__name__}: {error}")

    def _draw(self, image: DebugImage) -> None:
        """Draw and publish what is due."""
        options, now = self.options, monotonic()
        if self._markers_due(image, now):
            self._markers_pace.step(now, options.markers_max_rate_hz)
            self._markers.publish(markers_message(image))
        if self._overlay_due(now):
            self._overlay_pace.step(now, options.overlay_max_rate_hz)
            self._overlay.publish(overlay_message(image, options))


class _Pace:
    """Holds something to a rate on the average, whatever the beat of the images is."""

    def __init__(self) -> None:
        """The first is due at once."""
        self._next = 0.0

    def due(self, now: float) -> bool:
        """Whether the next may come, ``now`` in seconds."""
        return now >= self._next

    def step(self, now: float, rate_hz: float) -> None:
        """Note that one came; what was missed is not made up for, beyond half a beat of jitter."""
        period = 1 / rate_hz
        self._next = max(self._next, now - period / 2) + period


def overlay_message(image: DebugImage, options: DebugOptions) -> CompressedImage:
    """Return the overlay of one image, with the image's header."""
    notes = notes_of(image.model, image.stage_ms, image.replaced)
    picture = render(image.pixels, image.perception, notes, options)
    packed = array("B")
    packed.frombytes(encode_jpeg(picture, options.overlay_quality))
    message = CompressedImage(header=image.header, format="bgr8; jpeg compressed bgr8")
    message.data = packed
    return message


def markers_message(image: DebugImage) -> MarkerArray:
    """Return the markers of one image, in the vehicle's frame at the image's time."""
    header = Header(stamp=image.header.stamp, frame_id=image.frame_id)
    shapes = lane_shapes(image.perception.lanes)
    return MarkerArray(markers=[_marker(shape, header) for shape in shapes])


def _marker(shape: Shape, header: Header) -> Marker:
    """Translate one shape."""
    marker = Marker(header=header, ns=shape.namespace, id=shape.number)
    if not len(shape.points_m):
        marker.action = Marker.DELETE
        return marker
    marker.action, marker.type = Marker.ADD, int(shape.type)
    marker.lifetime = MARKER_LIFETIME
    marker.color = ColorRGBA(**dict(zip("rgba", map(float, shape.colour), strict=True)))
    marker.scale.x = marker.scale.y = marker.scale.z = float(shape.scale)
    points = [Point(x=x, y=y, z=z) for x, y, z in shape.points_m.tolist()]
    if shape.type is ShapeType.TEXT_VIEW_FACING:
        marker.pose.position, marker.text = points[0], shape.text
    else:
        marker.points = points
    return marker
