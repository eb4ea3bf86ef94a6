# SPDX-License-Identifier: Apache-2.0
"""The demo's own drive: a synthetic clip, rendered once and kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

import cv2
from tqdm import tqdm

from shared_encoder_perception.files.whole_file import making_folder
from shared_encoder_perception.tasks.label_files import FILE_NAME
from shared_encoder_perception.world import synthetic

FRAMES: Final = 180
SPEED_M_PER_FRAME: Final = 0.9
"""16 m/s at 18 images a second."""
SCENES: Final = ((1_000_000_029, 0.25), (1_000_000_047, 1.0), (1_000_000_009, 0.25))
"""(seed, split probability) of the worlds the drive passes: a motorway, an exit, a country road in
the rain. None was trained on; they were chosen before any model had seen them."""
QUALITY: Final = 95


def synthetic_clip(cache: Path) -> Path:
    """Return the ``frames.jsonl`` of the drive's frames, rendering them on first use.

    Args:
        cache: Folder for clips; each version of the renderer gets its own below it.
    """
    folder = cache / f"clip-{version_of(SPEED_M_PER_FRAME, SCENES)}"
    if folder.is_dir():
        return folder / FILE_NAME
    cv2.setNumThreads(1)
    drives = [synthetic.Drive(seed, split_probability=split) for seed, split in SCENES]
    steps = tqdm(range(FRAMES), desc="rendering the drive (first time only)", unit="image")
    with making_folder(folder) as part, (part / FILE_NAME).open("w", encoding="utf-8") as lines:
        for index in steps:
            scene, step = divmod(index, FRAMES // len(SCENES))
            shown = drives[scene].render(step * SPEED_M_PER_FRAME)
            name, parameters = f"{index:06d}.jpg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
            if not cv2.imwrite(str(part / name), shown.image, parameters):
                raise OSError(f"cannot write {part}")
            focal_px = round(shown.camera.focal_px, 3)
            line = {"image": name, "size": list(shown.image.shape[:2]), "focal_px": focal_px}
            lines.write(f"{json.dumps(line)}\n")
    return folder / FILE_NAME


def version_of(*more: object) -> str:
    """Return a hash of everything that decides a clip's pixels: ``more`` and the renderer."""
    digest = hashlib.sha256(repr((FRAMES, *more, QUALITY)).encode())
    sources = Path(synthetic.__file__).resolve().parent
    for path in sorted(sources.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
