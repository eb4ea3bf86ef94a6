# SPDX-License-Identifier: Apache-2.0
"""The demo's own fixed camera: a synthetic clip of a road with traffic, and the empty road."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from tqdm import tqdm

from shared_encoder_perception.demo.clip import FRAMES, QUALITY, version_of
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.files.whole_file import making_folder
from shared_encoder_perception.tasks.label_files import FILE_NAME
from shared_encoder_perception.world.dice_traffic import roll_vehicles
from shared_encoder_perception.world.parked import parked
from shared_encoder_perception.world.pave import LOOP_M
from shared_encoder_perception.world.rendered import EMPTY, Rendered
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, Drive
from shared_encoder_perception.world.vehicles import Vehicle

SEED: Final = VALIDATION_SEED + 220
"""A motorway by day. It was not trained on, and was chosen before any model had seen it."""
SPEED_M_PER_FRAME: Final = 0.6
"""Of a vehicle of speed 1."""
GAP_M: Final = (22.0, 60.0)
"""Between two vehicles of a lane."""
AHEAD, ONCOMING = 0.9, -0.8
"""Speeds: one for all of a lane, so that nobody drives through anybody."""
BESIDE: Final = "empty.png"
"""Beside the images: the empty road."""
ROLLS: Final = 5
"""Of the dice for vehicles, whose kinds and colours are taken."""


def parked_clip(cache: Path, names: Sequence[str]) -> Path:
    """Return the ``frames.jsonl`` of a fixed camera's images, rendering them on first use.

    Args:
        cache: Folder for clips; each version of the renderer gets its own below it.
        names: Keys by which each line names the picture of the empty road.
    """
    folder = cache / f"parked-{version_of(SEED, SPEED_M_PER_FRAME, GAP_M, *names)}"
    if folder.is_dir():
        return folder / FILE_NAME
    cv2.setNumThreads(1)
    with making_folder(folder) as part, (part / FILE_NAME).open("w", encoding="utf-8") as lines:
        for index, shown in enumerate(_frames()):
            name, parameters = f"{index:06d}.jpg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
            if not cv2.imwrite(str(part / name), shown.image, parameters):
                raise OSError(f"cannot write {part}")
            if shown.empty is not None:
                write_picture(part / BESIDE, shown.empty)
            focal_px = round(shown.camera.focal_px, 3)
            line = {"image": name, "size": list(shown.image.shape[:2]), "focal_px": focal_px}
            line |= dict.fromkeys(names, BESIDE)
            lines.write(f"{json.dumps(line)}\n")
    return folder / FILE_NAME


def _frames() -> Iterator[Rendered]:
    """Yield what the camera sees, and with the first one the empty road, taken at another time."""
    drive = busy(Drive(SEED, split_probability=0.0))
    for index in tqdm(range(FRAMES), desc="rendering the road (first time only)", unit="image"):
        asked = () if index else (EMPTY,)
        yield parked(drive, index * SPEED_M_PER_FRAME).render(0.0, asked)


def busy(drive: Drive) -> Drive:
    """Return the drive with traffic in each lane but ours, all around the loop of the world."""
    world = drive.world
    road, rng = world.road, np.random.default_rng(SEED)
    pool = [
        one
        for _ in range(ROLLS)
        for one in roll_vehicles(rng, road, world.place, "clear")
        if one.speed and one.kind != "person"
    ]
    lanes = [
        (lane * road.width_m, AHEAD) for lane in range(-road.left, road.right + 1) if lane != 0
    ]
    first = road.inner_edges_m()[0] - road.median_m
    lanes += [(first - (lane + 0.5) * road.width_m, ONCOMING) for lane in range(road.opposite)]
    vehicles: list[Vehicle] = []
    for offset_m, speed in lanes:
        at_m = rng.uniform(0, GAP_M[1])
        while at_m < LOOP_M - GAP_M[0]:
            one = pool[rng.integers(len(pool))]
            back = speed < 0
            vehicles.append(replace(one, offset_m=offset_m, at_m=at_m, speed=speed, oncoming=back))
            at_m += rng.uniform(*GAP_M)
    found = copy(drive)
    found.world = replace(world, vehicles=tuple(vehicles))
    return found
