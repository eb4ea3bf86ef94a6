# SPDX-License-Identifier: Apache-2.0
"""Masks as run lengths, as COCO and CVAT write them.

Written by ourselves: the formats are a page of public documentation and a few lines of numpy, while
the library that others use for COCO's (pycocotools) must be compiled where it has no wheel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def runs_of(flat: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of runs of values (N,), that of False first, which may be 0."""
    if not len(flat):
        return []
    ends = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    lengths = np.diff(np.concatenate(([0], ends, [len(flat)]))).tolist()
    return [0, *lengths] if flat[0] else lengths


def of_runs(lengths: Sequence[int], count: int) -> NDArray[np.bool_]:
    """Return the values (N,) of run lengths.

    Raises:
        ValueError: Not whole numbers from 0 on, or not ``count`` in all.
    """
    if not all(type(length) is int and 0 <= length <= count for length in lengths):
        raise ValueError(f"run lengths are not all whole numbers from 0 to {count}")
    if sum(lengths) != count:
        raise ValueError(f"the run lengths are {sum(lengths)} pixels together, expected {count}")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths)


def unpacked(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed form.

    Each number stands in groups of five bits, the lowest first, each of a character from "0" on; 32
    says that there is more, 16 in the last one that the number is negative. From the fourth number
    on it is the difference to the number two before.

    Raises:
        ValueError: Characters that are none of it, or a text that is cut off.
    """
    lengths: list[int] = []
    value = shift = 0
    for char in text:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise ValueError("the compressed run lengths are damaged")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the compressed run lengths are cut off")
    return lengths
