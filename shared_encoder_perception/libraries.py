# SPDX-License-Identifier: Apache-2.0
"""The oldest libraries that do: those of Ubuntu 24.04, where it has them.

``pyproject.toml`` and ``package.xml`` state the same, and ``make test-ubuntu-24.04`` runs the tests
with exactly these.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Final

OLDEST: Final[Mapping[str, str]] = MappingProxyType(
    {
        "av": "14",
        "jinja2": "3.1",
        "matplotlib": "3.6",
        "numpy": "1.26",
        "onnx": "1.17",
        "onnxruntime": "1.20",
        "opencv-python-headless": "4.6",
        "pillow": "10",
        "pyyaml": "6",
        "rosbags": "0.11.9",
        "tqdm": "4.66",
    }
)
"""Package -> the oldest release that does."""
ALWAYS: Final = ("numpy", "opencv-python-headless", "onnx", "onnxruntime")
"""What nothing runs without."""
REPORT_LIBRARIES: Final = ("jinja2", "matplotlib")
"""What reports and their charts are made with."""
MODULES: Final = {"opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml"}
"""Package -> what it is imported as, where that is another name."""
BROUGHT: Final = {
    "markupsafe": "jinja2",
    **dict.fromkeys(("backports", "compression", "lz4", "ruamel"), "rosbags"),
}
"""Module that comes with a package of another name."""
USED: Final = {"matplotlib": "matplotlib.figure"}
"""Package -> its module that others fail to load with another numpy."""
SELF_TOLD: Final = ("numpy", "opencv-python-headless")
"""Asked for their release themselves: no package manager of Python knows Ubuntu's OpenCV."""
NAMES: Final = {"opencv-python-headless": "OpenCV"}
BELOW: Final = {"numpy": ",<2", "opencv-python-headless": ",<4.12"}
"""What ROS 2's messages and other compiled packages of Ubuntu were built for; OpenCV's wheels from
4.12 on want numpy 2."""
WHERE: Final = "in a virtual environment, see `With ROS 2` in docs/use.md"


class UnfitError(ImportError):
    """A library that is there and does not do; the message says why, and what to do."""


def check(*packages: str) -> None:
    """Check libraries that are there; those that are missing are for their users to name.

    Args:
        packages: Of ``OLDEST``; ``ALWAYS`` if none is given.

    Raises:
        UnfitError: One is too old, or built for another numpy.
    """
    old = {
        package: release
        for package in packages or ALWAYS
        if (release := _release(package)) and is_older(release, OLDEST[package])
    }
    if old:
        what = "; ".join(
            f"{NAMES.get(package, package)} {release} is too old, expected {OLDEST[package]} or "
            "newer"
            for package, release in old.items()
        )
        raise UnfitError(f"{what}: {advice(*old)}")


def missing(*packages: str) -> str | None:
    """Return why some of these packages cannot be used and what to do; ``None`` if all can.

    They are imported: a compiled one may be there and fit no other.
    """
    absent = []
    for package in packages:
        try:
            import_module(USED.get(package) or MODULES.get(package, package))
        except ModuleNotFoundError:
            absent.append(package)
        except ImportError as error:
            return _why(package, error)
    if absent:
        is_not = "is not installed" if len(absent) == 1 else "are not installed"
        return f"{' and '.join(absent)} {is_not}: {advice(*absent)}"
    try:
        check(*packages)
    except UnfitError as error:
        return str(error)
    return None


def can_write(what: str, *packages: str) -> bool:
    """Whether the libraries for a picture, a video or a report are there; without, it is a warning.

    To be asked before the work, which goes on without: its numbers are worth more than its looks.

    Args:
        what: Is left out otherwise, e.g. ``"the report"``.
        packages: That it is made with.
    """
    reason = missing(*packages)
    if reason:
        print(f"warning: {what} is left out: {reason}", file=sys.stderr)
    return reason is None


def advice(*packages: str) -> str:
    """Return what to do to have these packages of ``OLDEST``."""
    bounds = (f"'{package}>={OLDEST[package]}{BELOW.get(package, '')}'" for package in packages)
    return f"pip install {' '.join(bounds)} ({WHERE})"


def package_of(module: str) -> str | None:
    """Return the package of ``OLDEST`` that has a module, ``None`` for others'."""
    top = module.partition(".")[0]
    top = BROUGHT.get(top, top)
    return next((name for name in OLDEST if MODULES.get(name, name) == top), None)


def is_older(release: str, than: str) -> bool:
    """Whether a release such as ``"4.5.4-dev"`` is older than another one."""
    return _numbers(release) < _numbers(than)


def _numbers(release: str) -> tuple[int, ...]:
    """Return the first three numbers of a release."""
    numbers = [int(number) for number in re.findall(r"\d+", release)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _release(package: str) -> str | None:
    """Return which release of a package is there, ``None`` if none is.

    Raises:
        UnfitError: It cannot be imported.
    """
    try:
        if package in SELF_TOLD:
            return str(import_module(MODULES.get(package, package)).__version__)
        return version(package)
    except (PackageNotFoundError, ModuleNotFoundError):
        return None
    except ImportError as error:
        raise UnfitError(_why(package, error)) from error


def _why(package: str, error: ImportError) -> str:
    """Say why a library that is there cannot be imported, as far as that can be known."""
    name, reason = NAMES.get(package, package), " ".join(str(error).split())
    if package == "numpy" or not any(word in reason for word in ("numpy", "_ARRAY_API")):
        return f"{name} cannot be imported: {reason}"
    release = import_module("numpy").__version__
    return f"{name} was not built for numpy {release}, which is installed: {advice('numpy')}"
