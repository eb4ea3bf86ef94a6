"""Names of the node's topics, for those who need no ROS to speak of them."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

LANE_TOPICS: Final = tuple(f"lane_lines/{name}" for name in LANE_NAMES)
"""Topic of each lane, in the order of ``LaneId``."""
ARRAY_TOPIC: Final = "lane_lines"
MASK_TOPIC: Final = "drivable_surface/mask"
INFO_TOPIC: Final = "model_info"
OVERLAY_TOPIC: Final = "debug/overlay/compressed"
"""Below the node's own name."""
