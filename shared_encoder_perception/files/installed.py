# SPDX-License-Identifier: Apache-2.0
"""Files of this package that are no code, and the version that one of them tells.

They stand beside the code in the source tree, and in ``share/shared_encoder_perception`` where
``pip install``, colcon or ``make setup`` put them. ``package.xml`` is one: the only place where the
version of this package is written.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGE: Final = "shared_encoder_perception"
UNKNOWN: Final = "unknown"
"""Version of code that was copied without its ``package.xml``."""
OF_A_NODE: Final = ("rclpy", f"{PACKAGE}.msg")
"""Modules that every node needs. ``pip install`` brings neither: a compiler makes messages."""
ROS: Final = "`make setup` in the source tree, or build with colcon and source the workspace"
"""What brings them."""


def places(name: str) -> list[Path]:
    """Return where a file or folder of this package may stand, the likeliest first.

    Args:
        name: Its path in the source tree, such as ``"config/fastdds_profile.xml"``.
    """
    shares = [parent / "share" / PACKAGE for parent in Path(__file__).parents]
    tree = Path(__file__).resolve().parents[2]
    return [folder / name for folder in (tree, *shares, Path(sys.prefix) / "share" / PACKAGE)]


def beside_the_code(name: str) -> Path:
    """Return the path of a file or folder of this package that is there.

    Raises:
        FileNotFoundError: It is nowhere; the message names the places.
    """
    looked = places(name)
    for path in looked:
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{name} of {PACKAGE} was not found; looked for {', '.join(map(str, looked))}: install the "
        "package by pip or colcon, or run it in its source tree"
    )


def lacks_ros() -> str | None:
    """Return what a node lacks here and what to do, ``None`` if it can start."""
    for name in OF_A_NODE:
        if find_spec(name) is None:
            return f"{name!r}, which is not installed: {ROS}"
    return None


def version() -> str:
    """Return the version that ``package.xml`` says, ``UNKNOWN`` where there is none."""
    try:
        text = beside_the_code("package.xml").read_text("utf-8")
    except FileNotFoundError:
        return UNKNOWN
    found = re.search(r"<version>([^<]+)</version>", text)
    return found[1] if found else UNKNOWN


VERSION: Final = version()
"""Of this package; ``pyproject.toml`` takes it from here."""
