# SPDX-License-Identifier: Apache-2.0
"""Arrays into message fields, of rclpy and rosbags alike."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def pack(current: Any, values: Any, dtype: DTypeLike) -> Any:
    """Return a vector in the type that the message's field has now: of rosbags, or of rclpy.

    ``array.array`` is the fast way into an rclpy message: an ndarray would pass through Python
    number by number.

    Args:
        current: The field of a new message.
        values: Numbers; several dimensions follow each other row by row.
        dtype: What the message's definition says: ``np.float32`` for ``float32[]``.
    """
    if isinstance(current, np.ndarray):
        return np.array(values, dtype).reshape(-1)
    vector = np.ascontiguousarray(values, dtype).reshape(-1)
    packed: array[Any] = array(vector.dtype.char)
    packed.frombytes(vector.view(np.uint8).data)  # clouds and masks are large: one copy
    return packed
