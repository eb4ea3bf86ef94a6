# SPDX-License-Identifier: Apache-2.0
"""What this machine can do, asked without any engine's library."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

CPUINFO: Final = Path("/proc/cpuinfo")
CUDA_LIBRARIES: Final = ("libcuda.so.1", "libcuda.so", "nvcuda.dll")
NAME_LENGTH: Final = 256


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU.

    Attributes:
        name: As the driver calls it.
        compute: Compute capability, for example ``"9.0"``.
        driver: Version of CUDA that the driver speaks, for example ``"12.4"``.
    """

    name: str
    compute: str
    driver: str


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """List the NVIDIA GPUs that the driver shows; empty without a driver."""
    for name in CUDA_LIBRARIES:
        try:
            cuda = ctypes.CDLL(name)
        except OSError:
            continue
        return _list_gpus(cuda)
    return ()


def _list_gpus(cuda: ctypes.CDLL) -> tuple[Gpu, ...]:
    """Ask the CUDA driver API; see its reference, "Device Management"."""
    count, version = ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return ()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
    found = []
    for index in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(NAME_LENGTH)
        major, minor = ctypes.c_int(), ctypes.c_int()
        cuda.cuDeviceGet(ctypes.byref(device), index)
        cuda.cuDeviceGetName(name, NAME_LENGTH, device)
        for value, attribute in ((major, 75), (minor, 76)):  # COMPUTE_CAPABILITY_MAJOR, _MINOR
            cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        compute = f"{major.value}.{minor.value}"
        found.append(Gpu(name.value.decode(errors="replace"), compute, driver))
    return tuple(found)


def cpu_name() -> str:
    """Return the processor's name."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """Return the instruction sets of the processor, as Linux names them; empty elsewhere."""
    return frozenset((_cpuinfo().get("flags") or _cpuinfo().get("Features") or "").split())


def has_amx() -> bool:
    """Whether the processor multiplies bfloat16 matrices in tiles (Intel AMX)."""
    return {"amx_tile", "amx_bf16"} <= cpu_flags()


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def _cpuinfo() -> dict[str, str]:
    """Read the first processor's entry of Linux's list."""
    try:
        text = CPUINFO.read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
