# SPDX-License-Identifier: Apache-2.0
"""One bag's images through the model, each in its turn (main thread)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.preprocess import Crop, ImageError
from shared_encoder_perception.images.stamps import Limits, StampCounts, StampWatch
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.camera_infos import CameraInfos
from shared_encoder_perception.replay.companions import Companions, States
from shared_encoder_perception.replay.reading import BagFrame
from shared_encoder_perception.spec import picture_inputs
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.options import HEIGHT, with_camera
from shared_encoder_perception.tasks.status import Level

TRACKING: Final = "tracking.enabled"
"""Parameter of tasks that can follow things from image to image; others lack it."""


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
        camera_info: The CameraInfo that was of use for it, or ``None``.
    """

    frame: BagFrame
    perception: Perception | None
    counts: Counts
    skipped: str = ""
    why: str = ""
    jumped: bool = False
    ordered: bool = True
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    camera_info: Any = None


class Drive:
    """Perceives images as the node does, but every one of them.

    Attributes:
        tracking: Whether things are followed from image to image.
        unsure: What tasks that need the camera said of images -> of how many, unless all is well.
    """

    def __init__(
        self,
        predictor: Predictor,
        crop: Crop | None,
        tracking: bool,
        infos: CameraInfos | None = None,
        companions: Companions | None = None,
        focal_px: float | None = None,
        height_m: float | None = None,
    ) -> None:
        """Begin a drive.

        Args:
            predictor: Gets the options that a node has by default, or has while it tracks.
            crop: Part of the images to use; ``None`` for the default.
            tracking: Whether to follow things, such as lanes.
            infos: The CameraInfo of the images, for tasks that need it.
            companions: What images are compared with; by default with nothing of use.
            focal_px: Focal length of the camera, pixels of the images; ``infos`` do not count then.
            height_m: Of the camera above the road.

        Raises:
            ValueError: It is none, or nothing that the model answers depends on it.
        """
        self._predictor, self._crop = predictor, crop
        self.tracking = tracking
        self._infos = infos if infos is not None and focal_px is None else CameraInfos()
        self._companions = companions or Companions(predictor.spec, None)
        self._refiners: dict[str, Any] = {}
        self._of_camera: list[str] = []
        self.unsure: Counter[str] = Counter()
        options = dict(predictor.options)
        for name, content in tasks.parts("content", predictor.spec.tasks).items():
            values = {parameter.name: parameter.default for parameter in content.PARAMETERS}
            if TRACKING in values:
                values[TRACKING] = tracking
            if HEIGHT in values and height_m is not None:
                values[HEIGHT] = height_m
            options[name] = content.options(values.__getitem__, predictor.spec.tasks[name])
            refine = tasks.find_part(name, "refine")
            compares = picture_inputs(predictor.spec.tasks[name], predictor.spec.input_size)
            of_camera = getattr(content, "NEEDS_CAMERA", False)
            if (tracking or compares or of_camera) and refine is not None:
                self._of_camera += [name] if of_camera else []
                self._refiners[name] = refine.Refiner(refine.options(values.__getitem__))
        predictor.options = with_camera(predictor.spec, options, focal_px, height_m)
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
            for refiner in self._refiners.values():
                refiner.end_drive()
        pictures, states = self._companions.of(frame)
        try:
            perception = self._predictor(frame.image, self._crop, companions=pictures)
        except ImageError as error:
            return self._skip(frame, "rejected", str(error), jumped)
        start_s = perf_counter()
        stage_ms = {"conversion": frame.conversion_ms, **perception.stage_ms}
        info = None
        if self._refiners:
            perception, info = self._refined(perception, frame.stamp_ns, states)
        if self.tracking:
            stage_ms["tracking"] = (perf_counter() - start_s) * 1e3
        self._companions.count(states)
        self._tally["perceived"] += 1
        counts = self._counts(frame)
        return Seen(frame, perception, counts, "", "", jumped, ordered, stage_ms, info)

    def time_alone(self, images: list[BagFrame]) -> float:
        """Return the seconds that the predictor alone needs for images."""
        start_s = perf_counter()
        for frame in images:
            assert frame.image is not None
            pictures, _ = self._companions.of(frame)
            self._predictor(frame.image, self._crop, companions=pictures)
        return perf_counter() - start_s

    def _refined(
        self, perception: Perception, stamp_ns: int, states: States
    ) -> tuple[Perception, Any]:
        """Return the answers with what camera and earlier images add; and the CameraInfo used."""
        info, lens, problem = self._infos.lens(stamp_ns, perception.image_size)
        moment = Moment(perception.image_size, stamp_ns * 1e-9, None, lens, problem, states)
        refined = {
            name: refiner(perception.answers[name], moment)
            for name, refiner in self._refiners.items()
        }
        statuses = (self._refiners[name].statuses() for name in self._of_camera)
        said = [status for told in statuses for status in told.values()]
        self.unsure.update(status.message for status in said if status.level is not Level.OK)
        return replace(perception, answers={**perception.answers, **refined}), info

    def state(self) -> tuple[object, ...]:
        """Return all that the next image depends on, to be given to ``restore``."""
        counts = self._companions.counts
        return self._refiners, self._watch, self._last_ns, self._tally, counts, self.unsure

    def restore(self, state: tuple[object, ...]) -> None:
        """Go on where another drive was when it gave its state."""
        self._refiners, self._watch, self._last_ns, self._tally, *more = state  # type: ignore[assignment]
        if more:  # checkpoints of earlier versions have none, or not all of them
            self._companions.counts = more[0]  # type: ignore[assignment]
        if more[1:]:
            self.unsure = more[1]  # type: ignore[assignment]

    def _skip(self, frame: BagFrame, reason: str, why: str, jumped: bool = False) -> Seen:
        """Count an image that is not perceived."""
        self._tally[reason] += 1
        return Seen(frame, None, self._counts(frame), reason, why, jumped, ordered=False)

    def _counts(self, frame: BagFrame) -> Counts:
        """Return what became of the images up to this one, as the node counts them."""
        return Counts(received=frame.index + 1, **self._tally)
