# SPDX-License-Identifier: Apache-2.0
"""One key frame of nuScenes as a native set with the sparse depth of its lidar: six pictures.

    python test/nuscenes_one.py FOLDER OUT

FOLDER has ``rig.json``, ``lidar_xyz_ego.npy`` and six pictures. No test: a command, for numbers in
the docs. The data are for looking and testing only.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.labels.adapters.kitti_lidar import sparse_depth
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.labels import write


def main(folder, out):
    """Write the set."""
    points = np.load(folder / "lidar_xyz_ego.npy", allow_pickle=False).astype(float)
    rig = json.loads((folder / "rig.json").read_text())
    (out / "images").mkdir(parents=True)
    with (out / "frames.jsonl").open("w") as lines:
        for camera in rig["cameras"].values():
            pose, matrix = np.array(camera["ego_from_optical"]), np.array(camera["k"])
            seen = (points - pose[:3, 3]) @ pose[:3, :3]
            size = tuple(camera["size"])
            lens = CameraModel(size, matrix, np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0))
            height_m = float(pose[2, 3])
            label = Label(sparse_depth(seen, lens), float(matrix[1, 1]), height_m=height_m)
            shutil.copy(folder / camera["image"], out / "images")
            keys = write(label, out, Path(camera["image"]))
            line = {
                "image": f"images/{camera['image']}",
                "size": size,
                **keys,
                "source": "nuscenes",
            }
            lines.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
