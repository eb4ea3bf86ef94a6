# SPDX-License-Identifier: Apache-2.0
"""Bags of a rig's cameras: images near the same moments, and what says where the cameras are."""

from dataclasses import replace

import cv2
import numpy as np
from replay_bags import IMAGE, header, image_message, write_bag
from rig_drive import RIG

from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.rig.rig_file import RigFile, write_rig

START_NS, STEP_NS = 10**9, 10**8
INFO = "sensor_msgs/msg/CameraInfo"
SKEW_NS = {"front": 0, "left": 20_000_000, "rear": -30_000_000, "right": 5_000_000}


def topics_of(folder, **keys):
    """Write a rig.yaml with topics, and return its name."""
    entries = [replace(one, topic=f"/{one.name}/image", **keys) for one in RigFile.of(RIG).entries]
    write_rig(folder / "topics.yaml", RigFile(tuple(entries)))
    return "topics.yaml"


def bag_of(path, taken, skews=SKEW_NS, kind=IMAGE, more=(), without=()):
    """Write a bag; images arrive 1 ms after their stamps. ``without`` are (camera, index)."""
    topic = "/{}/image" if kind == IMAGE else "/{}/image/compressed"
    messages = list(more)
    for index, images in enumerate(taken):
        for name, image in images.items():
            stamp_ns = START_NS + index * STEP_NS + skews[name]
            if (name, index) not in without:
                message = image_message(image, stamp_ns, kind)
                messages.append((topic.format(name), stamp_ns + 10**6, message))
    return write_bag(path, sorted(messages, key=lambda one: one[1]))


def info_message(camera, stamp_ns):
    types, lens = typestore().types, camera.view.camera
    height, width = lens.image_size
    region = types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    model = "equidistant" if lens.fisheye else "plumb_bob"
    return types[INFO](
        header=header(stamp_ns),
        height=height,
        width=width,
        distortion_model=model,
        d=np.array(lens.distortion, np.float64),
        k=lens.matrix.ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack([lens.matrix, np.zeros((3, 1))]).ravel(),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def transform_message(pose, parent, child):
    types = typestore().types
    turn = cv2.Rodrigues(pose.rotation)[0].ravel()
    angle = np.linalg.norm(turn)
    x, y, z = (turn / angle * np.sin(angle / 2)).tolist()
    at = header(0)
    at.frame_id = parent
    moved = types["geometry_msgs/msg/Transform"](
        translation=types["geometry_msgs/msg/Vector3"](*pose.position.tolist()),
        rotation=types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=float(np.cos(angle / 2))),
    )
    stamped = types["geometry_msgs/msg/TransformStamped"](
        header=at, child_frame_id=child, transform=moved
    )
    return types["tf2_msgs/msg/TFMessage"](transforms=[stamped])


def told_by_topics(folder, *, with_tf=True):
    """Write a rig.yaml of which the bag has to say the rest; return its name and messages."""
    keys, messages = [], []
    for camera in RIG.cameras:
        name = camera.name
        keys.append(
            f"  {name}: {{topic: /{name}/image, info_topic: /{name}/info, tf_frame: {name}_lens}}"
        )
        messages.append((f"/{name}/info", START_NS, info_message(camera, START_NS)))
        if with_tf:
            pose = transform_message(camera.view.extrinsics, "base_link", f"{name}_lens")
            messages.append(("/tf_static", START_NS, pose))
    (folder / "told.yaml").write_text("cameras:\n" + "\n".join(keys) + "\n")
    return "told.yaml", messages
