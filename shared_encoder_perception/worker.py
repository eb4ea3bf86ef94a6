"""The inference thread: newest image in, perception out, away from the ROS executor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception.image_msg import to_bgr
from shared_encoder_perception.mailbox import Mailbox
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.preprocess import Crop
from shared_encoder_perception.structures import Perception

NODE_STAGES: Final = ("waiting", "conversion", *STAGES, "publish", "total")
"""Keys of ``Worker.stage_times``: ``waiting`` for the thread, ``total`` from receipt to the end."""

HISTORY: Final = 1000
"""Images whose stage times are kept."""


@dataclass(frozen=True)
class Counts:
    """What became of the images. The sum is all that came, but for those in work or waiting.

    Attributes:
        perceived: Images that gave a perception.
        replaced: Images that a newer one replaced before they were looked at.
        rejected: Images that could not be used, or on which the backend failed.
    """

    perceived: int = 0
    replaced: int = 0
    rejected: int = 0


@dataclass(frozen=True, eq=False)
class PerceivedImage:
    """One finished image, ready to be published.

    Attributes:
        header: The image's ``std_msgs/Header``.
        perception: What it told us.
        stage_ms: Milliseconds of the stages up to decode.
        counts: Counts with this image included.
        received_s: ``perf_counter`` at which the image was received.
    """

    header: Any
    perception: Perception
    stage_ms: dict[str, float]
    counts: Counts
    received_s: float


class Worker:
    """Runs a predictor in a thread of its own, on the newest image only."""

    def __init__(
        self,
        predictor: Predictor,
        crop: Crop | None,
        publish: Callable[[PerceivedImage], None],
        report: Callable[[str], None],
    ) -> None:
        """Start the thread.

        Args:
            predictor: Used by this thread alone until ``stop`` has returned true.
            crop: Part of the images to use; see ``Predictor``.
            publish: Called in the thread with every finished image.
            report: Called in the thread with the reason why an image was not perceived.
        """
        self._predictor, self._crop = predictor, crop
        self._publish, self._report = publish, report
        self._mailbox: Mailbox[tuple[Any, float]] = Mailbox()
        self._lock = Lock()
        self._perceived = self._rejected = 0
        self._history: deque[dict[str, float]] = deque(maxlen=HISTORY)
        self._abandoned = False
        # A daemon, because a hung engine must not keep the process from ending.
        self._thread = Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def counts(self) -> Counts:
        """What became of the images so far."""
        with self._lock:
            return Counts(self._perceived, self._mailbox.replaced, self._rejected)

    def stage_times(self) -> list[dict[str, float]]:
        """Return milliseconds by stage (``NODE_STAGES``) of the last ``HISTORY`` images."""
        with self._lock:
            return list(self._history)

    def submit(self, message: Any, received_s: float) -> None:
        """Hand over an Image or CompressedImage received at ``received_s``; never blocks."""
        self._mailbox.put((message, received_s))

    def stop(self, timeout_s: float) -> bool:
        """Finish the image in work and end the thread.

        Returns:
            Whether the thread ended within ``timeout_s`` seconds. If not, it is left behind: it
            publishes nothing more, and ends when the engine returns.
        """
        self._mailbox.close()
        self._thread.join(timeout_s)
        self._abandoned = self._thread.is_alive()
        return not self._abandoned

    def _run(self) -> None:
        """Process images until the mailbox is closed."""
        while (item := self._mailbox.take()) is not None:
            try:
                image = self._perceive(*item)
            except ValueError as error:
                self._reject(f"image rejected: {error}")
            except Exception as error:  # engines raise unrelated types; the next image may do
                self._reject(f"image lost, {type(error).__name__}: {error}")
            else:
                self._deliver(image)

    def _perceive(self, message: Any, received_s: float) -> PerceivedImage:
        """Convert and predict one image, and count it."""
        taken_s = perf_counter()
        image = to_bgr(message)
        converted_s = perf_counter()
        perception = self._predictor(image, self._crop)
        stage_ms = {
            "waiting": (taken_s - received_s) * 1e3,
            "conversion": (converted_s - taken_s) * 1e3,
            **perception.stage_ms,
        }
        with self._lock:
            self._perceived += 1
        return PerceivedImage(message.header, perception, stage_ms, self.counts, received_s)

    def _deliver(self, image: PerceivedImage) -> None:
        """Publish one image and record how long it took."""
        if self._abandoned:
            return
        start_s = perf_counter()
        try:
            self._publish(image)
        except Exception as error:  # a middleware error must not end the thread either
            self._report(f"cannot publish, {type(error).__name__}: {error}")
            return
        end_s = perf_counter()
        publish_ms, total_ms = (end_s - start_s) * 1e3, (end_s - image.received_s) * 1e3
        with self._lock:
            self._history.append({**image.stage_ms, "publish": publish_ms, "total": total_ms})

    def _reject(self, reason: str) -> None:
        """Count an image that could not be used and say why."""
        if self._abandoned:
            return
        with self._lock:
            self._rejected += 1
        self._report(reason)
