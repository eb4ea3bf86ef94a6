# SPDX-License-Identifier: Apache-2.0
"""Lanes between markings that any other network painted, as labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.labelling.marking_lanes import lanes_between
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.teacher import Doubt

MASK: Final = "markings"
HELP: Final = "paint, for lanes"
ALSO: Final = ()
Config: Final = None
OPTIONS: Final = ()


def of_masks(
    masks: Mapping[str, NDArray[np.uint8]], doubt: Doubt, config: None, had: Label | None
) -> tuple[Label | None, Sequence[str]]:
    """Derive lanes from traced markings; boundaries by people are kept."""
    found = lanes_between(masks[MASK], doubt.least)
    if not found.lanes:
        return None, found.notes
    boundaries = (had.boundaries if had else ()) or found.boundaries
    return Label(found.lanes, found.confidence, boundaries), found.notes
