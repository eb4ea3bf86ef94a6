# SPDX-License-Identifier: Apache-2.0
"""What the measurement ran on, as far as Linux and the drivers say."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.backends.hardware import cores, cpu_name, gpus

LIBRARIES: Final = (
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "torch",
    "tensorrt",
    "tensorrt-cu12",
    "opencv-python-headless",
)
"""Packages, as pip calls them, whose version matters for speed."""
NOT_SHOWN: Final = "not shown"
"""Value of what the system hides, as virtual machines do."""
CPUS: Final = Path("/sys/devices/system/cpu")
BOARD: Final = Path("/proc/device-tree/model")
"""Name of an embedded board, such as a Jetson."""


def describe() -> dict[str, Any]:
    """Return the machine as plain data.

    Returns:
        ``cpu``, ``board``, ``cores`` (that this process may use), ``governor`` and ``max_mhz`` (of
        those), ``load`` (mean number of running threads in the last minute), ``gpus``, ``system``,
        ``python`` and ``libraries`` (name -> version).
    """
    return {
        "cpu": cpu_name(),
        "board": _read(BOARD),
        "cores": cores(),
        "governor": _of_cores("scaling_governor"),
        "max_mhz": _max_mhz(),
        "load": load(),
        "gpus": [f"{gpu.name}, compute {gpu.compute}, CUDA {gpu.driver}" for gpu in gpus()],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def lines(machine: dict[str, Any]) -> list[str]:
    """Say it for people."""
    board = f"{machine['board']}, " if machine["board"] else ""
    libraries = [f"{name} {found}" for name, found in machine["libraries"].items()]
    half = (len(libraries) + 1) // 2
    shown = [
        f"machine    {board}{machine['cpu']}, {machine['cores']} cores",
        f"governor   {machine['governor']}, highest clock in MHz {machine['max_mhz']}, "
        f"load {machine['load']:.1f} at the start",
        f"GPU        {'; '.join(machine['gpus']) or 'none'}",
        f"system     {machine['system']}, Python {machine['python']}",
        f"libraries  {', '.join(libraries[:half])}",
    ]
    return shown + ([f"           {', '.join(libraries[half:])}"] if libraries[half:] else [])


def load() -> float:
    """Return the mean number of running threads in the last minute."""
    return os.getloadavg()[0]


def _max_mhz() -> str:
    """Return the highest clock of the usable cores."""
    found = _of_cores("scaling_max_freq")
    return (
        "/".join(f"{int(khz) // 1000}" for khz in found.split("/")) if found[0].isdigit() else found
    )


def _of_cores(entry: str) -> str:
    """Return a frequency setting of the usable cores; several are joined by ``/``."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    found = {_read(CPUS / f"cpu{core}" / "cpufreq" / entry) for core in usable}
    return "/".join(sorted(found - {""})) or NOT_SHOWN


def _read(path: Path) -> str:
    """Return the text of a file of the kernel; empty where it has none."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _version(name: str) -> str:
    """Return the version of an installed package; empty when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
