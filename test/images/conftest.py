# SPDX-License-Identifier: Apache-2.0
"""Sound bags to be damaged: a copy for each test."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A sound bag of each storage plugin, to be copied."""
    from bag_damage import MCAP, SQLITE, bag_of

    folder = tmp_path_factory.mktemp("sound")
    return {plugin: bag_of(folder / plugin.name, plugin) for plugin in (MCAP, SQLITE)}


@pytest.fixture
def mcap(sound, tmp_path):
    from bag_damage import MCAP

    return Path(shutil.copytree(sound[MCAP], tmp_path / "bag"))


@pytest.fixture
def sqlite(sound, tmp_path):
    from bag_damage import SQLITE

    return Path(shutil.copytree(sound[SQLITE], tmp_path / "bag"))
