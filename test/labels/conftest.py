# SPDX-License-Identifier: Apache-2.0
"""A folder for sets, beside files that must survive."""

import pytest
from hostile_sets import VICTIM


@pytest.fixture
def home(tmp_path):
    """A folder with a file that must survive, beside the sets."""
    (tmp_path / "victim").mkdir()
    for name in ("a.jpg", "000.png", "secret.txt"):
        (tmp_path / "victim" / name).write_bytes(VICTIM)
    yield tmp_path
    found = {path.name: path.read_bytes() for path in (tmp_path / "victim").iterdir()}
    assert found == dict.fromkeys(("a.jpg", "000.png", "secret.txt"), VICTIM)
