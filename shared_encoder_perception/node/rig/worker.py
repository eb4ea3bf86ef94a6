# SPDX-License-Identifier: Apache-2.0
"""The inference thread of a rig: moments in, maps out, away from the ROS executor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from threading import Lock, Thread
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.gate import Gate
from shared_encoder_perception.node.ledger import DroppedError
from shared_encoder_perception.node.rig.calibration import RigCalibration
from shared_encoder_perception.node.rig.camera_counts import Attendance, MomentCounts
from shared_encoder_perception.node.rig.gather import Gather
from shared_encoder_perception.node.rig.moment import APART, Arrived, Moment
from shared_encoder_perception.node.rig.perceived_moment import Asked, PerceivedMoment
from shared_encoder_perception.node.worker import HISTORY, INFERENCE_THREAD, SWAP_TIMEOUT_S
from shared_encoder_perception.predictor import STAGES
from shared_encoder_perception.rig_predictor import RigPredictor

RIG_STAGES: Final = ("waiting", "conversion", *STAGES, "publish", "total")
"""Keys of ``RigWorker.stage_times``: ``waiting`` from the receipt of the anchor's image to the
begin of the work, the others' images included; ``total`` from there to the end."""

Tagged = tuple[Any, int]
"""An image's message, and the version of its camera's calibration when it came."""
Pictures = dict[str, NDArray[np.uint8]]


class RigWorker:
    """Runs a rig's predictor in a thread of its own.

    Attributes:
        gather: Where images are put.
        predictor: Used by this thread alone; ``None`` until the rig is calibrated. To be set
            between images.
    """

    def __init__(
        self,
        gather: Gather[Tagged],
        publish: Callable[[PerceivedMoment], None],
        report: Callable[[str, str], None],
        enabled: bool = True,
        ask: Callable[[], Asked] = Asked,
    ) -> None:
        """Make it; ``start`` starts the thread.

        Args:
            gather: Gives the moments; nobody else takes any.
            publish: Called in the thread with every finished moment.
            report: Called with the name of a camera, or nothing for all, and why images of it
                were not used.
            enabled: See ``set_enabled``.
            ask: Called in the thread before each moment is perceived, for what of it is to be
                answered; by default everything.
        """
        self.gather = gather
        self.predictor: RigPredictor | None = None
        self._publish, self._report, self._enabled = publish, report, enabled
        self._ask = ask
        self._calibration: RigCalibration | None = None
        self._gate, self._lock = Gate(), Lock()
        self._moments = MomentCounts()
        self._attendance = {name: Attendance() for name in gather.names}
        self._history: deque[dict[str, float]] = deque(maxlen=HISTORY)
        # A daemon, because a hung engine must not keep the process from ending.
        self._thread = Thread(target=self._run, name=INFERENCE_THREAD, daemon=True)

    def start(self, calibration: RigCalibration) -> None:
        """Start the thread; ``calibration`` says which images can be used."""
        self._calibration = calibration
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
    def moments(self) -> MomentCounts:
        """What became of the moments so far."""
        return self._moments

    @property
    def attendance(self) -> dict[str, Attendance]:
        """How each camera keeps to the others."""
        with self._lock:
            return dict(self._attendance)

    def busy_since_s(self) -> float | None:
        """Return the ``perf_counter`` at which work on the moment began; ``None`` if idle."""
        return self._gate.busy_since_s

    def stage_times(self) -> list[dict[str, float]]:
        """Return milliseconds by stage (``RIG_STAGES``) of the last ``HISTORY`` maps."""
        with self._lock:
            return list(self._history)

    def submit(self, name: str, message: Any, received_s: float) -> None:
        """Hand over an image of a camera received at ``received_s``; never blocks."""
        taken_ns = stamp_ns(message.header)
        if not self._enabled:
            self.gather.refuse(name, "disabled")
        elif not taken_ns and len(self.gather.names) > 1:
            self.gather.refuse(name, "rejected")
            self._tell(name, "image rejected: it has no stamp, and what belongs to it is not known")
        else:
            version = self._calibration.version(name) if self._calibration else 0
            self.gather.put(name, (message, version), taken_ns, received_s)

    def set_enabled(self, enabled: bool) -> None:
        """Perceive images or drop them, from now on; those in work are finished."""
        self._enabled = enabled

    def between_images(self, timeout_s: float = SWAP_TIMEOUT_S) -> AbstractContextManager[None]:
        """Hold the thread while the caller changes what it uses; images wait meanwhile.

        Raises:
            TimeoutError: The moment in work was not finished after ``timeout_s`` seconds.
        """
        return self._gate.closed(timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """Finish the moment in work and end the thread.

        Returns:
            Whether the thread ended within ``timeout_s`` seconds. If not, it is left behind: it
            publishes nothing more, its images count as lost, and it ends when the engine returns.
        """
        self.gather.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            self.gather.give_up()
        return not self.gather.given_up

    def _run(self) -> None:
        """Process moments until the end."""
        while (moment := self.gather.take()) is not None:
            with self._gate.turn():
                self._process(moment)

    def _process(self, moment: Moment[Tagged]) -> None:
        """Perceive one moment and publish it, or drop it; either way count it."""
        start_s = perf_counter()
        self._attend(moment)
        outcomes: dict[str, str] = {}
        pictures: Pictures = {}
        for name, image in moment.images.items():
            try:
                pictures[name] = self._picture(name, image)
            except DroppedError as error:
                outcomes[name] = error.reason
                if error.reason != "uncalibrated":  # that is told once, by who calibrates
                    self._tell(name, str(error))
        converted_s = perf_counter()
        if len(pictures) < max(self.gather.timing.min_cameras, 1):
            self._end(outcomes, pictures, "few")
            return
        predictor = self.predictor
        assert predictor is not None, "without a table no image is admitted"
        asked = self._asked()
        try:
            perception = predictor.predict(pictures, asked.tasks)
        except Exception as error:  # engines raise unrelated types; the next moment may do
            if self._end(outcomes, pictures, "lost"):
                self._tell("", f"images lost, {type(error).__name__}: {error}")
            return
        # Where the anchor's own image cannot be used, the next one gives the time.
        first = moment.anchor if moment.anchor in pictures else next(iter(pictures))
        anchor = moment.images[first]
        stage_ms = {
            "waiting": (start_s - anchor.received_s) * 1e3,
            "conversion": (converted_s - start_s) * 1e3,
            **perception.stage_ms,
        }
        if self._end(outcomes, pictures, "used", bool(perception.missing)):
            self._deliver(
                PerceivedMoment(
                    anchor.item[0].header,
                    {name: moment.images[name].item[0].header for name in pictures},
                    pictures,
                    perception,
                    predictor.rig,
                    predictor.spec,
                    stage_ms,
                    self.gather.counts,
                    anchor.received_s,
                    asked,
                )
            )

    def _asked(self) -> Asked:
        """Return what is to be answered; everything where that cannot be found out."""
        try:
            return self._ask()
        except Exception:  # the middleware may be gone already, which publishing tells
            return Asked()

    def _picture(self, name: str, image: Arrived[Tagged]) -> NDArray[np.uint8]:
        """Return the pixels of an image that the table in use was made for.

        Raises:
            DroppedError: It cannot be used.
        """
        if self.gather.given_up:  # stopped while others held the gate: the engine may be gone
            raise DroppedError("lost")
        if not self._enabled:
            raise DroppedError("disabled")
        message, version = image.item
        try:
            picture = to_bgr(message)
        except ImageMsgError as error:
            raise DroppedError("rejected", f"image rejected: {error}") from error
        except Exception as error:  # such as too little memory: the other cameras go on
            raise DroppedError("lost", f"image lost, {type(error).__name__}: {error}") from error
        assert self._calibration is not None
        size = (picture.shape[0], picture.shape[1])
        self._calibration.admit(name, version, image.stamp_ns, size)
        return picture

    def _attend(self, moment: Moment[Tagged]) -> None:
        """Note who is there."""
        with self._lock:
            for name, before in self._attendance.items():
                missing = moment.missing.get(name)
                apart = missing is not None and missing.why == APART
                skew_s = moment.skew_s(name)
                self._attendance[name] = Attendance(
                    before.moments + 1,
                    before.missing + (missing is not None),
                    before.apart + apart,
                    before.skew_s if skew_s != skew_s else skew_s,
                    moment.anchor,
                )

    def _end(
        self, outcomes: dict[str, str], pictures: Pictures, outcome: str, partial: bool = False
    ) -> bool:
        """Count the end of a moment's images and of itself; false if they were given up before."""
        if not self.gather.finish({**outcomes, **dict.fromkeys(pictures, outcome)}):
            return False
        moments = self._moments
        if outcome == "used":
            moments = replace(
                moments, perceived=moments.perceived + 1, partial=moments.partial + partial
            )
        else:
            moments = replace(moments, **{outcome: getattr(moments, outcome) + 1})
        self._moments = moments
        return True

    def _deliver(self, moment: PerceivedMoment) -> None:
        """Publish one moment and record how long it took."""
        start_s = perf_counter()
        try:
            self._publish(moment)
        except Exception as error:  # a middleware error must not end the thread either
            self._moments = replace(self._moments, unpublished=self._moments.unpublished + 1)
            self._tell("", f"cannot publish, {type(error).__name__}: {error}")
            return
        end_s = perf_counter()
        publish_ms, total_ms = (end_s - start_s) * 1e3, (end_s - moment.received_s) * 1e3
        with self._lock:
            self._history.append({**moment.stage_ms, "publish": publish_ms, "total": total_ms})

    def _tell(self, name: str, text: str) -> None:
        """Report; a log that fails is no reason to stop perceiving."""
        if text:
            with suppress(Exception):
                self._report(name, text)
