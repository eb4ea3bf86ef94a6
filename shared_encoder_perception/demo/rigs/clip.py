# SPDX-License-Identifier: Apache-2.0
"""A drive that a rig's cameras see, of one rendered world after the other; kept once rendered."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Final

import cv2
from tqdm import tqdm

from shared_encoder_perception.demo.clip import QUALITY, version_of
from shared_encoder_perception.files.whole_file import making_folder
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.world import rigs
from shared_encoder_perception.world.rigs.drive import RigDrive

RIG_FILE: Final = "rig.yaml"
"""Beside the cameras' folders."""
FEW: Final = 8
"""So many moments are rendered sooner than another process has started."""
TOGETHER: Final = 4
"""Moments that a process is given at a time."""


@dataclass(frozen=True)
class Scene:
    """One world of a drive.

    Attributes:
        seed: Of the world and of everybody on the road.
        moments: How many are rendered.
        metres: Driven from one to the next.
        split_probability: As of ``RigDrive``.
    """

    seed: int
    moments: int
    metres: float
    split_probability: float = 0.0


def rig_clip(cache: Path, name: str, rig: Rig, scenes: Sequence[Scene]) -> Path:
    """Return the folder of a drive, rendering it on first use with as many processes as cores.

    It holds a ``rig.yaml``, whose cameras have topics, and a folder of pictures for each camera, as
    ``predict --rig`` takes them, too.

    Args:
        cache: Folder for clips; each version of the renderer gets its own below it.
        name: Of the clip.
        rig: The cameras, the same in all scenes.
        scenes: Shown one after the other; there is traffic in all of them.
    """
    folder = cache / f"{name}-{_version(rig, scenes)}"
    if folder.is_dir():
        return folder
    total = sum(scene.moments for scene in scenes)
    steps = tqdm(total=total, desc=f"rendering the {name} (first time only)", unit="moment")
    with steps, making_folder(folder) as part:
        for camera in rig.names:
            (part / camera).mkdir()
        for count in _rendered(part, rig, scenes):
            steps.update(count)
        entries = RigFile.of(rig).entries
        topics = tuple(replace(one, topic=f"{one.name}/image") for one in entries)
        write_rig(part / RIG_FILE, RigFile(topics, rig.frame_id))
    return folder


def shortened(scenes: Sequence[Scene], moments: int) -> tuple[Scene, ...]:
    """Return the first ``moments`` of a drive."""
    found: list[Scene] = []
    for scene in scenes:
        left = moments - sum(one.moments for one in found)
        if left > 0:
            found.append(replace(scene, moments=min(scene.moments, left)))
    return tuple(found)


def _rendered(folder: Path, rig: Rig, scenes: Sequence[Scene]) -> Iterator[int]:
    """Write all pictures; yield how many moments are done with each step."""
    works: list[tuple[Scene, int, range]] = []
    first = 0
    for scene in scenes:
        for start in range(0, scene.moments, TOGETHER):
            works.append((scene, first, range(start, min(start + TOGETHER, scene.moments))))
        first += scene.moments
    workers = min(len(os.sched_getaffinity(0)), len(works))
    if workers == 1 or first <= FEW:
        _begin(folder, rig)
        yield from map(_render, works)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (folder, rig))
    try:
        yield from pool.map(_render, works)
    finally:
        pool.shutdown(cancel_futures=True)


class _Task:
    """What a process renders.

    Attributes:
        folder: For the pictures.
        rig: The cameras.
    """

    folder: Path
    rig: Rig


def _begin(folder: Path, rig: Rig) -> None:
    """Prepare a process; the other cores belong to the others."""
    cv2.setNumThreads(1)
    _Task.folder, _Task.rig = folder, rig
    _drive.cache_clear()


def _begin_worker(folder: Path, rig: Rig) -> None:
    """Prepare a process of its own, which ends in silence when its parent stops, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow_parent, name="tether", daemon=True).start()
    _begin(folder, rig)


def _follow_parent() -> None:
    """Wait for the parent's end, then end this process."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


@lru_cache(maxsize=1)
def _drive(scene: Scene) -> RigDrive:
    """Roll the dice of a scene once for all of its moments."""
    split = scene.split_probability
    return RigDrive(scene.seed, _Task.rig, split_probability=split, traffic_probability=1.0)


def _render(work: tuple[Scene, int, range]) -> int:
    """Write the pictures of some moments of a scene, which begins with a number; count them."""
    scene, first, indices = work
    for index in indices:
        shown = _drive(scene).render(index * scene.metres)
        for name, image in shown.images.items():
            path = _Task.folder / name / f"{first + index:06d}.jpg"
            if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
                raise OSError(f"cannot write {path}")
    return len(indices)


def _version(rig: Rig, scenes: Sequence[Scene]) -> str:
    """Return a hash of everything that decides the pictures."""
    digest = sha256()
    for path in sorted(Path(rigs.__file__).resolve().parent.glob("*.py")):
        digest.update(path.read_bytes())
    for camera in rig.cameras:
        digest.update(repr((camera.name, camera.image_size)).encode())
        digest.update(camera.view.camera.matrix.tobytes())
    return version_of(*map(astuple, scenes), digest.hexdigest())
