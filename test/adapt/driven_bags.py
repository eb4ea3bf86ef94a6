# SPDX-License-Identifier: Apache-2.0
"""Small rendered drives as bags, for the tests of ``adapt``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shared_encoder_perception.adapt.rendered_drive import (
    ODOMETRY_TOPIC,
    rendered_drive,
    write_drive,
)
from shared_encoder_perception.adapt.trajectory import Trajectory
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.replay.messages import new_message, to_bytes
from shared_encoder_perception.replay.new_bag import declare, new_bag
from shared_encoder_perception.world.alignment import Clothoids, Wander

SIZE = (64, 160)
SEED = 102
"""Of a motorway with hills and bends, on which nobody drives."""


def bag_of(folder, metres=100.0, every_m=2.0, seed=SEED):
    """Write a drive of small pictures; return the bag."""
    return write_drive(folder, rendered_drive(seed, "gravel", SIZE), metres, every_m)


def copy_of(bag, out, leave_out=(), add=()):
    """Write a bag anew, without some topics, with ``(topic, time, message)`` added; return it."""
    with open_bag(bag) as reader, new_bag(out) as writer:
        kept = [one for one in reader.connections if one.topic not in leave_out]
        topics = {one.topic: declare(writer, one.topic, one.msgtype, 10) for one in kept}
        for connection, at_ns, data in reader.messages(kept) if kept else ():
            writer.write(topics[connection.topic], at_ns, bytes(data))
        for topic, at_ns, message in add:
            if topic not in topics:
                topics[topic] = declare(writer, topic, message.__msgtype__, 10)
            writer.write(topics[topic], at_ns, to_bytes(message))
    return out


def path_of(bag):
    """Return the odometry of a bag as a file in TUM's format says it."""
    lines = []
    with open_bag(bag) as reader:
        used = [one for one in reader.connections if one.topic == ODOMETRY_TOPIC]
        for connection, _, data in reader.messages(used):
            message = reader.deserialize(data, connection.msgtype)
            stamp, pose = message.header.stamp, message.pose.pose
            at, turn = pose.position, pose.orientation
            numbers = (at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w)
            lines.append(f"{stamp.sec}.{stamp.nanosec:09d} {' '.join(map(repr, numbers))}")
    return "\n".join(lines) + "\n"


def moving_tf(bag):
    """Return the odometry of a bag as TF says it: ``(topic, time, message)``."""
    found = []
    with open_bag(bag) as reader:
        used = [one for one in reader.connections if one.topic == ODOMETRY_TOPIC]
        for connection, at_ns, data in reader.messages(used):
            odometry = reader.deserialize(data, connection.msgtype)
            transform = new_message("geometry_msgs/msg/TransformStamped")
            transform.header.stamp.sec = odometry.header.stamp.sec
            transform.header.stamp.nanosec = odometry.header.stamp.nanosec
            transform.header.frame_id, transform.child_frame_id = "odom", "base_link"
            place, pose = transform.transform.translation, odometry.pose.pose
            place.x, place.y, place.z = pose.position.x, pose.position.y, pose.position.z
            transform.transform.rotation = pose.orientation
            message = new_message("tf2_msgs/msg/TFMessage")
            message.transforms = [transform]
            found.append(("/tf", at_ns, message))
    return found


def straight_drive(seed=SEED, size=(320, 800)):
    """Return a drive on a straight, flat road, in the middle of its lane."""
    drive = rendered_drive(seed, "gravel", size)
    road = drive.world.road
    none = Clothoids(np.array((0.0, 1000.0)), np.zeros(2))
    alignment = replace(road.alignment, plan=none, hills=none, wander=Wander(0.0, 100.0, 0.0))
    drive.world = replace(drive.world, road=replace(road, alignment=alignment))
    return drive


def straight_path(metres=60.0, every_m=1.0, speed=10.0):
    """Return a path straight ahead along x, from 1 s on."""
    places = np.arange(0.0, metres + every_m / 2, every_m)
    poses = [
        (10**9 + round(at / speed * 1e9), Rigid(np.eye(3), np.array((at, 0.0, 0.0))))
        for at in places.tolist()
    ]
    return Trajectory.of(poses, "a path")
