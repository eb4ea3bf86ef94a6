# SPDX-License-Identifier: Apache-2.0
"""What other people's data sets say about a picture, in no task's terms; each task takes its part.

An adapter reads files and says what stands there. What it means (a lane runs in the middle between
two lines) is known in the tasks' rooms, by ``labels.of_set``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import UsualLane

Plane = NDArray[np.uint8]
"""One byte per pixel: ``YES``, ``NO`` or ``NOT_KNOWN`` of ``tasks.masks.values``."""


@dataclass(frozen=True, eq=False)
class Line:
    """One line along the road.

    Attributes:
        points: (N, 2) float64 ``(x, y)`` pixels in any direction; they may leave the picture.
        kind: Words of the data set; lines of one kind may belong together.
        is_edge: Whether the road ends here: nobody may drive beyond.
    """

    points: NDArray[np.float64]
    kind: tuple[str, ...] = ()
    is_edge: bool = False


@dataclass(frozen=True, eq=False)
class Said:
    """What a data set says about one picture.

    Attributes:
        size: ``(height, width)`` of the picture.
        lines: Boundaries of lanes; ``None`` where the set does not label them.
        paint_edges: Whether ``lines`` are the edges of paint: two of them are one marking.
        usual_lane: Of the set's camera; ``None`` where it is not known.
        lane_changes: Keep what is arbitrary because a boundary runs under the vehicle.
        drivable: Returns an (H, W) plane, ``YES`` where one may drive; ``None`` where it is not
            labelled.
        class_map: Returns what each pixel is: (H, W) ids, 255 for none, or (H, W, 3) BGR colours;
            ``None`` where that is not labelled.
        class_tables: Names of the tables of classes that ids and colours are of.
        classes_as: The table that they are to become, or the path of a mapping; empty for theirs.
        homography: Returns (3, 3) from pixels to metres on the road, x ahead and y left; ``None``
            where it is not known.
        instances: Returns (H, W) uint16 that tells objects of one class apart, 0 for no single one;
            ``None`` where that is not labelled.
        depth: Returns (H, W) float32 metres along the optical axis, NaN where nothing was measured;
            ``None`` where that is not labelled.
        focal_px: Vertical focal length of the camera; NaN where it is not known.
        camera_height_m: Of the camera above the road; NaN where it is not known.
        depth_is_relative: Whether the inverse of ``depth`` is right but for a scale and a shift.
        new: Returns an (H, W) plane, ``YES`` where something is that ``background`` does not show;
            ``None`` where that is not labelled.
        background: Returns (H, W, 3) uint8 BGR, the empty place; with ``new`` only.
    """

    size: Size
    lines: tuple[Line, ...] | None = None
    paint_edges: bool = False
    usual_lane: UsualLane | None = None
    lane_changes: bool = False
    drivable: Callable[[], Plane] | None = None
    class_map: Callable[[], Plane] | None = None
    class_tables: tuple[str, str] = ("", "")
    classes_as: str = ""
    homography: Callable[[], NDArray[np.float64]] | None = None
    instances: Callable[[], NDArray[np.uint16]] | None = None
    depth: Callable[[], NDArray[np.float32]] | None = None
    focal_px: float = math.nan
    camera_height_m: float = math.nan
    depth_is_relative: bool = False
    new: Callable[[], Plane] | None = None
    background: Callable[[], NDArray[np.uint8]] | None = None

    def frame(self, *, notes: tuple[str, ...] = (), **keys: Any) -> LabelledFrame:
        """Return the frame with what each task makes of this.

        Args:
            notes: Why something was left out already.
            keys: Of ``LabelledFrame``, such as ``name`` and ``image_path``.
        """
        labels = {}
        for task, room in table.parts("labels").items():
            if hasattr(room, "of_set"):
                read, left_out = room.of_set(self)
                notes = (*notes, *left_out)
                if read is not None:
                    labels[task] = read
        return LabelledFrame(size=self.size, labels=labels, notes=notes, **keys)
