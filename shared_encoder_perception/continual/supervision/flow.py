# SPDX-License-Identifier: Apache-2.0
"""Where the pixels of a frame were in an earlier one, and which of them were there at all."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

TOLERANCE, SLACK_PX2 = 0.01, 0.5
"""Sundaram, Brox and Keutzer (ECCV 2010), eq. 5: there and back must end where they began, up to a
share of both squared lengths and half a square pixel."""
STRETCH, SLACK = 0.01, 0.002
"""Likewise, eq. 6: where flow changes faster than by a share of its squared length, something ends
in front of something else, and both ways are as smooth as they are wrong."""
UNLIKE: Final = 25.0
"""Grey levels by which both may differ, mean of a window and of the colours: of two ways that lead
back, one may be as wrong as the other (Lai et al., ECCV 2018, weigh by the same difference)."""
WINDOW_PX: Final = 5
LEAST_AGREED: Final = 0.2
"""Share of the pixels; where fewer agree, the frames are no neighbours: there is a cut between."""


class Flow(NamedTuple):
    """The way back from a frame to an earlier one.

    Attributes:
        field: float32 (H, W, 2), pixels ``(x, y)`` from where something is to where it was.
        agreed: bool (H, W), whether the way there leads back again; all False across a cut.
    """

    field: NDArray[np.float32]
    agreed: NDArray[np.bool_]


def flow_between(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> Flow:
    """Find dense inverse search flow (Kroeger et al., ECCV 2016), both ways.

    What was hidden before, or outside of the picture, has no way there that leads back.

    Args:
        before: (H, W, 3) uint8 BGR, the earlier frame; sides of at least 16 pixels.
        now: Likewise, the later one.
    """
    earlier, later = (cv2.cvtColor(one, cv2.COLOR_BGR2GRAY) for one in (before, now))
    there, back = (_search().calc(*both, None) for both in ((later, earlier), (earlier, later)))
    height, width = later.shape
    column, row = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (column + there[:, :, 0]).astype(np.float32), (row + there[:, :, 1]).astype(np.float32)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    off, lengths = np.square(there + returned).sum(2), np.square(there) + np.square(returned)
    agreed = inside & (off < TOLERANCE * lengths.sum(2) + SLACK_PX2)
    change = sum(np.square(one).sum(2) for one in np.gradient(there, axis=(0, 1)))
    agreed &= change <= STRETCH * np.square(there).sum(2) + SLACK
    seen = cv2.remap(before, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    unlike = cv2.blur(cv2.absdiff(seen, now).astype(np.float32).mean(2), (WINDOW_PX, WINDOW_PX))
    agreed &= unlike < UNLIKE
    if agreed.mean() < LEAST_AGREED:
        agreed = np.zeros_like(agreed)
    return Flow(there, agreed)


@lru_cache(maxsize=1)
def _search() -> Any:
    """Make OpenCV's search: it keeps its buffers from pair to pair."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
