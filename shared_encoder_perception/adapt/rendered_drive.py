# SPDX-License-Identifier: Apache-2.0
r"""A rendered drive as a bag, on a carriageway that no dice give: to try `adapt` without a vehicle.

    python -m shared_encoder_perception.adapt.rendered_drive drives --seed 102 --surface gravel
    python -m shared_encoder_perception adapt --bag drives/drive --model shipped:default \
        --guard GUARD --out adapted.onnx
    python -m shared_encoder_perception evaluate --labels drives/later --model adapted.onnx

`drives/drive` has images, CameraInfo, /tf_static and odometry; `drives/later` is a labelled set of
a later stretch of the same road, with the true mask. With --beside METRES the vehicle leaves the
road after a third of its way, and goes on over what grows beside it for so long: that is not to be
learned.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.adapt.drive import ODOMETRY
from shared_encoder_perception.adapt.taught import taught
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.replay.bag_index import TRANSFORMS
from shared_encoder_perception.replay.camera_infos import INFO
from shared_encoder_perception.replay.messages import COMPRESSED_IMAGE, new_message, to_bytes
from shared_encoder_perception.replay.new_bag import declare, new_bag
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks import ROOMS
from shared_encoder_perception.world.alignment import Alignment
from shared_encoder_perception.world.camera import Camera
from shared_encoder_perception.world.choice import Choice
from shared_encoder_perception.world.synthetic import PICTURE, Drive, label_world

TOPIC, INFO_TOPIC = "/camera/image/compressed", "/camera/camera_info"
ODOMETRY_TOPIC, STATIC_TOPIC = "/odom", "/tf_static"
BASE, OPTICAL, ODOM = "base_link", "camera_optical", "odom"
START_NS: Final = 1_700_000_000_000_000_000
SPEED_M_S: Final = 10.0
STEP_M: Final = 0.05
"""Of the integration of the road's course."""
POSE_M: Final = 0.5
"""From one message of odometry to the next."""
LATER_M: Final = 5.0
"""From one picture of the later stretch to the next."""
DRIVE, LATER = "drive", "later"
LEAVES, SWERVE_M, BESIDE_M = 1 / 3, 15.0, 3.0
"""Share of the way after which the road is left, length of the way over and back, and how far the
vehicle's middle is then from the carriageway's edge."""


@dataclass(frozen=True)
class Beside:
    """The vehicle's place in its lane, but for where it leaves the road to the right.

    Attributes:
        inner: Its place in its lane, m to the right by distance; see ``Wander``.
        at_m: Where it leaves.
        until_m: Where it comes back.
        offset_m: How far to the right of its lane's middle it goes on.
    """

    inner: Any
    at_m: float
    until_m: float
    offset_m: float

    def __call__(self, distance_m: float) -> float:
        """Return its place after some distance, m to the right."""
        out, back = (distance_m - at for at in (self.at_m, self.until_m + SWERVE_M))
        share = min(max(min(out, -back) / SWERVE_M, 0.0), 1.0)
        smooth = share * share * (3 - 2 * share)
        return float((1 - smooth) * self.inner(distance_m) + smooth * self.offset_m)


def rendered_drive(
    seed: int,
    surface: str = "",
    size: Size = PICTURE,
    *,
    beside_m: tuple[float, float] | None = None,
) -> Drive:
    """Return a drive without traffic by a camera without distortion, whose lens CameraInfo can say.

    Args:
        seed: Of the world.
        surface: Of ``world.bare_surfaces.SURFACES``; empty for what the dice give.
        size: ``(height, width)`` of the pictures.
        beside_m: From where to where the vehicle is beside the road; ``None`` for nowhere.
    """
    choice = Choice(surfaces=(surface,)) if surface else Choice()
    drive = Drive(seed, size, split_probability=0.0, traffic_probability=0.0, choice=choice)
    world = drive.world
    road, camera = world.road, replace(world.camera, distortion=0.0)
    if beside_m is not None:
        alignment = road.alignment
        offset = road.paved_m()[-1][1] + BESIDE_M
        wander: Any = Beside(alignment.wander, beside_m[0] - SWERVE_M, beside_m[1], offset)
        road = replace(road, alignment=replace(alignment, wander=wander))
    drive.world = replace(world, road=road, camera=camera, bonnet_px=0.0)
    return drive


def poses(alignment: Alignment, until_m: float) -> tuple[NDArray[np.float64], list[Rigid]]:
    """Return distances along the road, every ``POSE_M``, and the vehicle's pose at each.

    The vehicle looks along the road, wherever in its lane it is, as the rendered camera does.
    """
    at_m = np.arange(0.0, until_m + STEP_M, STEP_M)
    heading = np.cumsum(alignment.plan(at_m)) * STEP_M
    climb = np.cumsum(alignment.hills(at_m)) * STEP_M
    level = np.cos(climb)
    ways = (level * np.cos(heading), -level * np.sin(heading), np.sin(climb))
    middle = np.stack([np.cumsum(way) - way[0] for way in ways], axis=1) * STEP_M
    found, every = [], round(POSE_M / STEP_M)
    for index in range(0, len(at_m), every):
        turn, up = heading[index], climb[index]
        aside = alignment.wander(float(at_m[index]))
        right = np.array((-np.sin(turn), -np.cos(turn), 0.0))
        # To the right by ``turn``, then the nose up by ``up``.
        yaw = np.array((0.0, 0.0, -np.sin(turn / 2), np.cos(turn / 2)))
        pitch = np.array((0.0, -np.sin(up / 2), 0.0, np.cos(up / 2)))
        around = Rigid.from_quaternion((0, 0, 0), yaw).rotation
        around = around @ Rigid.from_quaternion((0, 0, 0), pitch).rotation
        found.append(Rigid(around, middle[index] + aside * right))
    return at_m[::every], found


def to_camera(camera: Camera) -> Rigid:
    """Return what takes points of ``base_link``, on the ground below it, to the rendered camera."""
    # x ahead, y left, z up in the world's right, up, ahead
    axes = np.array(((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    origin = camera.placed(np.zeros((1, 3)))[0]
    return Rigid((camera.placed(axes) - origin).T, origin)


def write_drive(folder: Path, drive: Drive, metres: float, every_m: float = 1.0) -> Path:
    """Write ``FOLDER/drive``, a bag; return it.

    Raises:
        FileExistsError: It is there already.
    """
    bag = folder / DRIVE
    if bag.exists():
        raise FileExistsError(f"{bag} is there already: remove it, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with new_bag(bag) as writer:
        kinds = {STATIC_TOPIC: TRANSFORMS, INFO_TOPIC: INFO}
        kinds |= {ODOMETRY_TOPIC: ODOMETRY, TOPIC: COMPRESSED_IMAGE}
        topics = {topic: declare(writer, topic, kind, 10) for topic, kind in kinds.items()}
        for at_ns, topic, message in _messages(drive, metres, every_m):
            writer.write(topics[topic], at_ns, to_bytes(message))
    return bag


def write_later(folder: Path, drive: Drive, begin_m: float, count: int) -> Path:
    """Write ``FOLDER/later``, a native set of pictures with the true labels; return it."""
    with native.Writer(folder / LATER) as writer:
        for index in tqdm(range(count), desc="rendering what comes later", unit="image"):
            rendered = drive.render(begin_m + index * LATER_M)
            sample = label_world(rendered, taught(ROOMS))
            name = f"{index:04d}.jpg"
            height, width = sample.image.shape[:2]
            labels = {task: constant(label) for task, label in sample.labels.items()}
            frame = LabelledFrame(name, Path(name), (height, width), labels, source=LATER)
            writer.write(frame, encoded=native.encode_picture(sample.image))
    return folder / LATER


def _messages(drive: Drive, metres: float, every_m: float) -> Iterator[tuple[int, str, Any]]:
    """Yield the messages of a drive in their order: when, on which topic, what."""
    camera, alignment = drive.world.camera, drive.world.road.alignment
    yield START_NS, STATIC_TOPIC, _static(to_camera(camera).inverse())
    for at_m, pose in zip(*poses(alignment, metres), strict=True):
        yield _time_ns(float(at_m)), ODOMETRY_TOPIC, _odometry(_time_ns(float(at_m)), pose)
    for at_m in tqdm(np.arange(0.0, metres, every_m).tolist(), desc="rendering", unit="image"):
        at_ns = _time_ns(at_m)
        yield at_ns, INFO_TOPIC, _info(at_ns, camera)
        message = _stamped(COMPRESSED_IMAGE, at_ns, OPTICAL)
        message.format = "jpeg"
        message.data = np.frombuffer(native.encode_picture(drive.render(at_m).image), np.uint8)
        yield at_ns, TOPIC, message


def _time_ns(at_m: float) -> int:
    """Return when the vehicle is somewhere."""
    return START_NS + round(at_m / SPEED_M_S * 1e9)


def _stamped(kind: str, at_ns: int, frame: str) -> Any:
    """Return a message with a header."""
    message = new_message(kind)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(at_ns, 10**9)
    message.header.frame_id = frame
    return message


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return ``(x, y, z, w)`` of a rotation."""
    turn = cv2.Rodrigues(rotation)[0].ravel()
    angle = float(np.linalg.norm(turn))
    axis = turn / angle if angle else turn
    x, y, z = np.sin(angle / 2) * axis
    return float(x), float(y), float(z), float(np.cos(angle / 2))


def _fill(place: Any, turn: Any, pose: Rigid) -> None:
    """Write a pose into a vector and a quaternion of ROS (in place)."""
    place.x, place.y, place.z = pose.shift.tolist()
    turn.x, turn.y, turn.z, turn.w = _quaternion(pose.rotation)


def _static(camera: Rigid) -> Any:
    """Return where the camera sits, given its pose in the vehicle's frame."""
    message = new_message(TRANSFORMS)
    transform = _stamped("geometry_msgs/msg/TransformStamped", START_NS, BASE)
    transform.child_frame_id = OPTICAL
    _fill(transform.transform.translation, transform.transform.rotation, camera)
    message.transforms = [transform]
    return message


def _odometry(at_ns: int, pose: Rigid) -> Any:
    """Return where the vehicle is."""
    message = _stamped(ODOMETRY, at_ns, ODOM)
    message.child_frame_id = BASE
    _fill(message.pose.pose.position, message.pose.pose.orientation, pose)
    return message


def _info(at_ns: int, camera: Camera) -> Any:
    """Return the CameraInfo of a rendered camera."""
    message = _stamped(INFO, at_ns, OPTICAL)
    message.height, message.width = camera.size
    (x, y), focal = camera.centre_px, camera.focal_px
    message.distortion_model = "plumb_bob"
    message.d = np.zeros(5)
    message.k = np.array((focal, 0, x, 0, focal, y, 0, 0, 1), np.float64)
    message.r = np.eye(3).ravel()
    message.p = np.array((focal, 0, x, 0, 0, focal, y, 0, 0, 0, 1, 0), np.float64)
    return message


def main() -> int:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("out", type=Path, help="folder for the bag and the later stretch")
    add("--seed", type=int, default=102, help="of the world (102)")
    add("--surface", default="gravel", help="carriageway, of world.bare_surfaces (gravel)")
    add("--metres", type=float, default=160.0, help="length of the drive (160)")
    add("--later", type=int, default=24, help=f"pictures after it, one each {LATER_M:g} m (24)")
    add("--beside", type=float, default=0.0, metavar="METRES", help="driven beside the road (0)")
    args = parser.parse_args()
    leaves_m = LEAVES * args.metres
    beside_m = (leaves_m, leaves_m + args.beside) if args.beside else None
    drive = rendered_drive(args.seed, args.surface, beside_m=beside_m)
    print(f"bag    {write_drive(args.out, drive, args.metres)}")
    on_road = rendered_drive(args.seed, args.surface)
    print(f"later  {write_later(args.out, on_road, args.metres, args.later)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
