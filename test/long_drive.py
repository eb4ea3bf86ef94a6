# SPDX-License-Identifier: Apache-2.0
"""Writes a long drive as a rosbag2, with its truth, for what only a long drive shows of `replay`.

python test/long_drive.py long_drive --minutes 10       18 000 images at 30 Hz, about 0.8 GB
python -m shared_encoder_perception replay long_drive --out result --labels long_drive_labels

Worlds of six seconds follow one another; none of them was trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from tqdm import tqdm

from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, Drive, label_world

HZ, SPEED_M_S, SCENE_S = 30, 20.0, 6
FIRST_SEED = VALIDATION_SEED + 50_000
START_NS = 1_700_000_000_000_000_000


def scene(seed: int) -> list[tuple[bytes, dict[str, Any]]]:
    """Render a world; return each image as JPEG with its labels."""
    cv2.setNumThreads(1)
    drive, found = Drive(seed), []
    for index in range(HZ * SCENE_S):
        sample = label_world(drive.render(index * SPEED_M_S / HZ))
        data = cv2.imencode(".jpg", sample.image, (cv2.IMWRITE_JPEG_QUALITY, 90))[1]
        found.append((data.tobytes(), dict(sample.labels)))
    return found


def drive(minutes: float) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Render world after world."""
    scenes = round(minutes * 60 / SCENE_S)
    with ProcessPoolExecutor(2) as pool:
        for frames in pool.map(scene, range(FIRST_SEED, FIRST_SEED + scenes)):
            yield from frames


def main() -> None:
    """Write the bag."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    args = parser.parse_args()
    store = typestore()
    image_type = store.types["sensor_msgs/msg/CompressedImage"]
    time_type, header_type = (
        store.types[name] for name in ("builtin_interfaces/msg/Time", "std_msgs/msg/Header")
    )
    writer = Writer(args.out, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.NONE, CompressionFormat.ZSTD)
    total = round(args.minutes * 60 / SCENE_S) * SCENE_S * HZ
    labels = args.out.with_name(f"{args.out.name}_labels")
    with writer, native.Writer(labels) as truth:
        images = writer.add_connection("/camera/image", image_type.__msgtype__, typestore=store)
        for index, (data, known) in enumerate(tqdm(drive(args.minutes), total=total, unit="image")):
            at = START_NS + round(index * 1e9 / HZ)
            stamp = time_type(sec=at // 10**9, nanosec=at % 10**9)
            message = image_type(
                header=header_type(stamp=stamp, frame_id="camera"),
                format="jpeg",
                data=np.frombuffer(data, np.uint8),
            )
            writer.write(images, at, store.serialize_cdr(message, image_type.__msgtype__))
            reads = {"lanes": constant(known["lanes"])}
            frame = LabelledFrame(f"frame_{index:06d}.jpg", Path(), (320, 800), reads)
            truth.write(frame, pictures=False)


if __name__ == "__main__":
    main()
