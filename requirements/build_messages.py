"""Generates our messages against the ROS 2 wheels and installs the package into their environment.

    python build_messages.py PREFIX BUILD_DIR

The output of CMake is shown only when it fails.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(prefix: Path, build: Path) -> int:
    """Configure, build and install; return the exit status."""
    prefix = prefix.resolve()
    configure = [
        *("cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
        f"-DCMAKE_PROJECT_INCLUDE={ROOT / 'cmake' / 'wheel_prefix.cmake'}",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DPython3_EXECUTABLE={prefix / 'bin' / 'python'}",
        f"-DCMAKE_PREFIX_PATH={prefix}",
        "-DAMENT_CMAKE_SYMLINK_INSTALL=1",
        "-DBUILD_TESTING=OFF",
        "-Wno-dev",
        "--fresh",
    ]
    for command in (configure, ["cmake", "--build", str(build), "--target", "install"]):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            print(result.stdout, result.stderr, sep="\n", file=sys.stderr)
            print(f"error: building the messages failed: {' '.join(command)}", file=sys.stderr)
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
