# SPDX-License-Identifier: Apache-2.0
"""Tables as nuScenes publishes them, written for tests."""

import json

import cv2
import numpy as np

VISIBILITY = {"1": "v0-40", "2": "v40-60", "3": "v60-80", "4": "v80-100"}


def matrix(rotation=None, shift=(0, 0, 0)):
    """Return a 4x4 transform."""
    found = np.eye(4)
    found[:3, :3] = np.eye(3) if rotation is None else rotation
    found[:3, 3] = shift
    return found


def yawed(yaw, shift=(0, 0, 0)):
    """Return a 4x4 transform that turns to the left."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return matrix([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], shift)


def placed(transform):
    """Return translation and quaternion ``(w, x, y, z)`` of a 4x4 transform."""
    turn = cv2.Rodrigues(np.ascontiguousarray(transform[:3, :3]))[0][:, 0]
    angle = np.linalg.norm(turn)
    axis = turn / angle if angle > 0 else turn
    return {
        "translation": transform[:3, 3].tolist(),
        "rotation": [float(np.cos(angle / 2)), *(np.sin(angle / 2) * axis).tolist()],
    }


def tables(cameras, boxes, world_from_vehicle, time_us, lidar=True):
    """Return the rows of all tables for one key frame.

    ``cameras``: by channel, ``vehicle_from_optical`` and ``world_from_vehicle`` at its own time
    (4x4), ``k``, ``size``, ``file`` and ``time_us``. ``boxes``: in the vehicle's frame at the key
    frame's time: category, 4x4, ``(width, length, height)``, token of the visibility.
    """
    found = {name: [] for name in ("sensor", "calibrated_sensor", "sample_data", "ego_pose")}
    sensors = dict(cameras)
    if lidar:
        top = {"vehicle_from_optical": matrix(shift=(0.9, 0, 1.8)), "k": [], "size": (0, 0)}
        there = {"world_from_vehicle": world_from_vehicle, "time_us": time_us}
        sensors["LIDAR_TOP"] = {**top, **there, "file": "samples/LIDAR_TOP/0.pcd.bin"}
    for channel, one in sensors.items():
        kind = "lidar" if channel == "LIDAR_TOP" else "camera"
        found["sensor"].append({"token": f"s_{channel}", "channel": channel, "modality": kind})
        found["calibrated_sensor"].append(
            {
                "token": f"c_{channel}",
                "sensor_token": f"s_{channel}",
                **placed(one["vehicle_from_optical"]),
                "camera_intrinsic": np.asarray(one["k"]).tolist(),
            }
        )
        pose = placed(one["world_from_vehicle"])
        for sweep in ("", "sweep_"):
            moved = {
                **pose,
                "translation": (np.array(pose["translation"]) + (sweep != "")).tolist(),
            }
            row = {"token": f"{sweep}p_{channel}", "timestamp": one["time_us"]}
            found["ego_pose"].append({**row, **moved})
            found["sample_data"].append(
                {
                    "token": f"{sweep}d_{channel}",
                    "sample_token": "key",
                    "ego_pose_token": f"{sweep}p_{channel}",
                    "calibrated_sensor_token": f"c_{channel}",
                    "timestamp": one["time_us"] + (50_000 if sweep else 0),
                    "fileformat": "jpg",
                    "is_key_frame": not sweep,
                    "height": one["size"][0],
                    "width": one["size"][1],
                    "filename": one["file"] if not sweep else f"sweeps/{channel}/0.jpg",
                    "prev": "",
                    "next": "",
                }
            )
    found["sample"] = [
        {"token": "key", "timestamp": time_us, "prev": "", "next": "", "scene_token": "scene"}
    ]
    found["visibility"] = [{"token": token, "level": level} for token, level in VISIBILITY.items()]
    names = sorted({category for category, *_ in boxes})
    found["category"] = [{"token": f"k_{n}", "name": n, "description": ""} for n in names]
    found["instance"] = [
        {"token": f"i_{at}", "category_token": f"k_{category}", "nbr_annotations": 1}
        for at, (category, *_) in enumerate(boxes)
    ]
    found["sample_annotation"] = [
        {
            "token": f"a_{at}",
            "sample_token": "key",
            "instance_token": f"i_{at}",
            "visibility_token": visibility,
            "attribute_tokens": [],
            "size": list(size),
            "num_lidar_pts": 1,
            **placed(world_from_vehicle @ place),
        }
        for at, (_, place, size, visibility) in enumerate(boxes)
    ]
    return found


def write_tables(folder, found, version="v1.0-mini"):
    """Write tables below a folder."""
    (folder / version).mkdir(parents=True, exist_ok=True)
    for name, rows in found.items():
        (folder / version / f"{name}.json").write_text(json.dumps(rows, indent=0))
    return folder
