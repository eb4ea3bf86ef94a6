# SPDX-License-Identifier: Apache-2.0
"""What the processes of a rig's soak write down beside ``soak/records.py``."""

from __future__ import annotations

from typing import Final

import numpy as np

EVENTS_FILE: Final = "outages.rows"
EVENT: Final = np.dtype([("camera", "<i8"), ("gone_ns", "<i8"), ("back_ns", "<i8")])
"""A camera that was unplugged: its number, when its next image would have been due, and when the
first was sent after it came back, 0 for never; by the monotonic clock."""

STATES_FILE: Final = "states.jsonl"
"""One line for each of the node's diagnostics: ``at_ns``, and ``cameras``, the state of each by its
name."""
