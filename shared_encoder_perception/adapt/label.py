# SPDX-License-Identifier: Apache-2.0
"""A drive's bag becomes two native sets: what is trained on, and what the result is judged by.

The later part of the drive is held out, behind a gap as long as a picture looks ahead: of ground
that it is judged by, no picture of the training shows anything that was driven over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.adapt.drive import DriveIndex, Where, read_drive
from shared_encoder_perception.adapt.footprint import Strip, above_horizon
from shared_encoder_perception.adapt.hiding import Rule, rule_of
from shared_encoder_perception.adapt.taught import labels_of
from shared_encoder_perception.adapt.trajectory import NothingToLearnError, PathError
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.images.bags import first_line, images_of, open_bag
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.masks.values import NO, YES

APART_M: Final = 0.5
"""Driven from one picture that is used to the next, at least."""
LEAST_AHEAD_M: Final = 8.0
"""Of ground driven over that a picture must have before it, to be used."""
LEAST_PX: Final = 100
"""Of ground driven over that a picture must show, to be used."""
SKY_DEG: Final = 5.0
"""Above the horizon, from where on nothing is ground: the held-out pictures say no there."""
LEAST: Final = {"train": 8, "held_out": 4}
"""Pictures below which there is nothing to learn, or nothing to judge by."""
TRAIN, HELD_OUT = "train", "held_out"
"""Parts of a drive, and the folders of their sets."""


@dataclass(frozen=True)
class Options:
    """How a drive is labelled.

    Attributes:
        where: Topics, frames and files.
        width_m: Of the vehicle: of the strip that it drove over.
        near_m: Driven distance from which on ground is labelled: before the bonnet.
        far_m: Up to which.
        images: Of one drive, at most.
        held_out: Share of the drive's length that is not trained on, its last part.
    """

    where: Where = field(default_factory=Where)
    width_m: float = 1.8
    near_m: float = 3.0
    far_m: float = 30.0
    images: int = 400
    held_out: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: With the option's name.
        """
        if not 0.2 <= self.width_m <= 5:
            raise ValueError(f"--width is {self.width_m:g}, expected 0.2 to 5 m")
        if not 0 < self.near_m < self.far_m - 1:
            raise ValueError(f"--near is {self.near_m:g}, expected above 0 and below --ahead")
        if self.far_m > 100:
            raise ValueError(f"--ahead is {self.far_m:g}, expected at most 100 m")
        if self.images < sum(LEAST.values()):
            raise ValueError(f"--images is {self.images}, expected at least {sum(LEAST.values())}")
        if not 0.1 <= self.held_out <= 0.6:
            raise ValueError(f"--hold-out is {self.held_out:g}, expected 0.1 to 0.6")


@dataclass(frozen=True)
class Labelled:
    """What became of a drive, as JSON takes it.

    Attributes:
        bag: Its path.
        topic: Of the images.
        path_of: Where its path is from.
        rule: How hidden ground was left out.
        driven_m: Length of the drive.
        metres: By part, how much of it its pictures were taken on.
        images: By part, how many there are.
        share: By part, the share of their pixels that the vehicle drove over.
        problems: What is wrong with the bag, one line each.
    """

    bag: str
    topic: str
    path_of: str
    rule: str
    driven_m: float
    metres: Mapping[str, float]
    images: Mapping[str, int]
    share: Mapping[str, float]
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


def label_drive(bag: Path, out: Path, predictor: Predictor, options: Options) -> Labelled:
    """Write ``OUT/train`` and ``OUT/held_out``, native sets; say what they are.

    Args:
        bag: A rosbag2.
        out: Folder for the sets; they must not be there.
        predictor: The model as it is: it may tell what hides the ground.
        options: How.

    Raises:
        BagError, PathError: The bag cannot be used.
        NothingToLearnError: There is nothing in it to learn from.
    """
    drive, rule = read_drive(bag, options.where), rule_of(predictor.spec.tasks)
    chosen = choose(drive, options)
    strip = Strip(drive.trajectory, options.width_m)
    counts, driven, share = dict.fromkeys(LEAST, 0), dict.fromkeys(LEAST, 0.0), {}
    for part, least in LEAST.items():
        wanted, seen_share = chosen[part], list[float]()
        with native.Writer(out / part) as writer:
            for index, image in _images(drive, wanted):
                plane = _plane(drive, strip, rule, predictor, options, index, image)
                drawn = int((plane == YES).sum())
                if drawn < LEAST_PX:
                    continue
                if part == HELD_OUT:
                    camera = _camera(drive, index, image, options.where.rectified)
                    sky = above_horizon(camera, drive.to_camera, SKY_DEG)
                    plane = np.where(sky & (plane != YES), np.uint8(NO), plane)
                writer.write(
                    _frame(drive, predictor, index, plane), encoded=native.encode_picture(image)
                )
                seen_share.append(drawn / plane.size)
        counts[part], share[part] = len(seen_share), float(np.mean(seen_share or [0.0]))
        places = [drive.trajectory.driven_m(drive.image_ns[index]) for index in wanted]
        driven[part] = max(places) - min(places)
        if counts[part] < least:
            raise NothingToLearnError(
                f"{bag}: {counts[part]} pictures of the part {part!r} show ground that the vehicle "
                f"drove over later, expected {least} or more"
            )
    return Labelled(
        str(bag),
        drive.topic,
        drive.path_of,
        rule.words,
        drive.trajectory.length_m,
        driven,
        counts,
        share,
        tuple(drive.problems),
    )


def choose(drive: DriveIndex, options: Options) -> dict[str, list[int]]:
    """Return by part the numbers of the images that are used, in the order of the drive.

    Raises:
        NothingToLearnError: There are too few.
    """
    path, apart = drive.trajectory, dict[int, float]()
    last = -APART_M
    for index, at_ns in sorted(enumerate(drive.image_ns), key=lambda one: one[1]):
        if not path.covers(at_ns):
            continue
        place = path.driven_m(at_ns)
        if place - last >= APART_M - 1e-6 and place <= path.length_m - LEAST_AHEAD_M:
            apart[index], last = place, place
    begin = (1 - options.held_out) * path.length_m
    parts = {
        TRAIN: [index for index, place in apart.items() if place <= begin - options.far_m],
        HELD_OUT: [index for index, place in apart.items() if place >= begin],
    }
    for part, least in LEAST.items():
        if len(parts[part]) < least:
            raise NothingToLearnError(
                f"{drive.bag}: of {path.length_m:.0f} m driven, {len(parts[part])} images are of "
                f"the part {part!r}, expected {least} or more: with {options.far_m:g} m between "
                "what is trained on and what is judged by, a drive of 100 m or more is needed"
            )
    found = {}
    for part, numbers in parts.items():
        most = max(round(options.images * len(numbers) / len(apart)), LEAST[part])
        at = np.linspace(0, len(numbers) - 1, min(most, len(numbers))).round().astype(int)
        found[part] = [numbers[place] for place in at]
    return found


def _images(drive: DriveIndex, wanted: list[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the number and the pixels of the images that are used; others are not unpacked."""
    numbers, last = set(wanted), max(wanted)
    with open_bag(drive.bag) as reader:
        messages = reader.messages(images_of(reader, drive.topic))
        for index, (connection, _, data) in enumerate(messages):
            if index in numbers:
                try:
                    yield index, to_bgr(reader.deserialize(data, connection.msgtype))
                except ValueError as error:
                    drive.problems.append(f"image {index} cannot be used: {first_line(error)}")
            if index >= last:
                return


def _camera(
    drive: DriveIndex, index: int, image: NDArray[np.uint8], rectified: bool
) -> CameraModel:
    """Return the lens of an image.

    Raises:
        PathError: Its CameraInfo is of no use.
    """
    info = drive.infos.at(drive.image_ns[index])
    try:
        return camera_model(info, (image.shape[0], image.shape[1]), rectified)
    except ValueError as error:
        raise PathError(f"{drive.bag}: {error}") from None


def _plane(
    drive: DriveIndex,
    strip: Strip,
    rule: Rule,
    predictor: Predictor,
    options: Options,
    index: int,
    image: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return what is known of an image: 255 where the vehicle drove, 127 elsewhere."""
    camera = _camera(drive, index, image, options.where.rectified)
    near_m, far_m = options.near_m, min(options.far_m, rule.far_m)
    footprint = strip.seen(drive.image_ns[index], camera, drive.to_camera, near_m, far_m)
    if not rule.task:
        return footprint.plane
    return rule.cut(footprint, camera, predictor(image)).plane


def _frame(
    drive: DriveIndex, predictor: Predictor, index: int, plane: NDArray[np.uint8]
) -> LabelledFrame:
    """Return the line of an image."""
    name, at_ns = f"{index:06d}.jpg", drive.image_ns[index]
    labels = {
        task: constant(read()) for task, read in labels_of(plane, predictor.spec.tasks).items()
    }
    attributes = {
        "stamp_ns": str(at_ns),
        "driven_m": f"{drive.trajectory.driven_m(at_ns):.2f}",
    }
    height, width = plane.shape
    return LabelledFrame(
        name, Path(name), (height, width), labels, source="drive", attributes=attributes
    )
