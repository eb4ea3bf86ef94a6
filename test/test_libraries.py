# SPDX-License-Identifier: Apache-2.0
"""What we import, what we say that we need, and the oldest that does: one answer everywhere."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from house import PACKAGE, imports, modules

from shared_encoder_perception import libraries

ROOT = Path(__file__).resolve().parent.parent
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()

ROSDEP_KEYS = {
    "jinja2": "python3-jinja2",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "opencv-python-headless": "python3-opencv",
    "pillow": "python3-pil",
    "pyyaml": "python3-yaml",
    "rosbags": "python3-rosbags-pip",
    "tqdm": "python3-tqdm",
}
"""Package -> its key in rosdistro's ``rosdep/python.yaml``."""
WITHOUT_KEY = {"onnx", "av"}
OF_ROS = {
    *("ament_index_python", "builtin_interfaces", "diagnostic_msgs", "geometry_msgs", "launch"),
    *("launch_ros", "lifecycle_msgs", "nav_msgs", "rcl_interfaces", "rclpy", "sensor_msgs"),
    *("std_msgs", "std_srvs", "tf2_ros", "visualization_msgs", f"{PACKAGE}.msg"),
}
HOLDS = {"tf2_ros": "tf2_ros_py", f"{PACKAGE}.msg": PACKAGE}
"""Module of ROS -> the package that has it, where that is called otherwise."""
OPTIONAL = {
    "aiohttp": "as fsspec",
    "autoware_internal_debug_msgs": "Autoware's types of latency topics, where installed",
    "fsspec": "models from stores: extras s3, gs, http",
    "cuda": "extra tensorrt",
    "nvtx": "marks for NVIDIA's profiler, where installed",
    "openvino": "extra openvino",
    "openvino.properties": "as above",
    "ray": "extra scale",
    "tf2_msgs": "transforms in bags, which are read by rosbags' own definitions",
    "vision_msgs": "the table of classes as LabelInfo, where installed",
    "tensorrt": "extra tensorrt",
    "tensorrt_rtx": "extra test-tensorrt",
    "torch": "the torch engine: extra train",
}
"""What the runtime imports when it is chosen, or there."""
OFFLINE = ("training", "continual", "model", "layers")
OFFLINE_FILES = ("head", "loss", "losses", "distill", "augment", "mask_teacher")
"""Rooms, and files of tasks' rooms, that need torch."""
TYPE = re.compile(r"""["'](\w+_msgs|builtin_interfaces)/msg/\w+["']""")
"""How a message type is named that is imported when it is needed."""


def is_runtime(module):
    """Whether a module neither trains nor needs torch."""
    parts = module.split(".")
    return parts[0] not in OFFLINE and not (parts[0] == "tasks" and parts[-1] in OFFLINE_FILES)


def others(module, source=None):
    """Return the top-level names, other than ours and Python's own, that a module needs."""
    found = {name for kind, name in imports(module, source) if kind == "others"}
    text = modules()[module] if source is None else source
    found |= set(re.findall(r"""import_module\(["'](\w+)["']\)""", text)) | set(TYPE.findall(text))
    return {name for name in found if name and name not in sys.stdlib_module_names}


def undeclared(module, source=None):
    """Return what a module of the runtime needs and neither file has."""
    packages = set(ROSDEP_KEYS) | WITHOUT_KEY
    depends = {depend.text for depend in MANIFEST if depend.tag.endswith("depend")} | {PACKAGE}
    found = set()
    for name in others(module, source) - set(OPTIONAL):
        if name in OF_ROS or name.endswith("_msgs"):
            if HOLDS.get(name, name) not in depends:
                found.add(name)
        elif (libraries.package_of(name) or name) not in packages:
            found.add(name)
    return found


def test_what_the_runtime_imports_is_declared():
    runtime = [*filter(is_runtime, modules())]
    assert runtime and not {name: found for name in runtime if (found := undeclared(name))}


@pytest.mark.parametrize("path", ["launch", "scripts", "examples"])
def test_what_is_installed_beside_it_imports_what_is_declared(path):
    for file in (ROOT / path).iterdir():
        if file.is_file():
            assert not undeclared("", file.read_text("utf-8")), file


@pytest.mark.parametrize(
    "line",
    ["import requests", "import tf2_geometry_msgs", 'KIND = "trajectory_msgs/msg/JointTrajectory"'],
)
def test_the_rule_of_imports_can_fail(line):
    assert undeclared("", line)


def depend(key):
    """Return what package.xml says of a rosdep key when the node runs."""
    return next((one for one in MANIFEST.findall("exec_depend") if one.text == key), None)


@pytest.mark.parametrize("package", libraries.OLDEST)
def test_the_oldest_release_is_the_same_everywhere(package):
    stated = re.findall(rf'^  "{package}(>=|==)([\d.]+)"', PROJECT, re.MULTILINE)
    assert {release for _, release in stated} == {libraries.OLDEST[package]}
    if package in WITHOUT_KEY:
        return
    assert depend(ROSDEP_KEYS[package]).get("version_gte") == libraries.OLDEST[package]


@pytest.mark.parametrize("package", libraries.OLDEST)
def test_the_oldest_release_is_the_one_that_is_tried(package):
    text = (ROOT / "requirements" / "ubuntu-24.04.in").read_text()
    tried = re.findall(rf"^{package}==([\d.]+)", text, re.MULTILINE)
    assert tried[0].startswith(libraries.OLDEST[package])


def test_the_maintainers_address_is_one():
    address = MANIFEST.find("maintainer").get("email")
    assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}", address)
    assert not address.endswith((".invalid", ".local", ".localhost", ".test"))


def answer(folder, code="from shared_encoder_perception import libraries; libraries.check()"):
    """Run code where the packages of a folder come first."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PATH": ""},
    )


def put(folder, module, text):
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(text)


def test_what_ubuntu_22_04_has_is_called_too_old_by_the_first_import(tmp_path):
    """A release each, as the packages tell it."""
    put(tmp_path, "numpy", '__version__ = "1.21.5"')
    put(tmp_path, "cv2", '__version__ = "4.5.4"')
    told = tmp_path / "onnxruntime-1.12.1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.12.1\n")
    line = answer(tmp_path).stderr.splitlines()[-1]
    for part in (
        "numpy 1.21.5 is too old, expected 1.26 or newer",
        "OpenCV 4.5.4 is too old, expected 4.6 or newer",
        "onnxruntime 1.12.1 is too old, expected 1.20 or newer",
        "pip install 'numpy>=1.26,<2' 'opencv-python-headless>=4.6,<4.12' 'onnxruntime>=1.20'",
        "docs/use.md",
    ):
        assert part in line


@pytest.mark.parametrize(
    "code",
    [
        "from shared_encoder_perception.__main__ import main; exit(main(['predict', '--help']))",
        "from shared_encoder_perception.node.__main__ import main; exit(main())",
    ],
    ids=["command", "node"],
)
def test_commands_and_the_node_say_it_in_one_line(tmp_path, code):
    put(tmp_path, "cv2", '__version__ = "4.5.4"')
    result = answer(tmp_path, code)
    assert result.returncode == 2
    assert result.stderr.startswith("error: OpenCV 4.5.4 is too old")
    assert result.stderr.count("\n") == 1


def test_a_library_built_for_another_numpy_is_named(tmp_path):
    """As Ubuntu's OpenCV is beside a numpy 2 that pip has brought."""
    put(tmp_path, "cv2", "raise ImportError('numpy.core.multiarray failed to import')")
    line = answer(tmp_path).stderr.splitlines()[-1]
    assert "OpenCV was not built for numpy" in line
    assert "pip install 'numpy>=1.26,<2'" in line


def test_a_library_that_cannot_be_loaded_keeps_its_own_reason(tmp_path):
    put(tmp_path, "cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")
    assert "OpenCV cannot be imported: libGL.so.1" in answer(tmp_path).stderr.splitlines()[-1]


def test_what_is_here_does():
    assert answer(ROOT).stderr == ""


@pytest.mark.parametrize(
    ("release", "than", "older"),
    [
        ("1.21.5", "1.26", True),
        ("4.10.0", "4.6", False),
        ("4.5.4-dev", "4.6", True),
        ("5.0.0", "4.6", False),
        ("1.26.0rc1", "1.26", False),
        ("14", "14.0.0", False),
    ],
)
def test_releases_are_compared_by_their_numbers(release, than, older):
    assert libraries.is_older(release, than) == older
