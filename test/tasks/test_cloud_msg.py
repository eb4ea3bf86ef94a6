# SPDX-License-Identifier: Apache-2.0
"""Clouds as drivers send them: every layout gives its points, and keeps all that it had."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.tasks.cloud_msg import (
    AXES,
    CLOUD,
    FIELD,
    NUMBERS,
    CloudMsgError,
    field_values,
    positions,
    with_fields,
)

XYZ = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


def new(kind):
    """A message of no middleware, whose bytes are as rclpy has them."""
    assert kind in (CLOUD, FIELD)
    return SimpleNamespace(data=array("B"))


def cloud(*, order="<", kind="f4", shape=(1, 6), gap=0, row_gap=0, first=0, count=1, points=XYZ):
    """A cloud with x, y, z and a ring; ``gap`` bytes between points, ``row_gap`` between rows."""
    size = np.dtype(kind).itemsize
    layout = [(name, f"{order}{kind}", first + index * size) for index, name in enumerate(AXES)]
    layout.append(("ring", f"{order}u2", first + 3 * size))
    step = first + 3 * size + 2 + gap
    fields = [
        SimpleNamespace(name=name, offset=at, datatype=NUMBERS[np.dtype(of[1:])], count=count)
        for name, of, at in layout
    ]
    names, formats, offsets = zip(*layout, strict=True)
    dtype = {"names": names, "formats": formats, "offsets": offsets, "itemsize": step}
    table = np.zeros(len(points), dtype)
    for column, name in enumerate(AXES):
        table[name] = points[:, column]
    table["ring"] = np.arange(len(points))
    height, width = shape
    padded = np.full((height, width * step + row_gap), 0xEE, np.uint8)
    padded[:, : width * step] = np.frombuffer(table.tobytes(), np.uint8).reshape(height, -1)
    return SimpleNamespace(
        header=object(),
        height=height,
        width=width,
        fields=fields,
        is_bigendian=order == ">",
        point_step=step,
        row_step=padded.shape[1],
        data=array("B", padded.tobytes()),
        is_dense=False,
    )


LAYOUTS = {
    "plain": {},
    "big-endian": {"order": ">"},
    "doubles": {"kind": "f8"},
    "padded points": {"gap": 7, "first": 3},
    "organised": {"shape": (2, 3)},
    "padded rows": {"shape": (3, 2), "row_gap": 5},
    "everything": {"order": ">", "kind": "f8", "shape": (2, 3), "gap": 3, "row_gap": 9},
    "no count": {"count": 0},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_are_read_from_every_layout(layout):
    found = positions(cloud(**LAYOUTS[layout]))
    assert found.dtype.isnative and found.flags.c_contiguous
    np.testing.assert_array_equal(found, XYZ.T)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fields_are_added_behind_all_that_was_there(layout):
    before = cloud(**LAYOUTS[layout])
    was = before.data.tobytes()
    ids, sure = np.arange(6, dtype=np.uint8), np.linspace(0, 1, 6, dtype=np.float32)
    after = with_fields(before, {"class": ids, "probability": sure}, new)
    assert after.header is before.header and before.data.tobytes() == was
    assert [one.name for one in after.fields] == [*AXES, "ring", "class", "probability"]
    assert after.point_step % 4 == 0 and after.fields[-1].offset % 4 == 0
    assert len(after.data) == after.height * after.row_step
    assert (after.height, after.width) == (before.height, before.width)
    np.testing.assert_array_equal(positions(after), positions(before))
    np.testing.assert_array_equal(field_values(after, "ring").ravel(), np.arange(6))
    np.testing.assert_array_equal(field_values(after, "class").ravel(), ids)
    np.testing.assert_array_equal(field_values(after, "probability").ravel(), sure)


def test_an_empty_cloud_stays_one():
    empty = cloud(shape=(1, 0), points=XYZ[:0])
    assert positions(empty).shape == (3, 0)
    after = with_fields(empty, {"class": np.zeros(0, np.uint8)}, new)
    assert len(after.data) == 0 and after.fields[-1].name == "class"


def test_messages_of_rosbags_do_as_well():
    before = new_message(CLOUD)
    one = cloud()
    for name, value in vars(one).items():
        setattr(before, name, value)
    before.data = np.frombuffer(one.data, np.uint8)
    after = with_fields(before, {"class": np.arange(6, dtype=np.uint8)}, new_message)
    assert isinstance(after.data, np.ndarray) and after.__msgtype__ == CLOUD
    np.testing.assert_array_equal(positions(after), XYZ.T)


def without_z(message):
    message.fields = [field for field in message.fields if field.name != "z"]


def change(**fields):
    return lambda message: vars(message).update(fields)


def change_field(**fields):
    return lambda message: vars(message.fields[0]).update(fields)


BAD = {
    "no z": (without_z, "no field 'z', expected one; its fields: 'x', 'y', 'ring'"),
    "no field": (change(fields=[]), "its fields: none"),
    "two x": (lambda m: m.fields.append(m.fields[0]), "2 fields 'x', expected one"),
    "whole numbers": (change_field(datatype=5), "datatype 5 .* float32 or float64"),
    "an unknown type": (change_field(datatype=77), "datatype 77"),
    "several": (change_field(count=3), "count 3"),
    "outside": (change_field(offset=12), "begins at byte 12 of 14"),
    "cut off": (lambda m: m.data.pop(), "holds 83 bytes in rows of 84, expected 1 rows of 6"),
    "short rows": (change(row_step=80), "in rows of 80"),
    "no step": (change(point_step=0), "byte 0 of 0"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_cloud_is_refused_with_the_reason(what):
    damage, reason = BAD[what]
    message = cloud()
    damage(message)
    with pytest.raises(CloudMsgError, match=reason):
        positions(message)


def test_a_painted_cloud_is_not_painted_again():
    painted = with_fields(cloud(), {"class": np.zeros(6, np.uint8)}, new)
    with pytest.raises(CloudMsgError, match="'class' already: is it one that was painted"):
        with_fields(painted, {"class": np.zeros(6, np.uint8)}, new)
