# SPDX-License-Identifier: Apache-2.0
"""What a bag tells of a drive, before any picture is looked at: when, by which camera, where.

The path is the vehicle's, from odometry, TF or a file; the camera's place on the vehicle is TF's or
a file's. Of images only the stamps are read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.adapt.path_file import read_path
from shared_encoder_perception.adapt.trajectory import (
    NothingToLearnError,
    PathError,
    Trajectory,
)
from shared_encoder_perception.ground.pose_file import load_pose
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.ground.transform_tree import TransformError, TransformTree
from shared_encoder_perception.images.bags import (
    BagError,
    first_line,
    image_topic,
    images_of,
    open_bag,
)
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.replay.bag_index import STATIC, TRANSFORMS
from shared_encoder_perception.replay.camera_infos import INFO, CameraInfos, beside

ODOMETRY: Final = "nav_msgs/msg/Odometry"
FIXED_FRAMES: Final = ("odom", "map")
"""Frames of TF that stand still, by REP 105; the first that TF has, unless one is asked for."""


@dataclass(frozen=True)
class Where:
    """Where a bag, or a file, has path and camera.

    Attributes:
        topic: Of the images; ``None`` for the only one.
        info: Of the CameraInfo; ``None`` for the one beside the images.
        odometry: Of the path; ``None`` for the only one.
        fixed_frame: Frame of TF that stands still, whose path of ``base_frame`` counts then.
        base_frame: Of the vehicle.
        path: File with the path, in place of the bag's.
        camera_pose: File with what takes points of ``base_frame`` to the camera's optical frame, in
            place of TF's.
        rectified: Whether the images are rectified: then CameraInfo's ``p`` counts.
    """

    topic: str | None = None
    info: str | None = None
    odometry: str | None = None
    fixed_frame: str | None = None
    base_frame: str = "base_link"
    path: Path | None = None
    camera_pose: Path | None = None
    rectified: bool = False


@dataclass
class DriveIndex:
    """What was found.

    Attributes:
        bag: The bag.
        topic: Of the images.
        image_ns: Their stamps in the order of the bag.
        frame: Of the first image's header.
        infos: Of their camera.
        trajectory: The path.
        path_of: Where the path is from, for people.
        to_camera: From the vehicle's frame to the camera's optical one.
        problems: What is wrong with the bag, one line each.
    """

    bag: Path
    topic: str
    image_ns: list[int]
    frame: str
    infos: CameraInfos
    trajectory: Trajectory
    path_of: str
    to_camera: Rigid
    problems: list[str]


@dataclass
class _Read:
    """Messages that were read so far."""

    image_ns: list[int] = field(default_factory=list)
    frame: str = ""
    infos: CameraInfos = field(default_factory=CameraInfos)
    tree: TransformTree = field(default_factory=TransformTree)
    tf_ns: set[int] = field(default_factory=set)
    odometry: list[tuple[int, Rigid]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_drive(bag: Path, where: Where) -> DriveIndex:
    """Read what a bag tells of a drive.

    Raises:
        BagError: It cannot be read, or a topic is missing or is to be chosen.
        PathError: There is no path, or it cannot be used, or the camera's pose is not known.
        NothingToLearnError: The bag is empty, or the vehicle never moves.
    """
    with open_bag(bag) as reader:
        if not any(one.msgcount for one in reader.connections):
            raise NothingToLearnError(f"{bag} is empty: there is nothing to learn from it")
        topic = image_topic(reader, bag, where.topic)
        images = images_of(reader, topic)
        if not sum(one.msgcount for one in images):
            raise NothingToLearnError(f"{bag} has no images on {topic}: nothing to learn from")
        odometry = _odometry_topic(reader, bag, where)
        info = where.info or beside(topic)
        kinds = {info: INFO, odometry: ODOMETRY}
        used = [*images, *(one for one in reader.connections if one.msgtype == TRANSFORMS)]
        used += [one for one in reader.connections if kinds.get(one.topic) == one.msgtype]
        found = _Read()
        for connection, _, data in reader.messages(used):
            try:
                message = reader.deserialize(data, connection.msgtype)
                _note(found, connection, message)
            except Exception as error:  # rosbags raises many types
                problem = f"a message on {connection.topic} is of no use: {first_line(error)}"
                if connection.topic == topic:
                    found.image_ns.append(0)
                if problem not in found.problems:
                    found.problems.append(problem)
        found.problems += list(reader.problems)
    if not len(found.infos):
        raise BagError(
            f"{bag} has no CameraInfo on {info}: name its topic with --info; without the camera's "
            "lens nobody knows which pixels the vehicle drove over"
        )
    poses, path_of = _path(bag, where, found, odometry)
    trajectory = Trajectory.of(poses, path_of)
    _check_times(bag, found.image_ns, trajectory, path_of)
    to_camera = _to_camera(bag, where, found)
    return DriveIndex(
        bag,
        topic,
        found.image_ns,
        found.frame,
        found.infos,
        trajectory,
        path_of,
        to_camera,
        found.problems,
    )


def _note(found: _Read, connection: Any, message: Any) -> None:
    """Keep what one message tells."""
    if connection.msgtype == INFO:
        found.infos.add(message)
    elif connection.msgtype == ODOMETRY:
        pose = message.pose.pose
        place, turn = pose.position, pose.orientation
        quaternion = (turn.x, turn.y, turn.z, turn.w)
        rigid = Rigid.from_quaternion((place.x, place.y, place.z), quaternion)
        found.odometry.append((stamp_ns(message.header), rigid))
    elif connection.msgtype == TRANSFORMS:
        is_static = connection.topic.endswith(STATIC)
        for transform in message.transforms:
            found.tree.add(transform, is_static=is_static)
            if not is_static:
                found.tf_ns.add(stamp_ns(transform.header))
    else:
        found.image_ns.append(stamp_ns(message.header))
        found.frame = found.frame or str(message.header.frame_id)


def _odometry_topic(reader: Any, bag: Path, where: Where) -> str | None:
    """Return the topic of the path, or ``None`` where another path is to be taken."""
    topics = sorted({one.topic for one in reader.connections if one.msgtype == ODOMETRY})
    if where.odometry is not None:
        if where.odometry not in topics:
            raise PathError(
                f"{bag} has no odometry on {where.odometry!r}; topics with {ODOMETRY}: "
                f"{', '.join(topics) or 'none'}"
            )
        return where.odometry
    if where.path is not None or where.fixed_frame is not None:
        return None
    if len(topics) > 1:
        raise PathError(
            f"{bag} has odometry on {len(topics)} topics: choose one with --odometry: "
            f"{', '.join(topics)}"
        )
    return topics[0] if topics else None


def _path(
    bag: Path, where: Where, found: _Read, odometry: str | None
) -> tuple[Sequence[tuple[int, Rigid]], str]:
    """Return the poses of the vehicle, and where they are from."""
    if where.path is not None:
        return read_path(where.path), f"the path {where.path}"
    if odometry is not None:
        return found.odometry, f"the odometry on {odometry} of {bag}"
    fixed_frames = FIXED_FRAMES if where.fixed_frame is None else (where.fixed_frame,)
    why = "it has no TF that moves"
    for fixed in fixed_frames:
        poses = []
        for at_ns in sorted(found.tf_ns):
            try:
                poses.append((at_ns, found.tree.find(fixed, where.base_frame, at_ns)))
            except TransformError as error:
                why = str(error)
        if poses:
            return poses, f"TF from {where.base_frame} to {fixed} of {bag}"
    raise PathError(
        f"{bag} does not say where the vehicle drove: no {ODOMETRY}, and {why}; record one of "
        "them, name the frames with --fixed-frame and --base-frame, or give a file with --path"
    )


def _check_times(bag: Path, image_ns: Sequence[int], trajectory: Trajectory, path_of: str) -> None:
    """Refuse a path of another time than the images."""
    if any(trajectory.covers(at_ns) for at_ns in image_ns):
        return
    stamps = [at_ns for at_ns in image_ns if at_ns]
    if not stamps:
        raise PathError(f"the images of {bag} have no stamps: nobody knows where they were taken")
    first, last = min(stamps) / 1e9, max(stamps) / 1e9
    begin, end = (trajectory.stamps_ns[at] / 1e9 for at in (0, -1))
    raise PathError(
        f"{path_of} is from {begin:.3f} to {end:.3f} s, and the images of {bag} are from "
        f"{first:.3f} to {last:.3f} s: they do not overlap; are they of the same drive and clock?"
    )


def _to_camera(bag: Path, where: Where, found: _Read) -> Rigid:
    """Return what takes points of the vehicle to the camera."""
    if where.camera_pose is not None:
        return load_pose(where.camera_pose)
    at_ns = next(stamp for stamp in found.image_ns if stamp)
    try:
        return found.tree.find(found.frame, where.base_frame, at_ns)
    except TransformError as error:
        raise PathError(
            f"{bag} does not say where the camera sits: {error}; record /tf_static, name the "
            "vehicle's frame with --base-frame, or give a file with --camera-pose"
        ) from None
