# SPDX-License-Identifier: Apache-2.0
"""Names in one line what the system lacks, before anything is built. Standard library only."""

import platform
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

SUPPORTED = ((3, 10), (3, 13))


def missing() -> list[tuple[str, str]]:
    """Return what is missing, each with its Debian package."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = []
    if not any(shutil.which(compiler) for compiler in ("g++", "c++", "clang++")):
        found.append(("a C++ compiler", "g++"))
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        found.append((f"the headers of Python {version}", f"python{version}-dev"))
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        found.append((f"venv of Python {version}", f"python{version}-venv"))
    return found


def main() -> str | None:
    """Return what to tell the user, or ``None`` when all is there."""
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        return (
            f"error: Python {platform.python_version()} is not supported, 3.10 to 3.13 are: choose "
            "another interpreter, for example `make PYTHON=python3.12 ...`"
        )
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return (
            f"error: ROS 2 comes as Python wheels for Linux x86_64 only, this is "
            f"{platform.system()} {platform.machine()}: install ROS 2 and use `colcon build` "
            "(README, with ROS 2)"
        )
    lacking = missing()
    if lacking:
        return (
            f"error: this system lacks {', '.join(what for what, _ in lacking)}. Install with: "
            f"sudo apt-get install {' '.join(package for _, package in lacking)}"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
