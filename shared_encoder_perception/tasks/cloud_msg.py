# SPDX-License-Identifier: Apache-2.0
"""Any ``sensor_msgs/PointCloud2``: where its points are, and the same with more fields.

For messages of rclpy and of rosbags alike; imports neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.packing import pack

CLOUD: Final = "sensor_msgs/msg/PointCloud2"
FIELD: Final = "sensor_msgs/msg/PointField"

DATATYPES: Final = MappingProxyType(
    {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
)
"""Numpy's names of the types of ``sensor_msgs/PointField``."""
NUMBERS: Final = MappingProxyType({np.dtype(name): number for number, name in DATATYPES.items()})
FLOATS: Final = (7, 8)
"""Datatypes that positions may have."""
AXES: Final = ("x", "y", "z")
MOST_STEP: Final = 1 << 16
"""Bytes of a point beyond which the message is damaged."""


class CloudMsgError(ValueError):
    """A cloud that cannot be used; the text says what is wrong and what was expected."""


def positions(message: Any) -> NDArray:
    """Return (3, N) x, y and z, a row for each, of a cloud's points in their order.

    Args:
        message: A ``sensor_msgs/PointCloud2`` of either byte order, organised or not, with padding
            between points and rows or without.

    Returns:
        float32, or float64 where an axis is; whatever the unit of the cloud is, NaN and all.

    Raises:
        CloudMsgError: It has no such fields, or data of the wrong length.
    """
    columns = [field_values(message, axis, FLOATS) for axis in AXES]
    found = np.empty((len(AXES), columns[0].size), np.result_type(*columns).newbyteorder("="))
    for row, column in zip(found, columns, strict=True):
        row.reshape(column.shape)[...] = column
    return found


def field_values(message: Any, name: str, datatypes: tuple[int, ...] = tuple(DATATYPES)) -> NDArray:
    """Return (height, width) values of a field, a view of the message's data.

    Args:
        message: As ``positions`` takes it.
        name: Of the field.
        datatypes: That it may have.

    Raises:
        CloudMsgError: There is no such field, or data of the wrong length.
    """
    fields = [field for field in message.fields if field.name == name]
    if len(fields) != 1:
        names = ", ".join(repr(field.name) for field in message.fields) or "none"
        count = f"{len(fields)} fields" if fields else "no field"
        raise CloudMsgError(f"the cloud has {count} {name!r}, expected one; its fields: {names}")
    (field,) = fields
    if field.datatype not in datatypes or field.count > 1:  # some drivers leave the count out
        expected = " or ".join(np.dtype(DATATYPES[one]).name for one in datatypes)
        raise CloudMsgError(
            f"the cloud's field {name!r} has the datatype {field.datatype} and the count "
            f"{field.count}, expected one {expected} (PointField {', '.join(map(str, datatypes))})"
        )
    kind = np.dtype(_order(message) + DATATYPES[field.datatype])
    if field.offset > message.point_step - kind.itemsize:
        raise CloudMsgError(
            f"the cloud's field {name!r} begins at byte {field.offset} of {message.point_step}: it "
            "does not fit into a point"
        )
    return _view(_data(message), message, kind, int(field.offset))


def with_fields(message: Any, values: Mapping[str, NDArray], new: Callable[[str], Any]) -> Any:
    """Return a new message with all that a cloud has, and fields behind those of each point.

    Args:
        message: As ``positions`` takes it. Its header and fields are shared, not copied.
        values: Name -> (N,) numbers of a type of ``DATATYPES``.
        new: Makes an empty message of the same middleware, by its type.

    Raises:
        CloudMsgError: It has a field of that name already, or data of the wrong length.
    """
    if taken := sorted({field.name for field in message.fields} & set(values)):
        raise CloudMsgError(
            f"the cloud has {' and '.join(map(repr, taken))} already: is it one that was painted?"
        )
    data = _data(message)
    step, fields = int(message.point_step), list(message.fields)
    places = {}
    for name, column in values.items():
        step = -(-step // column.itemsize) * column.itemsize  # readers in C++ want it aligned
        field = new(FIELD)
        field.name, field.offset, field.count = name, step, 1
        field.datatype = NUMBERS[column.dtype]
        fields.append(field)
        places[name] = step
        step += column.itemsize
    step = -(-step // 4) * 4
    made = new(CLOUD)
    made.header, made.fields = message.header, fields
    made.height, made.width = int(message.height), int(message.width)
    made.is_bigendian, made.is_dense = bool(message.is_bigendian), bool(message.is_dense)
    made.point_step, made.row_step = step, step * made.width
    grown = np.zeros(made.height * made.row_step, np.uint8)
    whole = np.dtype((np.void, int(message.point_step)))
    _view(grown, made, whole, 0)[...] = _view(data, message, whole, 0)
    for name, column in values.items():
        view = _view(grown, made, np.dtype(_order(message) + column.dtype.str[1:]), places[name])
        view[...] = column.reshape(view.shape)
    made.data = pack(made.data, grown, np.uint8)
    return made


def _order(message: Any) -> str:
    """Return the byte order of a cloud as numpy calls it."""
    return ">" if message.is_bigendian else "<"


def _view(data: NDArray[np.uint8], message: Any, kind: np.dtype, offset: int) -> NDArray:
    """Return (height, width) of what begins at a byte of each point, without a copy."""
    shape, strides = (message.height, message.width), (message.row_step, message.point_step)
    return np.ndarray(shape, kind, data, offset if data.size else 0, strides)


def _data(message: Any) -> NDArray[np.uint8]:
    """Return the bytes of a cloud, a view of the message's.

    Raises:
        CloudMsgError: There are more or fewer than the message says.
    """
    height, width = message.height, message.width
    step, row = message.point_step, message.row_step
    data = np.asarray(memoryview(message.data))
    if not 0 < step <= MOST_STEP or row < width * step or len(data) != height * row:
        raise CloudMsgError(
            f"the cloud holds {len(data)} bytes in rows of {row}, expected {height} rows of "
            f"{width} points of {step} bytes"
        )
    return data
