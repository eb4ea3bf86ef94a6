# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: one version, messages that agree with the code, locked dependencies."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shared_encoder_perception import libraries
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneStatus

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_one_version():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    version = package.findtext("version")
    project = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project and '\nversion = "' not in project
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_package_xml_says_what_it_is():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.get("format") == "3"
    assert package.findtext("license") == "Apache-2.0"
    assert package.findtext("member_of_group") == "rosidl_interface_packages"


def test_every_message_is_generated():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    for path in (ROOT / "msg").glob("*.msg"):
        assert f"msg/{path.name}" in cmake


def test_message_constants_equal_ours():
    text = (ROOT / "msg" / "LaneLine.msg").read_text()
    constants = dict(re.findall(r"^uint8 (\w+) = (\d+)", text, re.MULTILINE))
    ours = {item.name: str(int(item)) for kind in (LaneId, LaneStatus) for item in kind}
    assert constants == ours


def test_every_message_field_is_explained():
    """A field without a comment on its line, or continued above, would be a riddle in a bag."""
    for path in (ROOT / "msg").glob("*.msg"):
        for line in path.read_text().splitlines():
            is_field = re.match(r"^[\w/]+(\[\])? [a-z]\w*( |$)", line)
            assert not is_field or "#" in line or line.startswith("string[] tasks"), line


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_is_pinned_and_hashed_and_names_no_host(path):
    text = path.read_text()
    pins = re.findall(r"^([a-z0-9][\w.\-\[\]]*)==\S+", text, re.MULTILINE)
    assert pins
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert "==" in block.split("\n")[0]
        assert "--hash=sha256:" in block
    assert "://" not in text


NO_WHEEL = {"empy", "tensorrt-rtx-cu12"}
"""Exist as source archives alone."""


def test_nothing_is_built_by_tools_that_are_not_pinned():
    """Wheels alone are installed, but for two, which are built with what has hashes, too."""
    makefile = (ROOT / "Makefile").read_text()
    wheels = re.search(r"^WHEELS := (.*)$", makefile, re.MULTILINE).group(1)
    assert wheels.startswith("--only-binary :all:")
    assert set(re.findall(r"--no-binary (\S+)", wheels)) == NO_WHEEL
    installing = re.search(r"^install = (.*(?:\n  .*)*)", makefile, re.MULTILINE).group(1)
    for option in ("$(WHEELS)", "--require-hashes", "--build-constraints"):
        assert option in installing
    for line in re.findall(r"^\t.*pip install.*$", makefile, re.MULTILINE):
        assert "--only-binary :all:" in line and "--require-hashes" in line
    assert {"setuptools", "wheel"} <= {pin.split("==")[0] for pin in pins("build_tools.txt")}


def test_the_environment_of_a_ros_installation_takes_what_is_stated():
    """``requirements/with_ros.in`` is what people install; it must not bring numpy 2."""
    text = (ROOT / "requirements" / "with_ros.in").read_text()
    lines = re.findall(r"^([\w-]+)((?:>=|==)[\d.]+)(,<[\d.]+)?", text, re.MULTILINE)
    stated = {name: (bound.lstrip(">="), below) for name, bound, below in lines}
    assert stated == {
        name: (oldest, libraries.BELOW.get(name, "")) for name, oldest in libraries.OLDEST.items()
    }


def pins(name):
    """Return ``name==version`` of a lock; a name has several where Python versions differ."""
    text = (ROOT / "requirements" / name).read_text()
    return set(re.findall(r"^[a-z0-9][^\s=]*==\S+", text, re.MULTILINE))


def test_test_set_agrees_with_the_runtime_set():
    """What the tests see must be what the users run."""
    assert len(pins("run.txt")) > 50
    assert pins("run.txt") - pins("test.txt") == set()


def test_runtime_set_has_no_torch():
    names = re.findall(r"^([\w.\-]+)==", (ROOT / "requirements" / "run.txt").read_text(), re.M)
    assert "onnxruntime" in names
    assert not {"torch", "timm", "lightning"} & set(names)


def test_fast_dds_profile_has_room_for_images():
    root = ElementTree.parse(ROOT / "config" / "fastdds_profile.xml").getroot()
    space = {"dds": root.tag.partition("}")[0].strip("{")}
    assert int(root.findtext(".//dds:segment_size", namespaces=space)) >= 16 * 2**20
    assert int(root.findtext(".//dds:maxMessageSize", namespaces=space)) >= 1280 * 720 * 3


def test_messages_and_modules_live_in_one_process():
    """The generated package and ours have one name; both orders must work."""
    pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")
    for names in (("msg", "predictor"), ("predictor", "msg")):
        code = "; ".join(f"import shared_encoder_perception.{name}" for name in names)
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


@pytest.mark.parametrize("name", ["perception", "replay", "surround"])
def test_launch_files_declare_described_arguments(name):
    path = ROOT / "launch" / f"{name}.launch.py"
    tree = ast.parse(path.read_text())
    assert "generate_launch_description" in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is not installed: needs a full ROS 2; checked as far as syntax")
    spec = importlib.util.spec_from_file_location(f"{name}_launch", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = module.generate_launch_description().get_launch_arguments()
    assert {argument.name for argument in arguments} == set(module.ARGUMENTS)
    assert all(argument.description for argument in arguments)


def test_a_replay_is_launched_by_the_active_environment(tmp_path, monkeypatch):
    """By its text: ROS's launch is not installed everywhere."""
    tree = ast.parse((ROOT / "launch" / "replay.launch.py").read_text())
    chosen = next(node for node in tree.body if getattr(node, "name", None) == "python")
    space = {"os": os, "sys": sys, "Path": Path}
    exec(compile(ast.Module([chosen], []), "replay.launch.py", "exec"), space)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert space["python"]() == sys.executable
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    assert space["python"]() == sys.executable, "gone"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").touch()
    assert space["python"]() == str(tmp_path / "bin" / "python3")


CHECK = ROOT / "requirements" / "check_system.py"


def test_set_up_check_passes_here_or_names_packages():
    result = subprocess.run([sys.executable, CHECK], capture_output=True, text=True)
    if result.returncode:
        assert "apt-get install" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_set_up_check_names_a_missing_compiler(tmp_path):
    result = subprocess.run(
        [sys.executable, CHECK], capture_output=True, text=True, env={"PATH": str(tmp_path)}
    )
    assert result.returncode == 1
    assert "lacks a C++ compiler" in result.stderr
    assert "sudo apt-get install g++" in result.stderr
    assert len(result.stderr.splitlines()) == 1
