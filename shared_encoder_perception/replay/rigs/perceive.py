# SPDX-License-Identifier: Apache-2.0
"""The pass over one bag: every moment through the model, and out as lines, messages and pictures.

`results.jsonl` has the conditions, then one line per moment, the same bytes on every run:

    {"moment": "frame_000000", "stamp_ns": ..., "images": {camera: number on its topic},
     "missing": [cameras without a picture], "surround": {...}}

with what ``record.py`` of the rigs' room says of a result. ``timings.jsonl`` has the times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.moment import draw_moment
from shared_encoder_perception.images.video import DEFAULT_RATE_HZ, of_one_size, write_video
from shared_encoder_perception.predict.results import stage_record
from shared_encoder_perception.replay import folder as folders
from shared_encoder_perception.replay.new_bag import new_bag
from shared_encoder_perception.replay.recorder import PART, RESULTS, TIMINGS
from shared_encoder_perception.replay.results import to_line
from shared_encoder_perception.replay.rigs.account import BagAccount, Taken, index_of
from shared_encoder_perception.replay.rigs.moment_bag import MomentBag
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.moments import RigMoment
from shared_encoder_perception.rig_predictor import RigPerception, RigPredictor

SHEET: Final = 4
"""Pictures kept for the report."""


class RigPass:
    """Perceives the moments of one bag, once.

    Attributes:
        account: What became of the images.
        detected: Name of what may be there or not -> moments in which it was.
        pictures: A few, evenly spaced, if any were drawn.
    """

    def __init__(self, predictor: RigPredictor, source: BagMoments, account: BagAccount) -> None:
        """Begin; the predictor is warmed up, and has the source's rig."""
        self._predictor, self._source, self.account = predictor, source, account
        self._record = tasks.part(predictor.task, "record")
        self.detected: Counter[str] = Counter(dict.fromkeys(self._record.DETECTABLE, 0))
        self.pictures: list[NDArray[np.uint8]] = []

    def run(
        self,
        out: Path,
        conditions: Mapping[str, Any],
        *,
        limit: int | None,
        bag: bool,
        video: bool,
        draw: bool,
    ) -> None:
        """Write all of it; files have their names when they are complete.

        Args:
            out: A folder that is ready for it.
            conditions: The first line.
            limit: Most moments.
            bag: Whether to write the bag.
            video: Whether to write the video.
            draw: Whether to draw pictures at all.

        Raises:
            SourceError: No picture can be read.
            ValueError: A picture is of another size than its camera's calibration is for.
        """
        with ExitStack() as stack:
            stack.enter_context(logging_redirect_tqdm())
            results = stack.enter_context((out / (RESULTS + PART)).open("xb"))
            timings = stack.enter_context((out / (TIMINGS + PART)).open("xb"))
            results.write(to_line({"conditions": dict(conditions)}))
            messages = None
            if bag:
                writer = stack.enter_context(new_bag(out / folders.BAG))
                rig, backend = self._predictor.rig, self._predictor.backend
                messages = MomentBag(writer, backend, self._predictor.task, rig.frame_id)

            def pictures() -> Iterator[NDArray[np.uint8]]:
                total = min(len(self._source), limit or len(self._source))
                every = max(total // SHEET, 1)
                moments = tqdm(islice(self._source, limit), total=total, unit="moment")
                for index, moment in enumerate(moments):
                    if moment.frame.rig is not self._predictor.rig:  # its CameraInfo has changed
                        self._predictor.set_rig(moment.frame.rig)
                    found = self._predictor.predict(moment.frame.images)
                    anchor = self.account.add(moment)
                    self.detected.update(self._record.detected(found.surround))
                    results.write(to_line(self._line(moment, found, anchor)))
                    times = {"moment": moment.frame.name, **stage_record(found.stage_ms)}
                    timings.write(to_line(times))
                    if messages is not None:
                        messages.write(found, anchor)
                    if draw:
                        picture = _picture(moment, found)
                        if index % every == every // 2 and len(self.pictures) < SHEET:
                            self.pictures.append(picture)
                        yield picture

            drawn = pictures()
            if video:
                rate = self._source.rate_hz() or DEFAULT_RATE_HZ
                write_video(of_one_size(drawn), out / folders.VIDEO, rate)
            for _ in drawn:  # all of them, where there is no video to draw for
                pass
        folders.name_results(out)

    def _line(self, moment: RigMoment, found: RigPerception, anchor: Taken) -> dict[str, Any]:
        """Return the line of one moment."""
        return {
            "moment": moment.frame.name,
            "stamp_ns": anchor.stamp_ns,
            "images": {name: index_of(moment.pictures[name]) for name in found.cameras},
            "missing": list(found.missing),
            **self._record.result(found.surround),
        }


def _picture(moment: RigMoment, found: RigPerception) -> NDArray[np.uint8]:
    """Return the cameras side by side, and the map."""
    frame = moment.frame
    return draw_moment(frame.rig, frame.images, found.cameras, found.task, found.surround)
