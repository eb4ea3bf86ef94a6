# SPDX-License-Identifier: Apache-2.0
"""Names of the node's own topics, for those who need no ROS to speak of them."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.images import own_topics

OVERLAY_TOPIC: Final = own_topics.OVERLAY_TOPIC
"""Below the node's own name."""
