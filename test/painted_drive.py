# SPDX-License-Identifier: Apache-2.0
"""The scene of ``painted_scene`` as the messages of a drive, as rosbags writes them."""

from painted_scene import camera, cloud_of, image_of, info_of, picture, sweep, transform_of

from shared_encoder_perception.replay.messages import new_message

MS = 10**6
START = 1_700_000_000 * 10**9
KIND, POINTS = sweep()
IMAGE, INFO, CLOUD, STATIC = "/front/image", "/front/camera_info", "/lidar/points", "/tf_static"


def tf_message(*transforms):
    message = new_message("tf2_msgs/msg/TFMessage")
    message.transforms = list(transforms)
    return message


def drive(lens="none", yaw=0.0, skews_ms=(10,), with_tf=True):
    """Messages of a drive: a cloud each 100 ms, whose image was taken ``skews_ms`` later."""
    answer, found = picture_of(lens, yaw), []
    if with_tf:
        found.append((STATIC, START, tf_message(transform_of(yaw, new_message))))
    for number, skew in enumerate(skews_ms):
        at = START + number * 100 * MS
        found.append((CLOUD, at + MS, cloud_of(POINTS, at, new_message)))
        taken = at + skew * MS
        found.append((IMAGE, taken + 30 * MS, image_of(answer, taken, new_message)))
        found.append((INFO, taken + 30 * MS, info_of(lens, taken, new_message)))
    return found


def picture_of(lens, yaw):
    return picture(camera(lens), yaw)
