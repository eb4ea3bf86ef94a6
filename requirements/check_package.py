# SPDX-License-Identifier: Apache-2.0
"""Installs wheel and source archive, each into an empty environment, and runs what they bring.

    .venv/bin/python requirements/check_package.py build/dist

The environments have what ``pip install`` brings, at the versions of ``run.txt``, no torch and no
ROS. Everything runs from another folder, so that nothing of the source tree helps.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "shared_encoder_perception"
COMMAND = ("-m", PACKAGE)
KINDS = ("*.whl", "*.tar.gz")
SHARED = "msg/LaneLine.msg", "config/perception.yaml", "launch/perception.launch.py"
LOOK = f"""
from {PACKAGE}.artifact.remote import FOLDER
from {PACKAGE}.files.installed import beside_the_code
from {PACKAGE}.images.bags import typestore
for name in {SHARED}:
    beside_the_code(name)
assert "{PACKAGE}/msg/LaneLine" in typestore().fielddefs
print(*sorted(path.stem for path in FOLDER.glob("*.onnx")))
"""
"""Messages, configs, launch files and models are found; bags of ours can be read."""


def check(archive: Path, folder: Path) -> None:
    """Install an archive into an empty environment in ``folder``, and run it there.

    Raises:
        SystemExit: Something is not as it must be; the message says what.
    """
    python = folder / "env" / "bin" / "python"
    ours = ("--no-binary", PACKAGE) if archive.suffix != ".whl" else ()
    _uv("venv", "-q", "--python", sys.executable, str(folder / "env"))
    _uv(
        *("pip", "install", "-q", "--python", str(python), str(archive)),
        *("--constraint", str(ROOT / "requirements" / "run.txt")),
        *("--build-constraints", str(ROOT / "requirements" / "build_tools.txt")),
        *("--only-binary", ":all:", *ours),
    )
    version = re.search(r"<version>(.+)</version>", (ROOT / "package.xml").read_text())[1]
    told = _run(folder, python.with_name(PACKAGE), "--version")
    _expect(told == f"{PACKAGE} {version}", f"--version says {told!r}, package.xml {version!r}")
    models = _run(folder, python, "-c", LOOK).split()
    _expect("default" in models, f"the shipped models are {models}")
    for lacking in ("torch", "rclpy"):
        found = _run(folder, python, "-c", f"import {lacking}", may_fail=True)
        _expect("ModuleNotFoundError" in found, f"{lacking} is installed: this proves nothing")
    _run(folder, python, *COMMAND, "dataset", "render", "--out", "set", "--count", "2")
    picture = ("--input", "set/frames.jsonl", "--out", "result", "--model", "shipped:default")
    _run(folder, python, *COMMAND, "predict", *picture)
    lines = (folder / "result" / "predictions.jsonl").read_text().splitlines()
    seen = [sum(lane is not None for lane in json.loads(line)["lanes"].values()) for line in lines]
    _expect(len(lines) == 2 and sum(seen) > 0, f"lanes found on two rendered pictures: {seen}")
    refused = _run(folder, python, *COMMAND, "demo", may_fail=True)
    _expect("error: `demo` needs" in refused and "\n" not in refused, f"demo says {refused!r}")
    print(f"{archive.name}: models {' '.join(models)}; lanes on two pictures {seen}; {refused}")


def _run(folder: Path, *command: object, may_fail: bool = False) -> str:
    """Run a command in ``folder``, and return what it says; end where it fails and must not."""
    result = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LANG": "C.UTF-8"},
    )
    said = (result.stdout + (result.stderr if may_fail else "")).strip()
    _expect(may_fail or result.returncode == 0, f"{command} failed: {result.stderr}")
    return said


def _uv(*words: str) -> None:
    """Run uv of this environment; end where it fails."""
    subprocess.run([Path(sys.executable).with_name("uv"), *words], check=True)


def _expect(condition: bool, otherwise: str) -> None:
    """End with what is wrong."""
    if not condition:
        sys.exit(f"error: {otherwise}")


if __name__ == "__main__":
    for kind in KINDS:
        (one,) = Path(sys.argv[1]).resolve().glob(kind)
        with tempfile.TemporaryDirectory() as place:
            check(one, Path(place))
