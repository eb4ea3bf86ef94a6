"""Names of the node's own topics, for those who need no ROS to speak of them."""

from __future__ import annotations

from typing import Final

OVERLAY_TOPIC: Final = "debug/overlay/compressed"
"""Below the node's own name."""
