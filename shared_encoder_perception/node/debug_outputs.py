# SPDX-License-Identifier: Apache-2.0
"""Pictures for people on topics: the overlay and the tasks' own, while somebody looks at them.

They are drawn in a thread of their own, from the newest image: neither the executor nor the
inference thread waits for them, and the data are out before.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import Any, Final

from numpy.typing import NDArray
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage

from shared_encoder_perception import tasks
from shared_encoder_perception.node import topics
from shared_encoder_perception.node.debug_overlay import DebugOptions, encode_jpeg, notes_of, render
from shared_encoder_perception.node.mailbox import Mailbox
from shared_encoder_perception.node.messages import message_type, new_message
from shared_encoder_perception.node.topic_watch import create_output
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.runtime import Context, Topic

OVERLAY_TOPIC: Final = f"~/{topics.OVERLAY_TOPIC}"
DEBUG_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)
"""Viewers ask for either reliability; a reliable publisher serves both."""
STOP_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, eq=False)
class DebugImage:
    """One perceived image, to be drawn.

    Attributes:
        pixels: (H, W, 3) uint8 BGR; nobody writes to it any more.
        perception: What it told us.
        context: What its messages carried beside that.
    """

    pixels: NDArray
    perception: Perception
    context: Context


class DebugOutputs:
    """Lifecycle publishers of the overlay and the tasks' pictures, and the thread that draws them.

    Attributes:
        publishers: All of them.
        options: How pictures are drawn.
    """

    def __init__(
        self,
        node: Any,
        options: DebugOptions,
        report: Callable[[str], None],
        pictures: Iterable[tuple[str, Topic]] = (),
    ) -> None:
        """Create the publishers on a ``LifecycleNode``; the thread starts with the first picture.

        Args:
            node: The node.
            options: Read for every picture; may be replaced at any time.
            report: Called in the thread with the reason why something could not be drawn.
            pictures: Topics of tasks, each with the task's name.
        """
        self._node, self._report = node, report
        self.options = options
        self._overlay = _Output(node, None, Topic(OVERLAY_TOPIC, "sensor_msgs/msg/CompressedImage"))
        self._pictures = [_Output(node, name, topic) for name, topic in pictures]
        self._outputs = (*self._pictures, self._overlay)
        self.publishers = tuple(output.publisher for output in self._outputs)
        self._mailbox: Mailbox[DebugImage] = Mailbox()
        self._thread: Thread | None = None
        self._destroyed = False

    def submit(self, image: DebugImage) -> None:
        """Have an image drawn if somebody looks; never blocks (inference thread).

        One that comes while the last is still being drawn replaces those that wait.
        """
        now, frame_id = monotonic(), image.context.frame_id
        if self._destroyed or not any(output.due(now, frame_id) for output in self._outputs):
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
        options, now, context = self.options, monotonic(), image.context
        for output in self._pictures:
            if output.due(now, context.frame_id):
                output.pace.step(now, options.markers_max_rate_hz)
                answer = image.perception.answers[output.task]
                makers = tasks.part(output.task, "content").messages(answer, context, new_message)
                output.publisher.publish(makers[output.topic.name]())
        if self._overlay.due(now, context.frame_id):
            self._overlay.pace.step(now, options.overlay_max_rate_hz)
            self._overlay.publisher.publish(overlay_message(image, options))


class _Output:
    """One publisher of pictures."""

    def __init__(self, node: Any, task: str | None, topic: Topic) -> None:
        """Create it on a node; ``task`` is the one whose pictures they are, if they are one's."""
        self.task, self.topic, self.pace = task or "", topic, _Pace()
        self.publisher = create_output(node, message_type(topic.kind), topic.name, DEBUG_QOS)

    def due(self, now: float, frame_id: str) -> bool:
        """Whether somebody looks, it is time for the next, and there is a frame for it."""
        return bool(
            (frame_id or not self.topic.grounded)
            and self.pace.due(now)
            and self.publisher.get_subscription_count()
        )


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
    context = image.context
    notes = notes_of(context.spec.title, context.stage_ms, context.counts.replaced)
    picture = render(image.pixels, image.perception, notes, options)
    packed = array("B")
    packed.frombytes(encode_jpeg(picture, options.overlay_quality))
    message = CompressedImage(header=context.header, format="bgr8; jpeg compressed bgr8")
    message.data = packed
    return message
