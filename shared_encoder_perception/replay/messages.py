# SPDX-License-Identifier: Apache-2.0
"""Our messages, and those of ROS, as rosbags has them: new ones, to be filled and serialised."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from rosbags.interfaces import Nodetype

from shared_encoder_perception.images.bags import typestore

COMPRESSED_IMAGE: Final = "sensor_msgs/msg/CompressedImage"
HEADER: Final = "std_msgs/msg/Header"
TIME: Final = "builtin_interfaces/msg/Time"


def new_message(kind: str) -> Any:
    """Return a message with every field at ROS's default."""
    plain, nested = _fields(kind)
    return typestore().types[kind](
        **plain, **{name: new_message(content) for name, content in nested.items()}
    )


def new_header(header: Any) -> Any:
    """Return a copy of a ``std_msgs/Header`` of any bag in our own types."""
    types = typestore().types
    stamp = types[TIME](sec=int(header.stamp.sec), nanosec=int(header.stamp.nanosec))
    return types[HEADER](stamp=stamp, frame_id=str(header.frame_id))


def to_bytes(message: Any) -> bytes:
    """Serialise a message as it is sent and recorded."""
    return bytes(typestore().serialize_cdr(message, message.__msgtype__))


def from_bytes(data: bytes, kind: str) -> Any:
    """Deserialise a message of our own making."""
    return typestore().deserialize_cdr(data, kind)


@lru_cache
def _fields(kind: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the defaults of a type's fields, and the types of those that hold a message."""
    _, fields = typestore().fielddefs[kind]
    nested = {name: content for name, (node, content) in fields if node is Nodetype.NAME}
    return {name: _default(field) for name, field in fields if name not in nested}, nested


def _default(definition: Any) -> Any:
    """Return the default of a field that holds no message: zero or empty, never written to."""
    node, content = definition
    if node is Nodetype.BASE:
        kind, _ = content
        return "" if kind == "string" else np.zeros(1, kind)[0].item()
    (of, what), length = content
    numbers = of is Nodetype.BASE and what[0] != "string"
    if node is Nodetype.ARRAY and not numbers:
        raise TypeError(f"a fixed number of {what} has no default here")
    return np.zeros(length if node is Nodetype.ARRAY else 0, what[0]) if numbers else []
