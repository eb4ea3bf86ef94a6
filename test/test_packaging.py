# SPDX-License-Identifier: Apache-2.0
"""Wheel and source archive hold what they must and nothing else, and one file tells the version.

They are built from a copy of the source tree with stand-ins for large files: names are what counts.
``make check-package`` builds the real ones, installs each into an empty environment and runs it.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from doc_pages import anchors, links

from shared_encoder_perception.__main__ import NODE_COMMANDS, main
from shared_encoder_perception.files import installed
from shared_encoder_perception.node.entry import start

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "shared_encoder_perception"
FOLDERS = (
    *(".ci", ".github", "cmake", "config", "docs", "examples", "launch", "msg", "requirements"),
    *("scripts", "test"),
)
SHARED = ("config", "examples", "launch", "msg")
"""What colcon installs beside the code, and the wheel, too."""
FILES = (
    *(".dockerignore", ".gitignore", "CHANGELOG.md", "CITATION.cff", "CMakeLists.txt"),
    *("CONTRIBUTING.md", "Containerfile", "Containerfile.ros2", "LICENSE", "MANIFEST.in"),
    *("Makefile", "README.md", "package.xml", "pyproject.toml", "setup.py"),
)
LITTER = (
    *("runs/long/last.ckpt", "demo_output/overlay.mp4", ".venv/bin/python", "build/lib/old.py"),
    *(f"{PACKAGE}/__pycache__/spec.pyc", f"{PACKAGE}/spec.py.orig", "test/__pycache__/a.pyc"),
    *("config/training/.smoke.yaml.swp", "config/perception.yaml~", "notes.txt"),
)
"""What lies about in a source tree that was used."""
LARGE = 100_000
"""Bytes of a file from which on its first ones stand for it."""
VERSION = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
BUILD = """
import sys, setuptools.build_meta as build
print(getattr(build, f"build_{sys.argv[1]}")(sys.argv[2]))
"""


def sources():
    """Yield the files of the source tree, by their paths in it."""
    yield from FILES
    for folder in (*FOLDERS, PACKAGE):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(ROOT))


def build(kind, source, out):
    """Make one of the two of a source tree, as ``python -m build --no-isolation`` does."""
    command = [sys.executable, "-c", BUILD, kind, str(out)]
    result = subprocess.run(command, cwd=source, capture_output=True, text=True, env=os.environ)
    assert result.returncode == 0, result.stderr
    return out / result.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the source archive of a littered tree, the files in it, and the wheel made of it."""
    pytest.importorskip("setuptools", minversion="77", reason="builds wheels")
    place = tmp_path_factory.mktemp("built")
    for name in sources():
        copy = place / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
        if copy.stat().st_size > LARGE:
            os.truncate(copy, 1000)
    for name in LITTER:
        (place / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "tree" / name).write_text("litter")
    archive = build("sdist", place / "tree", place)
    with tarfile.open(archive) as opened:
        opened.extractall(place / "unpacked", filter="data")
    (source,) = (place / "unpacked").iterdir()
    files = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    return archive, files, build("wheel", source, place)


def test_the_source_archive_is_the_source_tree(built):
    made = {"PKG-INFO", "setup.cfg"}
    ours = {name for name in built[1] - made if ".egg-info/" not in name}
    assert ours == set(sources())


def test_the_wheel_of_the_source_archive_holds_code_models_and_what_colcon_shares(built):
    archive, _, wheel = built
    data = f"{PACKAGE}-{VERSION}.data/data/share/{PACKAGE}/"
    expected = set()
    for name in sources():
        if name.startswith(f"{PACKAGE}/"):
            expected.add(name)
        elif name.partition("/")[0] in SHARED or name == "package.xml":
            expected.add(data + name)
    info = f"{PACKAGE}-{VERSION}.dist-info/"
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if not name.startswith(info)} == expected
    assert f"{info}licenses/LICENSE" in names
    assert archive.name == f"{PACKAGE}-{VERSION}.tar.gz"
    assert wheel.name == f"{PACKAGE}-{VERSION}-py3-none-any.whl"


def test_the_wheel_tells_the_version_of_package_xml_and_brings_no_torch(built):
    *_, wheel = built
    opened = zipfile.ZipFile(wheel)
    told = Parser().parsestr(opened.read(f"{PACKAGE}-{VERSION}.dist-info/METADATA").decode())
    assert told["Version"] == VERSION
    assert told["License-Expression"] == "Apache-2.0"
    needed = [one for one in told.get_all("Requires-Dist") if "extra ==" not in one]
    assert any(one.startswith("onnxruntime") for one in needed)
    assert not any(one.startswith(("torch", "ros-")) for one in needed)
    start = opened.read(f"{PACKAGE}-{VERSION}.dist-info/entry_points.txt").decode()
    assert f"{PACKAGE} = {PACKAGE}.__main__:main" in start


def test_the_command_tells_the_version_of_package_xml():
    command = [sys.executable, "-m", PACKAGE, "--version"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == f"{PACKAGE} {VERSION}\n"


@pytest.mark.parametrize("command", NODE_COMMANDS)
def test_without_ros_a_command_says_so_before_it_begins(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(installed, "OF_A_NODE", ("no_such_ros",))
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: `{command}` needs 'no_such_ros', which is not installed")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_ros_the_node_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(installed, "OF_A_NODE", ("no_such_ros",))
    assert start("shared_encoder_perception.node.perception_node") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: the node needs 'no_such_ros'") and said.count("\n") == 1


def test_the_version_is_written_once():
    """Others are told it: by ``pyproject.toml``, and by every module that imports it."""
    written = f'"{VERSION}"'
    found = [path for path in (ROOT / PACKAGE).rglob("*.py") if written in path.read_text()]
    assert [path.name for path in found if path.name != "export.py"] == [], "a model's is its own"
    assert written not in (ROOT / "pyproject.toml").read_text()


def test_what_colcon_shares_is_what_the_wheel_shares():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    shared = re.search(r"install\(DIRECTORY ([\w ]+) DESTINATION share", cmake).group(1).split()
    assert {*shared, "msg"} == set(SHARED), "msg is installed by rosidl_generate_interfaces"
    project = re.search(r"^project\((\w+)(.*)\)", cmake, re.MULTILINE)
    assert project.groups() == (PACKAGE, ""), "the version stands in package.xml alone"


def copied(text):
    """Yield each source of a ``COPY`` that comes from the build's folder."""
    for words in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        if not words.startswith("--from"):
            yield from words.split()[:-1]


@pytest.mark.parametrize("name", ["Containerfile", "Containerfile.ros2"])
def test_a_container_copies_and_makes_what_exists(name):
    text = (ROOT / name).read_text()
    assert list(copied(text))
    ignored = (ROOT / ".dockerignore").read_text().split()
    for path in copied(text):
        assert (ROOT / path).exists() and path not in ignored, path
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    for target in re.findall(r"\bmake ([\w./-]+)$", text, re.MULTILINE):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target
    for file in re.findall(rf"-r src/{PACKAGE}/(\S+)", text):
        assert (ROOT / file).is_file(), file
    for module in re.findall(rf"python3? -m ({PACKAGE}[\w.]*)", text):
        assert importlib.util.find_spec(module), module
    for file in re.findall(
        rf"ros2 launch {PACKAGE} (\S+)", text.replace('", "', " ").replace('"]', "")
    ):
        assert (ROOT / "launch" / file).is_file(), file


@pytest.mark.parametrize("name", ["Containerfile", "Containerfile.ros2"])
def test_a_container_runs_as_a_user_without_rights(name):
    last = (ROOT / name).read_text().rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert users and users[-1] not in ("root", "0")
    assert last.index("\nUSER ") < last.index("\nCMD ")


def test_links_of_the_page_for_contributors_lead_somewhere():
    targets = links((ROOT / "CONTRIBUTING.md").read_text())
    assert "docs/house.md#a-task" in targets
    for file, _, anchor in (target.partition("#") for target in targets):
        assert (ROOT / file).exists(), file
        assert not anchor or anchor in anchors((ROOT / file).read_text()), anchor


def test_the_citation_is_complete_and_tells_no_version_of_its_own():
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license"} <= set(told)
    assert told["license"] == "Apache-2.0"
    assert "version" not in told, "it would be a second place to write it"


def test_public_ci_runs_what_ours_runs():
    text = (ROOT / ".github" / "workflows" / "ci.yaml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run", "").strip() for step in jobs["test"]["steps"]]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for used in [step["uses"] for step in steps if "uses" in step]:
        assert re.search(r"@[0-9a-f]{40}$", used), f"{used} is not pinned"
    assert "secrets." not in text
