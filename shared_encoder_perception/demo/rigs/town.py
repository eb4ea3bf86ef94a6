"""The demo's own town: a drive seen by four cameras, rendered once and kept."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import cv2
from tqdm import tqdm

from shared_encoder_perception.demo.clip import QUALITY, version_of
from shared_encoder_perception.files.whole_file import making_folder
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.world import rigs
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import RigDrive

RIG_FILE: Final = "rig.yaml"
"""Beside the cameras' folders."""
MOMENTS: Final = 100
RATE_HZ: Final = 10.0
SPEED_M_PER_MOMENT: Final = 1.0
"""10 m/s at ``RATE_HZ``."""
SEED: Final = 1_000_000_292
"""A street with houses, traffic and parked vehicles on both sides. It was not trained on, and was
chosen before any model had seen it."""
SIZE: Final = (192, 480)
"""Of the pictures, ``(height, width)``."""


def town_clip(cache: Path, moments: int = MOMENTS) -> Path:
    """Return the folder of the drive, rendering it on first use.

    It holds a ``rig.yaml``, whose cameras have topics, and a folder of pictures for each camera, as
    ``predict --rig`` takes them, too.

    Args:
        cache: Folder for clips; each version of the renderer gets its own below it.
        moments: How many are needed.
    """
    folder = cache / f"town-{_version(moments)}"
    if folder.is_dir():
        return folder
    cv2.setNumThreads(1)
    rig = four_cameras(SIZE)
    world = RigDrive(SEED, rig, split_probability=0.0, traffic_probability=1.0)
    steps = tqdm(range(moments), desc="rendering the town (first time only)", unit="moment")
    with making_folder(folder) as part:
        for index in steps:
            shown = world.render(index * SPEED_M_PER_MOMENT)
            for name, image in shown.images.items():
                (part / name).mkdir(exist_ok=True)
                path, parameters = part / name / f"{index:06d}.jpg", [cv2.IMWRITE_JPEG_QUALITY]
                if not cv2.imwrite(str(path), image, [*parameters, QUALITY]):
                    raise OSError(f"cannot write {path}")
        entries = RigFile.of(rig).entries
        topics = tuple(replace(one, topic=f"{one.name}/image") for one in entries)
        write_rig(part / RIG_FILE, RigFile(topics, rig.frame_id))
    return folder


def _version(moments: int) -> str:
    """Return a hash of everything that decides the pictures."""
    digest = sha256()
    for path in sorted(Path(rigs.__file__).resolve().parent.glob("*.py")):
        digest.update(path.read_bytes())
    return version_of(moments, SPEED_M_PER_MOMENT, SEED, SIZE, digest.hexdigest())
