# SPDX-License-Identifier: Apache-2.0
"""When which camera of a rig is unplugged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

EVERY_S: Final = 120.0
"""In a longer soak there is an outage for each such part, in its middle."""
LONGEST_S: Final = 10.0
SHARE: Final = 0.4
"""Of a short soak that an outage takes."""


class Outage(NamedTuple):
    """A camera sends nothing from one time to another, in seconds since the first image."""

    camera: str
    start_s: float
    end_s: float


def planned(names: Sequence[str], seconds: float) -> Iterator[Outage]:
    """Yield the outages of a soak.

    Args:
        names: Cameras that are unplugged in turn; none for no outage.
        seconds: How long the soak is.
    """
    if not names:
        return
    count = max(int(seconds / EVERY_S), 1, len(names))
    part_s = seconds / count
    out_s = min(LONGEST_S, SHARE * part_s)
    for index in range(count):
        start_s = (index + 0.5) * part_s - out_s / 2
        yield Outage(names[index % len(names)], start_s, start_s + out_s)


def is_out(outages: Sequence[Outage], name: str, at_s: float) -> bool:
    """Whether a camera is unplugged at a time."""
    return any(one.camera == name and one.start_s <= at_s < one.end_s for one in outages)
