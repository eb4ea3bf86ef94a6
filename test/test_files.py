# SPDX-License-Identifier: Apache-2.0
"""The house rules that a machine can check."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("shared_encoder_perception", "test", "launch", "examples")
SOURCES = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))
MAX_LINES = 300


def test_files_stay_readable():
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in SOURCES}
    long = {path: count for path, count in lines.items() if count > MAX_LINES}
    assert not long, "split them along the data flow"


def test_init_holds_the_two_lines_only():
    """ROS generates a package of the same name; either __init__ may win."""
    text = (ROOT / "shared_encoder_perception" / "__init__.py").read_text()
    code = text.split('"""')[2].split("\n")
    assert [line for line in code if line] == [
        "from pkgutil import extend_path",
        "__path__ = extend_path(__path__, __name__)",
    ]
