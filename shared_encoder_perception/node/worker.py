# SPDX-License-Identifier: Apache-2.0
"""The inference thread: newest image in, perception out, away from the ROS executor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from threading import Lock, Thread
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.preprocess import STRETCH, Crop, CropRule, ImageError
from shared_encoder_perception.images.stamps import (
    Limits,
    RateLimit,
    StampCounts,
    StampWatch,
    stamp_ns,
)
from shared_encoder_perception.node.gate import Gate
from shared_encoder_perception.node.ledger import DroppedError, Ledger
from shared_encoder_perception.node.mailbox import Mailbox
from shared_encoder_perception.node.perceived_image import PerceivedImage
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.structures import Perception

NODE_STAGES: Final = ("waiting", "conversion", *STAGES, "geometry", "publish", "total")
"""Keys of ``Worker.stage_times``: ``waiting`` for the thread, ``geometry`` for what ``refine`` does
(0 without one), ``total`` from receipt to the end."""

INFERENCE_THREAD: Final = "inference"

HISTORY: Final = 1000
"""Images whose stage times are kept."""

SWAP_TIMEOUT_S: Final = 10.0
"""Longest wait for the image in work when a predictor is swapped."""

Refine = Callable[[Any, Perception], Perception]
"""Adds to a perception what needs more than the image: takes its header, too."""
Beside = Callable[[Any, NDArray[np.uint8]], Mapping[str, NDArray[np.uint8]]]
"""Returns ``companions`` of the predictor for an image: takes its message, too."""


class Worker:
    """Runs a predictor in a thread of its own, on the newest image only."""

    def __init__(
        self,
        predictor: Predictor,
        crop: Crop | CropRule | None,
        publish: Callable[[PerceivedImage], None],
        report: Callable[[str], None],
        *,
        warn: Callable[[str], None] | None = None,
        resize: str = STRETCH,
        companions: Beside | None = None,
        refine: Refine | None = None,
        on_time_jump: Callable[[float], None] | None = None,
        now_ns: Callable[[], int] | None = None,
        limits: Limits | None = None,
        enabled: bool = True,
    ) -> None:
        """Start the thread. All callables are called in it.

        Args:
            predictor: Used by this thread alone until ``stop`` has returned true, or until it is
                swapped for another.
            crop: Part of the images to use, or what chooses it for each; see ``Predictor``.
            publish: Called with every finished image.
            report: Called with the reason why an image was not perceived.
            warn: Called with what is odd about the stamps; without one, it is only counted.
            resize: See ``ImageTransform``.
            companions: Called with every image that can be used, for what it is compared with.
            refine: Called with header and perception of every image, e.g. for ground and tracks.
                If it fails, that is told and the perception is published as it was.
            on_time_jump: Called, before that image is perceived, with the seconds (below 0) by
                which the stamps jumped back: what was tracked before is from another time.
            now_ns: The node's clock in nanoseconds; without one, no image is stale.
            limits: Which images to let through; by default all but those out of order.
            enabled: See ``set_enabled``.
        """
        self.limits = limits or Limits()
        """May be replaced at any time, for the next image."""
        self._predictor, self._resize = predictor, resize
        self._crop_for = crop if callable(crop) else lambda _: crop
        self._publish, self._report, self._warn, self._refine = publish, report, warn, refine
        self._companions = companions
        self._on_time_jump, self._now_ns = on_time_jump, now_ns or (lambda: 0)
        self._mailbox: Mailbox[tuple[Any, float]] = Mailbox()
        self._ledger, self._gate = Ledger(self._mailbox), Gate()
        self._rate, self._watch = RateLimit(), StampWatch()
        self._enabled = enabled
        self._last_perceived_s: float | None = None
        self._lock = Lock()
        self._history: deque[dict[str, float]] = deque(maxlen=HISTORY)
        # A daemon, because a hung engine must not keep the process from ending.
        self._thread = Thread(target=self._run, name=INFERENCE_THREAD, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def enabled(self) -> bool:
        """Whether images are perceived; see ``set_enabled``."""
        return self._enabled

    @property
    def counts(self) -> Counts:
        """What became of the images so far, all at the same instant."""
        return self._ledger.counts

    @property
    def stamps(self) -> StampCounts:
        """What was odd about the stamps so far, and the age of the last image."""
        return self._watch.counts

    @property
    def last_perceived_s(self) -> float | None:
        """``perf_counter`` at which the last image was perceived; ``None`` before the first."""
        return self._last_perceived_s

    def busy_since_s(self) -> float | None:
        """Return the ``perf_counter`` at which work on the present image began; ``None`` if idle.

        Publishing is part of the work.
        """
        return self._gate.busy_since_s

    def stage_times(self) -> list[dict[str, float]]:
        """Return milliseconds by stage (``NODE_STAGES``) of the last ``HISTORY`` images."""
        with self._lock:
            return list(self._history)

    def submit(self, message: Any, received_s: float) -> None:
        """Hand over an Image or CompressedImage received at ``received_s``; never blocks."""
        if not self._enabled:
            self._ledger.refuse("disabled")
        elif not self._rate.admits(received_s, self.limits.max_rate_hz):
            self._ledger.refuse("limited")
        else:
            self._ledger.put((message, received_s))

    def set_enabled(self, enabled: bool) -> None:
        """Perceive images or drop them, from now on; one in work is finished."""
        self._enabled = enabled

    def between_images(self, timeout_s: float = SWAP_TIMEOUT_S) -> AbstractContextManager[None]:
        """Hold the thread while the caller changes what it uses; images wait meanwhile.

        Raises:
            TimeoutError: The image in work was not finished after ``timeout_s`` seconds.
        """
        return self._gate.closed(timeout_s)

    def swap(self, predictor: Predictor, timeout_s: float = SWAP_TIMEOUT_S) -> Predictor:
        """Use another predictor from the next image on.

        Returns:
            The one before, which is used no more.

        Raises:
            TimeoutError: It is still in use after ``timeout_s`` seconds, and goes on being used.
        """
        with self.between_images(timeout_s):
            old, self._predictor = self._predictor, predictor
        return old

    def stop(self, timeout_s: float) -> bool:
        """Finish the image in work and end the thread.

        Returns:
            Whether the thread ended within ``timeout_s`` seconds. If not, it is left behind: it
            publishes nothing more, its image counts as lost, and it ends when the engine returns.
        """
        self._mailbox.close()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._ledger.give_up()
        return not self._ledger.given_up

    def _run(self) -> None:
        """Process images until the mailbox is closed."""
        while (item := self._mailbox.take()) is not None:
            with self._gate.turn():
                self._process(*item)

    def _process(self, message: Any, received_s: float) -> None:
        """Perceive one image and publish it, or drop it; either way count it."""
        start_s = perf_counter()
        try:
            age_s = self._admit(message)
            pixels, perception, stage_ms = self._perceive(message)
        except Exception as error:  # engines raise unrelated types; the next image may do
            self._drop(error)
            return
        perception, geometry_ms = self._refined(message.header, perception)
        stages = {"waiting": (start_s - received_s) * 1e3, **stage_ms, "geometry": geometry_ms}
        if self._ledger.finish("perceived"):
            self._last_perceived_s = perf_counter()
            self._deliver(
                PerceivedImage(
                    message.header,
                    pixels,
                    perception,
                    self._predictor.spec,
                    stages,
                    self._ledger.counts,
                    received_s,
                    age_s,
                )
            )

    def _admit(self, message: Any) -> float:
        """Return the age of an image whose turn has come, in seconds; NaN where unknown."""
        if self._ledger.given_up:  # stopped while others held the gate: the engine may be gone
            raise DroppedError("lost")
        if not self._enabled:
            raise DroppedError("disabled")
        limits = self.limits
        image_ns, now_ns = stamp_ns(message.header), self._now_ns()
        verdict = self._watch.check(image_ns, now_ns, limits.reorder_window_s)
        if verdict.warning and self._warn is not None:
            self._tell(verdict.warning, self._warn)
        if verdict.is_late:
            raise DroppedError("late", "image dropped: it is stamped before the last one")
        if verdict.jump_s and self._on_time_jump is not None:
            self._on_time_jump(verdict.jump_s)
        if limits.max_age_s and verdict.age_s > limits.max_age_s:
            raise DroppedError(
                "stale",
                f"image dropped: it is {verdict.age_s:.3f} s old by the node's clock, "
                f"input.max_age_s is {limits.max_age_s:g}",
            )
        return verdict.age_s

    def _perceive(self, message: Any) -> tuple[NDArray[np.uint8], Perception, dict[str, float]]:
        """Convert and predict one image; return its pixels, too."""
        start_s = perf_counter()
        try:
            image = to_bgr(message)
            crop = self._crop_for((image.shape[0], image.shape[1]))
            beside = self._companions(message, image) if self._companions else None
            converted_s = perf_counter()
            perception = self._predictor(image, crop, self._resize, companions=beside)
        except (ImageMsgError, ImageError) as error:
            raise DroppedError("rejected", f"image rejected: {error}") from error
        stage_ms = {"conversion": (converted_s - start_s) * 1e3, **perception.stage_ms}
        return image, perception, stage_ms

    def _refined(self, header: Any, perception: Perception) -> tuple[Perception, float]:
        """Return the perception with what ``refine`` adds, and the milliseconds that took."""
        # The thread that took over from an abandoned one may use the same tracks by now.
        if self._refine is None or self._ledger.given_up:
            return perception, 0.0
        start_s = perf_counter()
        try:
            perception = self._refine(header, perception)
        except Exception as error:  # answers in the image are better than none at all
            self._ledger.note("unrefined")
            self._tell(f"ground or tracks failed, {type(error).__name__}: {error}")
        return perception, (perf_counter() - start_s) * 1e3

    def _deliver(self, image: PerceivedImage) -> None:
        """Publish one image and record how long it took."""
        start_s = perf_counter()
        try:
            self._publish(image)
        except Exception as error:  # a middleware error must not end the thread either
            self._ledger.note("unpublished")
            self._tell(f"cannot publish, {type(error).__name__}: {error}")
            return
        end_s = perf_counter()
        publish_ms, total_ms = (end_s - start_s) * 1e3, (end_s - image.received_s) * 1e3
        with self._lock:
            self._history.append({**image.stage_ms, "publish": publish_ms, "total": total_ms})

    def _drop(self, error: Exception) -> None:
        """Count an image that goes no further and say why."""
        reason, text = "lost", f"image lost, {type(error).__name__}: {error}"
        if isinstance(error, DroppedError):
            reason, text = error.reason, str(error)
        if self._ledger.finish(reason) and text:
            self._tell(text)

    def _tell(self, text: str, log: Callable[[str], None] | None = None) -> None:
        """Report; a log that fails is no reason to stop perceiving."""
        with suppress(Exception):
            (log or self._report)(text)
