# SPDX-License-Identifier: Apache-2.0
"""Paths from files: TUM's format and CSV say the same, and a wrong line is named."""

import numpy as np
import pytest

from shared_encoder_perception.adapt.path_file import read_path
from shared_encoder_perception.adapt.trajectory import PathError

TUM = """# stamp tx ty tz qx qy qz qw
1700000000.123456789 1 2 0.5 0 0 0 1
1700000000.223456789 2 2 0.5 0 0 0.7071067811865476 0.7071067811865476  # to the left

"""
CSV = """speed,qw,qx,qy,qz,tx,ty,tz,stamp
3,1,0,0,0,1,2,0.5,1700000000.123456789
3,0.7071067811865476,0,0,0.7071067811865476,2,2,0.5,1700000000.223456789
"""


@pytest.mark.parametrize(("name", "text"), [("path.txt", TUM), ("path.csv", CSV)])
def test_both_formats_say_the_same_to_the_nanosecond(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    first, second = read_path(tmp_path / name)
    assert first[0] == 1_700_000_000_123_456_789
    assert second[0] - first[0] == 100_000_000
    assert first[1].shift.tolist() == [1, 2, 0.5]
    assert np.allclose(second[1].rotation[:, 0], (0, 1, 0))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "1 2 3\n", r"a\.txt, line 1 has 3 numbers, expected stamp tx"),
        ("a.txt", "1 0 0 0 0 0 0 1\n2 0 0 x 0 0 0 1\n", r"line 2: could not convert"),
        ("a.txt", "1 0 0 0 0 0 0 0\n", r"line 1: the transform's quaternion"),
        ("a.txt", "nan 0 0 0 0 0 0 1\n", r"line 1: "),
        ("a.csv", "stamp,tx\n1,2\n", r"has no column ty, tz, qx"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(PathError, match=told):
        read_path(tmp_path / name)


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PathError, match="is no text"):
        read_path(tmp_path / "a.txt")
