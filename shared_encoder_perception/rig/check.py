"""``rig check``: do the cameras of a rig agree on the ground that they see together?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.faults import Fault, object_faults, rig_faults
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.mosaic import (
    GroundView,
    Mosaic,
    Overlap,
    ground_view,
    ground_views,
    mosaic_of,
    overlaps,
)
from shared_encoder_perception.rig.rig import RigCamera

GRID: Final = BevGrid(-20.0, -20.0, 400, 400, 0.1, heights_m=(0.0,))
MOST_DISAGREEMENT: Final = 40.0
"""Grey levels: real, well calibrated cameras come to 30 where trees and vehicles stand in the
overlap, swapped or mirrored ones to 45 and more."""
COMPARED_M: Final = 0.5
"""Side of the cells by which cameras are compared: a shift of centimetres is no disagreement."""
FEWEST_M2: Final = 2.0
"""Ground that two cameras must share to be compared."""
UNRELATED, CONTRAST, ENOUGH = 0.1, 0.15, 50
"""Two views show different places if their correlation is lower, where both have the contrast (as a
share of their brightness) and the cells to tell. Of right rigs it is 0.5 and more. This finds in
the dark, and on even ground, what is few grey levels apart."""
CONFIRMED: Final = 0.5
"""Correlation from which two cameras surely show the same place."""
PLAINLY: Final = 0.7
"""By which an explanation must lower the mean disagreement."""
AS_GOOD: Final = 1.1
"""Explanations whose disagreement is so much like the best one's are told as well."""

MOST_APART_S: Final = 0.1
"""Between exposures of one moment: at 50 km/h, 1.4 m."""
MOST_OBJECTS: Final = 3
"""Objects that are told one by one."""

MIRRORED: Final = np.diag([1.0, -1.0, 1.0])
FLIPPED: Final = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Check:
    """A rig held against its own pictures.

    Attributes:
        frame: The pictures of one moment.
        grid: Cells of the mosaic.
        limit: Disagreement from which two cameras are told, grey levels.
    """

    frame: RigFrame
    grid: BevGrid = GRID
    limit: float = MOST_DISAGREEMENT

    @cached_property
    def mosaic(self) -> Mosaic:
        """The ground from above."""
        return mosaic_of(self.views, self.grid)

    @cached_property
    def views(self) -> list[GroundView]:
        """What each camera sees of it."""
        return ground_views(self.frame.images, self.frame.rig, self.grid)

    @cached_property
    def coarse(self) -> BevGrid:
        """The same ground in the cells by which cameras are compared."""
        x_min, y_min, x_max, y_max = self.grid.extent_m
        cell = max(min(COMPARED_M, (x_max - x_min) / 40, (y_max - y_min) / 40), self.grid.cell_m)
        columns, rows = (max(round(side / cell), 1) for side in (x_max - x_min, y_max - y_min))
        return replace(self.grid, cells_x=columns, cells_y=rows, cell_m=cell)

    @cached_property
    def overlaps(self) -> list[Overlap]:
        """How each two cameras agree that share enough ground."""
        return self._compare(ground_views(self.frame.images, self.frame.rig, self.coarse))

    @cached_property
    def faults(self) -> list[Fault]:
        """All that is wrong; empty for a rig that may be used."""
        found = rig_faults(self.frame.rig, self.grid) + list(_moment_faults(self.frame))
        found += [
            Fault(pair.names, self._told(pair)) for pair in self.overlaps if self.is_apart(pair)
        ]
        if any(self.is_apart(pair) for pair in self.overlaps):
            found += self._explained()
        return found

    @property
    def is_fine(self) -> bool:
        """Whether nothing grave was found."""
        return not any(fault.grave for fault in self.faults)

    def is_apart(self, pair: Overlap) -> bool:
        """Whether two cameras contradict each other."""
        can_tell = pair.contrast > CONTRAST and pair.cells >= ENOUGH
        is_unrelated = can_tell and pair.correlation < UNRELATED
        return pair.disagreement > self.limit or is_unrelated

    def _told(self, pair: Overlap) -> str:
        """Say that two cameras contradict each other."""
        one, other = pair.names
        area = pair.cells * self.coarse.cell_m**2
        return (
            f"cameras {one} and {other} disagree by {pair.disagreement:.0f} grey levels on "
            f"{area:.0f} m2 of ground that both see (limit {self.limit:g}; correlation "
            f"{pair.correlation:.2f})"
        )

    def _compare(self, views: Sequence[GroundView]) -> list[Overlap]:
        """Compare each two views on the coarse cells."""
        return overlaps(views, round(FEWEST_M2 / self.coarse.cell_m**2))

    def _explained(self) -> list[Fault]:
        """Say what would make the cameras agree; else which of them is in every contradiction."""
        now = {view.name: view for view in ground_views(*self._coarse_input)}
        before = _mean(self.overlaps)
        found: list[tuple[float, tuple[str, ...], str]] = []
        for cameras, text, views in self._explanations():
            pairs = self._compare(list({**now, **{view.name: view for view in views}}.values()))
            touched = [pair for pair in pairs if set(pair.names) & set(cameras)]
            if touched and not any(self.is_apart(pair) for pair in pairs):
                after = _mean(pairs)
                if after < PLAINLY * before:
                    found.append((after, cameras, f"{text} (mean {before:.0f} to {after:.0f})"))
        found.sort()
        told = [Fault(who, text) for mean, who, text in found if mean <= AS_GOOD * found[0][0]]
        return told or self._common()

    def _common(self) -> list[Fault]:
        """Name the camera without which there would be no contradiction, if it is only one."""
        apart = [pair for pair in self.overlaps if self.is_apart(pair)]
        shared = set(apart[0].names).intersection(*(pair.names for pair in apart))
        if len(shared) > 1:  # two cameras contradict each other: does another agree with one?
            related = [pair for pair in self.overlaps if pair.correlation > CONFIRMED]
            shared -= {name for pair in related for name in pair.names if pair not in apart}
        if len(shared) != 1:
            return []
        (name,) = shared
        text = f"camera {name} is the one that the others contradict: look at it first"
        return [Fault((name,), text)]

    @property
    def _coarse_input(self) -> tuple:
        """Pictures, rig and the coarse cells."""
        return self.frame.images, self.frame.rig, self.coarse

    def _explanations(self) -> Iterator[tuple[tuple[str, ...], str, list[GroundView]]]:
        """Yield usual mistakes: cameras, what to say, and what they would see without it."""
        images = self.frame.images
        cameras = [camera for camera in self.frame.rig.cameras if camera.name in images]

        def seen(camera: RigCamera, picture: NDArray[np.uint8], name: str = "") -> GroundView:
            view = ground_view(camera, picture, self.coarse)
            return replace(view, name=name or camera.name)

        names = tuple(camera.name for camera in cameras)
        together = f"cameras {', '.join(names)} agree once the rig is mirrored left to right: "
        together += "a sign of y and yaw is wrong in all of their poses"
        yield names, together, [seen(_mirrored(c), images[c.name]) for c in cameras]
        for camera in cameras:
            name, picture = camera.name, images[camera.name]
            for change, words in CHANGES:
                text = f"camera {name} agrees with the others once {words}"
                yield (name,), text, [seen(change(camera), picture)]
            text = f"camera {name} agrees with the others once its picture is mirrored"
            yield (name,), text, [seen(camera, np.ascontiguousarray(picture[:, ::-1]))]
        for one, other in combinations(cameras, 2):
            if one.image_size == other.image_size:
                text = f"cameras {one.name} and {other.name} agree with the others once their "
                text += "pictures are exchanged: were topics, files or poses swapped?"
                swapped = [seen(one, images[other.name]), seen(other, images[one.name])]
                yield (one.name, other.name), text, swapped


def _moment_faults(frame: RigFrame) -> Iterator[Fault]:
    """Say what is wrong with the pictures and the labels of one moment."""
    for name in frame.rig.names:
        if name not in frame.images:
            yield Fault((name,), f"camera {name} has no picture")
    stamps = frame.stamps_s
    for name, stamp in list(stamps.items())[1:]:
        first = next(iter(stamps))
        if (apart := abs(stamp - stamps[first])) > MOST_APART_S:
            yield Fault(
                (name,),
                f"camera {name} has its picture {apart:.3f} s away from camera {first}'s: while "
                "the vehicle moves they show different ground",
                grave=False,
            )
    objects = (frame.label.objects if frame.label is not None else None) or ()
    found = object_faults(frame.rig, [box for box in objects if box.visible != 0])
    if len(found) <= MOST_OBJECTS:
        yield from found
    else:
        text = f"{len(found)} of {len(objects)} objects are in no picture of "
        yield Fault(frame.rig.names, text + ", ".join(frame.rig.names), grave=False)


def _mean(pairs: Sequence[Overlap]) -> float:
    """Return the mean disagreement of all cells that two cameras share."""
    cells = sum(pair.cells for pair in pairs)
    return sum(pair.cells * pair.disagreement for pair in pairs) / max(cells, 1)


def _mirrored(camera: RigCamera) -> RigCamera:
    """Return it on the other side of the vehicle: y, yaw and roll negated."""
    pose = camera.view.extrinsics
    return _posed(camera, MIRRORED @ pose.rotation @ FLIPPED, MIRRORED @ pose.position)


def _turned_round(camera: RigCamera) -> RigCamera:
    """Return it where it is, looking the other way."""
    pose = camera.view.extrinsics
    return _posed(camera, np.diag([-1.0, -1.0, 1.0]) @ pose.rotation, pose.position)


def _pitched(camera: RigCamera) -> RigCamera:
    """Return it with its pitch negated."""
    pose = camera.view.extrinsics
    down = np.diag([1.0, 1.0, -1.0])
    return _posed(camera, down @ pose.rotation @ np.diag([1.0, -1.0, 1.0]), pose.position)


def _yawed(camera: RigCamera) -> RigCamera:
    """Return it with its yaw and roll negated, but not its place."""
    pose = camera.view.extrinsics
    return _posed(camera, MIRRORED @ pose.rotation @ FLIPPED, pose.position)


def _posed(camera: RigCamera, rotation: NDArray, position: NDArray) -> RigCamera:
    """Return it somewhere else."""
    return replace(camera, view=CameraView(camera.view.camera, Extrinsics(rotation, position)))


CHANGES: Final[tuple[tuple[Callable[[RigCamera], RigCamera], str], ...]] = (
    (_mirrored, "its pose is mirrored left to right: a sign of y and yaw is wrong"),
    (_yawed, "the sign of its yaw is changed"),
    (_turned_round, "it is turned by 180 degrees about the vertical"),
    (_pitched, "the sign of its pitch is changed: above 0 looks down"),
)
