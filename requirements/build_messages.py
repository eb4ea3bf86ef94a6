# SPDX-License-Identifier: Apache-2.0
"""Generates our messages against the ROS 2 wheels and installs the package into their environment.

    .venv/bin/python requirements/build_messages.py .venv

Everything is linked, not copied, and our Python is left where it is: a line in a .pth file puts
this source tree on the path, so no file can be stale. CMake's output is shown only when it fails.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "shared_encoder_perception"


def build_folder(prefix: Path) -> Path:
    """Return a folder named after the definitions: a removed message leaves nothing behind."""
    sources = [ROOT / "CMakeLists.txt", ROOT / "package.xml", *sorted((ROOT / "msg").iterdir())]
    text = b"".join(path.name.encode() + path.read_bytes() for path in sources)
    return prefix / f"messages-{hashlib.sha256(text).hexdigest()[:12]}"


def build(prefix: Path, folder: Path) -> None:
    """Configure and build in ``folder``, install into ``prefix``, forget other builds."""
    _run(
        *("cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", "--fresh", "-Wno-dev"),
        f"-DCMAKE_PROJECT_INCLUDE={ROOT / 'cmake' / 'wheel_prefix.cmake'}",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DPython3_EXECUTABLE={prefix / 'bin' / 'python'}",
        "-DAMENT_CMAKE_SYMLINK_INSTALL=1",
        "-DBUILD_TESTING=OFF",
    )
    _run("cmake", "--build", str(folder))
    shutil.rmtree(_installed(), ignore_errors=True)
    _run("cmake", "--install", str(folder))
    for other in set(prefix.glob("messages-*")) - {folder}:
        shutil.rmtree(other)


def use_source_tree() -> None:
    """Remove the links to our Python except ``__init__``, which joins messages and source."""
    source = ROOT / PACKAGE
    for name in {"__pycache__", *(item.name for item in source.iterdir())}:
        installed = _installed() / name
        if installed.is_dir():
            shutil.rmtree(installed)
        else:
            installed.unlink(missing_ok=True)
    (_installed() / "__init__.py").symlink_to(source / "__init__.py")
    _installed().with_suffix(".pth").write_text(f"{ROOT}\n")


def _installed() -> Path:
    """Return the folder of our package in the environment."""
    return Path(sysconfig.get_path("purelib")) / PACKAGE


def _run(*command: str) -> None:
    """Run a command with the environment's tools first; end with its output when it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if result.returncode:
        print(result.stdout, result.stderr, sep="\n", file=sys.stderr)
        sys.exit(f"error: building the messages failed: {' '.join(command)}")


if __name__ == "__main__":
    environment = Path(sys.argv[1]).resolve()
    build(environment, build_folder(environment))
    use_source_tree()
