# SPDX-License-Identifier: Apache-2.0
"""The topics of a rig's node that the demo listens to. Nothing here needs ROS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.tasks.contract.runtime import Topic
from shared_encoder_perception.tasks.topics import for_every_image, lazy

RIG_TASK: Final = next(iter(tasks.RIG_ROOMS))
"""Whose topics the map has, whatever model it comes from."""
MAPS: Final = tuple(one.topic for one in for_every_image([RIG_TASK]))
"""With a message for every moment."""
OBJECTS: Final = tuple(one.topic for one in lazy([RIG_TASK]))
"""Likewise, while somebody listens."""
QUEUED: Final = 50
"""Images of a camera that the middleware keeps for the node."""


def camera_topics(names: Sequence[str]) -> list[Topic]:
    """Return those of each camera, below its name, for tasks of single images."""
    return [one.topic for one in for_every_image(names)]
