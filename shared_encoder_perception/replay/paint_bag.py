# SPDX-License-Identifier: Apache-2.0
"""The clouds of a bag, painted: a bag with ``points/painted``, and what became of each cloud."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.whole_file import sole_writer, write_json
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.pose_file import load_pose
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.bag_index import read_index
from shared_encoder_perception.replay.bag_pairs import BAD_IMAGE, Match, Pairs
from shared_encoder_perception.replay.messages import new_message, to_bytes
from shared_encoder_perception.replay.new_bag import declare, new_bag
from shared_encoder_perception.replay.painted_files import write_painted
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.cloud_msg import CLOUD, field_values, positions
from shared_encoder_perception.tasks.painting import (
    NO_CAMERA_INFO,
    NO_TRANSFORM,
    NOBODY,
    UnpaintedError,
    paint_cloud,
)

BAG, SUMMARY = "bag", "summary.json"
PAINTED_TOPIC: Final = "/points/painted"
DEPTH: Final = 5
"""Messages that are kept for a slow subscriber, as the node does."""
INTENSITY: Final = "intensity"


@dataclass
class Tally:
    """What became of the clouds.

    Attributes:
        clouds: All of them.
        painted: How many were painted.
        dropped: Reason -> how many were not.
        examples: Reason -> what was said of the first of them.
        points: Of the painted clouds.
        classes: Name of a class -> points that got it.
        skew_ms: How much later than each painted cloud its image was taken.
    """

    clouds: int
    painted: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    points: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    skew_ms: list[float] = field(default_factory=list)

    def drop(self, error: UnpaintedError) -> None:
        """Count a cloud that is not painted."""
        self.dropped[error.reason] += 1
        self.examples.setdefault(error.reason, printable(str(error)))

    def add(self, ids: NDArray[np.uint8], answer: Any, skew_s: float) -> None:
        """Count a painted cloud."""
        self.painted += 1
        self.points += len(ids)
        self.skew_ms.append(skew_s * 1e3)
        counts = np.bincount(ids, minlength=NOBODY + 1).tolist()
        self.classes.update({one.name: counts[one.id] for one in answer.classes if counts[one.id]})

    def summary(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        skews = np.abs(self.skew_ms) if self.skew_ms else np.array([np.nan])
        return {
            "clouds": self.clouds,
            "painted": self.painted,
            "dropped": dict(self.dropped),
            "examples": self.examples,
            "points": self.points,
            "points_known": self.classes.total(),
            "classes": dict(self.classes.most_common()),
            "skew_ms": {"p50": float(np.median(skews)), "max": float(skews.max())},
        }


class _Seen(NamedTuple):
    """An image, what was said of it, and its camera."""

    header: Any
    pixels: NDArray[np.uint8]
    answer: Any
    camera: CameraModel


class BagPainter:
    """Paints the clouds of one bag.

    Attributes:
        index: Of the bag.
        tally: What became of the clouds so far.
    """

    def __init__(
        self, predictor: Predictor, task: str, room: Any, options: Any, args: argparse.Namespace
    ) -> None:
        """Read the index of the bag.

        Args:
            predictor: Answers ``task``.
            task: Whose answer paints.
            room: Its ``paint.py``.
            options: Its ``PaintOptions``.
            args: As ``paint.add_arguments`` declares them.

        Raises:
            ValueError: The bag, or the file of the pose, cannot be used.
        """
        self._predictor, self._task, self._room, self._options = predictor, task, room, options
        self._args = args
        self._pose = load_pose(args.pose) if args.pose else None
        self.index = read_index(
            args.bag, args.points, args.topic, args.info, with_tf=self._pose is None
        )
        self.tally = Tally(len(self.index.cloud_ns))
        self._cameras: dict[tuple[int, Size], CameraModel] = {}

    def run(self, writer: Any) -> None:
        """Paint every cloud into an open bag, recorded when it was."""
        topic = declare(writer, PAINTED_TOPIC, CLOUD, DEPTH)
        pairs = Pairs(self.index, self._args.max_skew, self._look)
        for match in tqdm(pairs, total=self.tally.clouds, unit="cloud"):
            try:
                if isinstance(match, UnpaintedError):
                    raise match
                message = self._paint(match)
            except UnpaintedError as error:
                self.tally.drop(error)
            else:
                writer.write(topic, match.arrived_ns, to_bytes(message))

    def _look(self, message: Any) -> _Seen:
        """Perceive an image."""
        try:
            pixels = to_bgr(message)
        except ImageMsgError as error:
            raise UnpaintedError(BAD_IMAGE, f"the image cannot be used: {error}") from error
        camera = self._camera(message.header, (pixels.shape[0], pixels.shape[1]))
        return _Seen(message.header, pixels, self._predictor(pixels).answers[self._task], camera)

    def _camera(self, header: Any, image_size: Size) -> CameraModel:
        """Return the camera of an image."""
        info = self.index.infos.at(stamp_ns(header))
        if info is None:
            raise UnpaintedError(NO_CAMERA_INFO, f"nothing on {self.index.topics.info} is of use")
        key = (id(info), image_size)  # the index keeps them all
        if key not in self._cameras:
            try:
                self._cameras[key] = camera_model(info, image_size, self._args.rectified)
            except ValueError as error:
                raise UnpaintedError(NO_CAMERA_INFO, str(error)) from error
        return self._cameras[key]

    def _paint(self, match: Match) -> Any:
        """Return the painted cloud; count it, and write its files if they are wanted."""
        seen: _Seen = match.image
        to_camera = self._to_camera(seen.header, match.cloud.header)
        try:
            message, painted = paint_cloud(
                match.cloud,
                to_camera,
                seen.camera,
                seen.answer,
                self._room,
                self._options,
                new_message,
            )
        except UnpaintedError as error:
            raise UnpaintedError(error.reason, f"cloud {match.number}: {error}") from error
        self.tally.add(painted.ids, seen.answer, match.skew_s)
        if self._args.ply:
            own = positions(match.cloud)
            write_painted(
                self._args.out,
                f"{match.number:06d}",
                np.column_stack((own.T, _intensity(match.cloud))),
                to_camera.apply(own).T,
                seen.pixels,
                seen.camera,
                painted,
                seen.answer,
            )
        return message

    def _to_camera(self, image: Any, cloud: Any) -> Rigid:
        """Return what takes points of a cloud to the camera at the image's time, by headers."""
        if self._pose is not None:
            return self._pose
        tree, fixed = self.index.tree, self._args.fixed_frame
        at = (image.frame_id, stamp_ns(image)), (cloud.frame_id, stamp_ns(cloud))
        try:
            if fixed:
                return tree.find_over(*at[0], *at[1], fixed)
            return tree.find(image.frame_id, *at[1])
        except ValueError as error:
            raise UnpaintedError(NO_TRANSFORM, str(error)) from error


def _intensity(cloud: Any) -> NDArray:
    """Return (N,) intensities, 0 where a cloud has none."""
    if any(one.name == INTENSITY for one in cloud.fields):
        return field_values(cloud, INTENSITY).ravel()
    return np.zeros(cloud.height * cloud.width)


def paint_bag(
    predictor: Predictor, task: str, room: Any, options: Any, args: argparse.Namespace
) -> int:
    """Paint a bag into ``OUT/bag`` and tell what became of its clouds, in ``OUT/summary.json`` too.

    Returns:
        Exit status: 0, or 1 where clouds were not painted.

    Raises:
        ValueError: The bag cannot be used, or there is one in ``OUT`` already.
    """
    out: Path = args.out
    if (out / BAG).exists():
        raise ValueError(f"{out / BAG} is there already: remove it, or choose another --out")
    painter = BagPainter(predictor, task, room, options, args)
    with sole_writer(out):
        with new_bag(out / BAG) as writer:
            painter.run(writer)
        summary = {"topics": painter.index.topics._asdict(), **painter.tally.summary()}
        write_json(out / SUMMARY, summary)
    for problem in painter.index.problems:
        print(f"problem: {printable(problem)}", file=sys.stderr)
    for line in _lines(summary):
        print(line)
    print(f"bag      {out / BAG}")
    return int(bool(painter.tally.dropped or painter.index.problems))


def _lines(summary: dict[str, Any]) -> list[str]:
    """Say what became of the clouds."""
    count, known = summary["points"], summary["points_known"]
    lines = [f"clouds   {summary['painted']} of {summary['clouds']} painted"]
    lines += [
        f"dropped  {number} {reason}, the first: {summary['examples'][reason]}"
        for reason, number in summary["dropped"].items()
    ]
    if count:
        shares = [f"{name} {n / known:.1%}" for name, n in summary["classes"].items()]
        lines.append(f"points   {known / count:.1%} of {count} have a class")
        lines.append(f"classes  {', '.join(shares[:8]) or 'none'}")
        skew = summary["skew_ms"]
        lines.append(f"skew     {skew['p50']:.0f} ms, at most {skew['max']:.0f} ms")
    return lines
