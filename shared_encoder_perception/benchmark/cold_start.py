# SPDX-License-Identifier: Apache-2.0
"""What starting costs, in a process of its own: time to load, first inference, memory.

The engine's cache is as the user's is: what had to be built for it was built before.
"""

from __future__ import annotations

import resource
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from shared_encoder_perception.backends import BACKENDS
from shared_encoder_perception.benchmark.combinations import Combination
from shared_encoder_perception.benchmark.fresh_process import answer, ask
from shared_encoder_perception.benchmark.moments import rig_of
from shared_encoder_perception.benchmark.runners import load
from shared_encoder_perception.rig.pictures import black

STATUS: Final = Path("/proc/self/status")
IMAGE_SIZE: Final = (320, 800)


def measure(combination: Combination) -> dict[str, float]:
    """Start a combination in a fresh process.

    Returns:
        ``import_ms`` for the engine's library, ``load_ms`` for the model, ``first_ms`` for the
        first inference, ``model_mb`` that the last two added to the resident memory, and
        ``peak_mb``, the most that the process held.

    Raises:
        RuntimeError: It did not start there.
    """
    return ask(__spec__.name, asdict(combination))


def _start(request: dict[str, Any]) -> dict[str, Any]:
    """Be the fresh process."""
    size = request.pop("size")
    combination = Combination(**request, size=tuple(size) if size else None)
    engine = BACKENDS[combination.engine]
    shown: Any = np.zeros((*IMAGE_SIZE, 3), np.uint8)
    if combination.rig:
        shown = {camera.name: black(camera) for camera in rig_of(combination.rig).cameras}
    begin = perf_counter()
    import_module(engine.requires)
    import_module(engine.module)
    imported, before = perf_counter(), _memory_mb("VmRSS")
    runner = load(combination)
    loaded = perf_counter()
    first = runner(shown)["inference"]
    after, peak = _memory_mb("VmRSS"), _memory_mb("VmHWM")
    runner.close()
    return {
        "import_ms": (imported - begin) * 1e3,
        "load_ms": (loaded - imported) * 1e3,
        "first_ms": first,
        "model_mb": after - before,
        "peak_mb": peak,
    }


def _memory_mb(entry: str) -> float:
    """Return ``VmRSS`` or ``VmHWM``, in 10^6 bytes; the peak for both where Linux is missing."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith(entry):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    answer(_start)
