# SPDX-License-Identifier: Apache-2.0
"""Read ``tegrastats`` while something runs: memory, GPU load, power and temperatures of a Jetson.

The format is that of JetPack 5 and 6 (NVIDIA Jetson Linux Developer Guide, "Tegrastats Utility").
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

TOOL: Final = "tegrastats"
INTERVAL_MS: Final = 200
_RAM: Final = re.compile(r"\bRAM (\d+)/(\d+)MB")
_GPU: Final = re.compile(r"\bGR3D_FREQ (\d+)%")
_POWER: Final = re.compile(r"\b(V(?:DD|IN)_?\w*) (\d+)(?:mW)?/\d+")
"""The first number is of the moment, the second the mean since tegrastats began."""
_TEMPERATURE: Final = re.compile(r"\b(\w+)@(-?\d+(?:\.\d+)?)C\b")
OFF_C: Final = -200.0
"""A sensor of a part without power shows -256."""


@contextmanager
def watching() -> Iterator[dict[str, float]]:
    """Run ``tegrastats`` alongside.

    Yields:
        A dict that holds the medians (see ``medians``) once the block has ended; it stays empty on
        other machines.
    """
    found: dict[str, float] = {}
    if shutil.which(TOOL) is None:
        yield found
        return
    with tempfile.TemporaryFile("w+") as output:
        tool = subprocess.Popen([TOOL, "--interval", str(INTERVAL_MS)], stdout=output)
        try:
            yield found
        finally:
            tool.terminate()
            tool.wait()
            output.seek(0)
            found.update(medians(output.read()))


def medians(text: str) -> dict[str, float]:
    """Return the median of each quantity over the lines of ``tegrastats``, as ``parse`` names it.

    Lines that show nothing known are passed over.
    """
    seen: dict[str, list[float]] = {}
    for line in text.splitlines():
        for name, value in parse(line).items():
            seen.setdefault(name, []).append(value)
    return {name: median(values) for name, values in seen.items()}


def parse(line: str) -> dict[str, float]:
    """Read one line.

    Returns:
        ``ram_mb`` and ``ram_total_mb`` of the whole machine, ``gpu_percent``, ``<rail>_mw`` and
        ``<sensor>_c``, lower-case; each where the line shows it.
    """
    values: dict[str, float] = {}
    if match := _RAM.search(line):
        values |= {"ram_mb": float(match[1]), "ram_total_mb": float(match[2])}
    if match := _GPU.search(line):
        values["gpu_percent"] = float(match[1])
    for rail, milliwatts in _POWER.findall(line):
        values[f"{rail.lower()}_mw"] = float(milliwatts)
    for sensor, celsius in _TEMPERATURE.findall(line):
        if float(celsius) > OFF_C:
            values[f"{sensor.lower()}_c"] = float(celsius)
    return values
