# SPDX-License-Identifier: Apache-2.0
"""The rig's debug overlay: its cameras side by side and the map, while somebody looks.

Drawn in a thread of its own, from the newest moment: neither the executor nor the inference thread
waits for it, and the data are out before.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from threading import Thread
from time import monotonic
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.moment import draw_moment
from shared_encoder_perception.drawing.text import draw_notes
from shared_encoder_perception.node.debug_outputs import DEBUG_QOS, OVERLAY_TOPIC, STOP_TIMEOUT_S
from shared_encoder_perception.node.debug_overlay import DebugOptions, encode_jpeg, notes_of
from shared_encoder_perception.node.mailbox import Mailbox
from shared_encoder_perception.node.rig.perceived_moment import PerceivedMoment
from shared_encoder_perception.node.topic_watch import create_output


class RigOverlay:
    """The lifecycle publisher of the overlay, and the thread that draws.

    Attributes:
        publisher: Of the overlay.
        options: How it is drawn; may be replaced at any time.
    """

    def __init__(self, node: Any, options: DebugOptions, report: Callable[[str], None]) -> None:
        """Create the publisher; the thread starts with the first picture."""
        self._node, self._report, self.options = node, report, options
        self.publisher = create_output(node, CompressedImage, OVERLAY_TOPIC, DEBUG_QOS)
        self._mailbox: Mailbox[PerceivedMoment] = Mailbox()
        self._thread: Thread | None = None
        self._next_s, self._destroyed = 0.0, False

    def claim(self) -> bool:
        """Say whether the moment that is about to be perceived is to be drawn (inference thread).

        It is if somebody looks and it is time; then the next one has to wait its time again.
        """
        now_s, period_s = monotonic(), 1 / self.options.overlay_max_rate_hz
        if self._destroyed or now_s < self._next_s or not self.publisher.get_subscription_count():
            return False
        # What was missed is not made up for, beyond half a beat of jitter.
        self._next_s = max(self._next_s, now_s - period_s / 2) + period_s
        return True

    def submit(self, moment: PerceivedMoment) -> None:
        """Have a moment drawn that was claimed; never blocks (inference thread)."""
        if self._destroyed:
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="debug", daemon=True)
            self._thread.start()
        self._mailbox.put(moment)

    def destroy(self) -> None:
        """End the thread and remove the publisher from the node."""
        self._destroyed = True
        self._mailbox.close()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
        self._node.destroy_lifecycle_publisher(self.publisher)

    def _run(self) -> None:
        """Draw moments until the mailbox is closed."""
        while (moment := self._mailbox.take()) is not None:
            try:
                self.publisher.publish(overlay_message(moment, self.options))
            except Exception as error:  # a picture is never worth more than the node
                if self._node.context.ok():
                    self._report(f"cannot draw, {type(error).__name__}: {error}")


def overlay_message(moment: PerceivedMoment, options: DebugOptions) -> CompressedImage:
    """Return the overlay of one moment, with the header of the anchor's image."""
    packed = array("B")
    packed.frombytes(encode_jpeg(render_rig(moment, options), options.overlay_quality))
    message = CompressedImage(header=moment.header, format="bgr8; jpeg compressed bgr8")
    message.data = packed
    return message


def render_rig(moment: PerceivedMoment, options: DebugOptions) -> NDArray[np.uint8]:
    """Draw everything that was perceived: the cameras side by side, and the map.

    Args:
        moment: What was perceived; its pixels are not drawn on.
        options: How wide it may be.

    Returns:
        (h, w, 3) uint8 BGR, at most ``overlay_width`` columns.
    """
    said = moment.perception
    (task,) = tasks.RIG_ROOMS
    picture = draw_moment(moment.rig, moment.pixels, said.cameras, task, said.surround)
    rows, columns = picture.shape[:2]
    width = min(options.overlay_width, columns)
    size = (width, max(round(rows * width / columns), 1))
    found: NDArray[np.uint8] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    draw_notes(found, notes_of(moment.spec.title, moment.stage_ms, 0))
    return found
