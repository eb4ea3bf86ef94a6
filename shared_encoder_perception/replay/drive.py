"""One bag's images through the model, each in its turn (main thread)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.preprocess import Crop, ImageError
from shared_encoder_perception.images.stamps import Limits, StampCounts, StampWatch
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.reading import BagFrame
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker


@dataclass(frozen=True, eq=False)
class Seen:
    """What became of one image.

    Attributes:
        frame: The image.
        perception: What it told us; ``None`` if it was skipped.
        counts: What became of all images so far.
        skipped: Which of ``DROP_REASONS``; empty if it was perceived.
        why: In words.
        jumped: Whether the stamps jumped back to this image: what was before is another drive.
        ordered: Whether it is stamped later than the one before.
        stage_ms: Milliseconds of each stage.
    """

    frame: BagFrame
    perception: Perception | None
    counts: Counts
    skipped: str = ""
    why: str = ""
    jumped: bool = False
    ordered: bool = True
    stage_ms: Mapping[str, float] = field(default_factory=dict)


class Drive:
    """Perceives images as the node does, but every one of them.

    Attributes:
        tracking: Whether lanes are followed from image to image.
    """

    def __init__(self, predictor: Predictor, crop: Crop | None, tracking: bool) -> None:
        """Begin a drive.

        Args:
            predictor: Its lane thresholds are lowered while tracking, as the node does it.
            crop: Part of the images to use; ``None`` for the default.
            tracking: Whether to follow lanes.
        """
        self._predictor, self._crop = predictor, crop
        options = TrackingOptions(enabled=tracking)
        thresholds = options.decode_thresholds(predictor.spec.lane_thresholds)
        lanes = replace(predictor.options["lanes"], lane_thresholds=thresholds)
        predictor.options = {**predictor.options, "lanes": lanes}
        self.tracking = tracking
        self._tracker = LaneTracker(options)
        self._watch = StampWatch()
        self._last_ns = 0
        self._tally: Counter[str] = Counter()

    @property
    def stamps(self) -> StampCounts:
        """What was odd about the stamps so far."""
        return self._watch.counts

    def look(self, frame: BagFrame) -> Seen:
        """Perceive an image, or say why not."""
        if frame.image is None:
            return self._skip(frame, "rejected", frame.fault)
        verdict = self._watch.check(frame.stamp_ns, 0, Limits().reorder_window_s)
        jumped = verdict.jump_s < 0
        if verdict.is_late and self.tracking:
            return self._skip(frame, "late", "stamped before the last one")
        ordered = frame.stamp_ns > self._last_ns or jumped
        if ordered:
            self._last_ns = frame.stamp_ns
        if jumped:
            self._tracker.reset()
        try:
            perception = self._predictor(frame.image, self._crop)
        except ImageError as error:
            return self._skip(frame, "rejected", str(error), jumped)
        start_s = perf_counter()
        stage_ms = {"conversion": frame.conversion_ms, **perception.stage_ms}
        if self.tracking:
            perception = self._tracker.update(perception, frame.stamp_ns * 1e-9)
            stage_ms["tracking"] = (perf_counter() - start_s) * 1e3
        self._tally["perceived"] += 1
        return Seen(frame, perception, self._counts(frame), "", "", jumped, ordered, stage_ms)

    def time_alone(self, images: list[BagFrame]) -> float:
        """Return the seconds that the predictor alone needs for images."""
        start_s = perf_counter()
        for frame in images:
            assert frame.image is not None
            self._predictor(frame.image, self._crop)
        return perf_counter() - start_s

    def state(self) -> tuple[object, ...]:
        """Return all that the next image depends on, to be given to ``restore``."""
        return self._tracker, self._watch, self._last_ns, self._tally

    def restore(self, state: tuple[object, ...]) -> None:
        """Go on where another drive was when it gave its state."""
        self._tracker, self._watch, self._last_ns, self._tally = state  # type: ignore[assignment]

    def _skip(self, frame: BagFrame, reason: str, why: str, jumped: bool = False) -> Seen:
        """Count an image that is not perceived."""
        self._tally[reason] += 1
        return Seen(frame, None, self._counts(frame), reason, why, jumped, ordered=False)

    def _counts(self, frame: BagFrame) -> Counts:
        """Return what became of the images up to this one, as the node counts them."""
        return Counts(received=frame.index + 1, **self._tally)
