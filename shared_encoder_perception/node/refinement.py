"""What the node adds to a perception: the lanes on the road, and tracks through time."""

from __future__ import annotations

from typing import Any

from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.calibration import Calibration
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker


class Refinement:
    """Ground projection, then tracking, of one camera's images (inference thread).

    Attributes:
        frame_id: The vehicle's frame while the last image was projected; empty otherwise.
    """

    def __init__(self, calibration: Calibration, tracker: LaneTracker) -> None:
        """Use these, which others may configure meanwhile."""
        self._calibration, self._tracker = calibration, tracker
        self.frame_id = ""

    def __call__(self, header: Any, perception: Perception) -> Perception:
        """Refine the perception of an image with this header."""
        self.frame_id = ""
        projector = self._calibration.projector(header, perception.image_size)
        if projector is not None:
            perception = projector.project(perception)
            self.frame_id = projector.options.frame_id
        return self._tracker.update(perception, stamp_ns(header) * 1e-9)

    def reset(self) -> None:
        """Forget what was learnt from the images so far."""
        self._tracker.reset()
        self._calibration.reset()
