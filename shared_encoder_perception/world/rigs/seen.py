# SPDX-License-Identifier: Apache-2.0
"""What a world knows of one camera's picture: what exact labels of each task are made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.world.rendered import owners_of
from shared_encoder_perception.world.rigs.ground_view import GroundView
from shared_encoder_perception.world.rigs.lens import Lens

LATTICE: Final = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 4)] * 3), axis=-1).reshape(-1, 3)
"""Places within a box, shares of its sides, by which it is told how much lies in a picture."""


@dataclass(frozen=True)
class RoundFlatRoad:
    """How far flat ground would be in a camera's picture, or in its mirror image."""

    lens: Lens
    mirrored: bool = False

    def __call__(self) -> NDArray[np.float32]:
        """Return depth along the optical axis, (H, W) m; NaN above the horizon."""
        view = GroundView(self.lens)
        depth = np.full(self.lens.size, np.nan, np.float32)
        np.copyto(depth[view.first :], view.reach, where=view.hit)
        return np.ascontiguousarray(depth[:, ::-1]) if self.mirrored else depth

    def mirror(self) -> RoundFlatRoad:
        """Return the flat road of the mirrored picture."""
        return replace(self, mirrored=not self.mirrored)


@dataclass(frozen=True, eq=False)
class SeenByCamera:
    """One camera's picture; what ``rendered.Rendered`` is of the forward camera's.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        drivable: (H, W) uint8, 255 where a vehicle could drive and the image shows it, 0 elsewhere.
        camera: Which saw it.
        name: Seed, distance and camera, for messages.
        classes: (H, W) uint8, places in ``classes.CLASSES``.
        depth: (H, W) float32 metres along the optical axis, infinite for the sky, NaN for the own
            vehicle.
        boxes: (H, W) int16, index of the label's object whose pixel it is; -1 for none.
        scene: (H, W, 3) uint8 BGR, the picture before lens and sensor.
        centre_lines: None are known.
        empty: Nobody asked.
    """

    image: NDArray[np.uint8]
    drivable: NDArray[np.uint8]
    camera: Lens
    name: str
    classes: NDArray[np.uint8]
    depth: NDArray[np.float32]
    boxes: NDArray[np.int16]
    scene: NDArray[np.uint8]
    centre_lines: Mapping[str, NDArray[np.float32] | None] = field(default_factory=dict)
    empty: None = None

    @property
    def flat_road(self) -> RoundFlatRoad:
        """What flat ground would be away, seen from the camera's place."""
        return RoundFlatRoad(self.camera)

    @property
    def owners(self) -> NDArray[np.uint8]:
        """(H, W) a place in ``classes.OWNERS`` for each pixel."""
        return owners_of(self.classes)


@dataclass(frozen=True, eq=False)
class RigView:
    """A moment of a drive.

    Attributes:
        frame: Pictures and the label on the ground.
        cameras: By name, what is known of each camera's pixels.
    """

    frame: RigFrame
    cameras: Mapping[str, SeenByCamera]

    def samples(self, tasks: Collection[str] | None = None) -> dict[str, Sample]:
        """Return each camera's picture with the labels of tasks, or of all, that know one."""
        samples = {}
        for name, seen in self.cameras.items():
            labels = {}
            for task, room in table.parts("labels", tasks).items():
                label = room.of_world(seen)
                says = getattr(room, "known", None)
                if label is not None and (says is None or says(label)):
                    labels[task] = label
            samples[name] = Sample(seen.image, labels, seen.name)
        return samples


def shares_inside(
    lens: Lens, boxes: Sequence[Box], asked: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how much of each box lies within a camera's picture, (N,) 0 to 1; 0 if not asked."""
    shares = np.zeros(len(boxes))
    chosen = np.flatnonzero(asked)
    if not len(chosen):
        return shares
    points = []
    for index in chosen.tolist():
        box = boxes[index]
        cos, sin = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
        turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        sides = (box.length_m, box.width_m, box.height_m)
        points.append(LATTICE * sides @ turn + (box.x_m, box.y_m, box.z_m))
    pixels = lens.model.see(lens.placed(np.concatenate(points)))
    height, width = lens.size
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= -0.5) & (pixels < (width - 0.5, height - 0.5))).all(axis=1)
    shares[chosen] = inside.reshape(len(chosen), -1).mean(axis=1)
    return shares
