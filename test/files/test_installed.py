# SPDX-License-Identifier: Apache-2.0
"""What stands beside the code is found in the source tree and where the package is installed."""

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shared_encoder_perception.files import installed

ROOT = Path(__file__).resolve().parents[2]
ASK = "from shared_encoder_perception.files import installed; print(installed.VERSION)"


def test_the_version_is_that_of_package_xml():
    told = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    assert told == installed.VERSION == installed.version()


@pytest.mark.parametrize("name", ["package.xml", "msg", "config/fastdds_profile.xml"])
def test_files_of_the_source_tree_are_found(name):
    assert installed.beside_the_code(name) == ROOT / name


def test_what_is_nowhere_is_named_with_the_places():
    with pytest.raises(FileNotFoundError, match=r"tea\.yaml of .* was not found"):
        installed.beside_the_code("config/tea.yaml")


def asked(site):
    """Run the code of a folder that stands for ``site-packages``, and return what it says."""
    code = site / "shared_encoder_perception"
    (code / "files").mkdir(parents=True)
    for name in ("__init__.py", "files/__init__.py", "files/installed.py"):
        shutil.copy(ROOT / "shared_encoder_perception" / name, code / name)
    command = [sys.executable, "-S", "-c", ASK]
    result = subprocess.run(command, cwd=site, capture_output=True, text=True, check=True, env={})
    return result.stdout.strip()


def test_installed_code_reads_the_version_of_its_own_prefix(tmp_path):
    share = tmp_path / "share" / "shared_encoder_perception"
    share.mkdir(parents=True)
    (share / "package.xml").write_text("<package><version>7.8.9</version></package>")
    assert asked(tmp_path / "lib" / "python3" / "site-packages") == "7.8.9"


def test_code_that_was_copied_alone_runs_and_knows_no_version(tmp_path, monkeypatch):
    """As on a vehicle that got the folder by hand: models are read all the same."""
    monkeypatch.setattr(installed, "places", lambda name: [tmp_path / name])
    assert installed.version() == installed.UNKNOWN


def test_what_a_node_lacks_is_named_with_what_brings_it(monkeypatch):
    monkeypatch.setattr(installed, "OF_A_NODE", ("json", "no_such_ros"))
    told = installed.lacks_ros()
    assert told is not None and told.startswith(
        "'no_such_ros', which is not installed: `make setup`"
    )
    monkeypatch.setattr(installed, "OF_A_NODE", ("json",))
    assert installed.lacks_ros() is None
