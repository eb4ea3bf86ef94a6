# SPDX-License-Identifier: Apache-2.0
"""The cameras of a vehicle, calibrated: how each sees, and where it sits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import ImageError, ImageTransform
from shared_encoder_perception.structures import Crop, Size

MOST_CAMERAS: Final = 32
VEHICLE_FRAME: Final = "base_link"


@dataclass(frozen=True, eq=False)
class RigCamera:
    """One camera of a rig.

    Attributes:
        name: Unique in its rig, e.g. ``"front_left"``.
        view: How it sees, and where it sits in the vehicle's frame.
        own: (H, W) bool, where its picture shows the vehicle itself; ``None`` for nowhere.
        crop: Part of its picture that the network sees; ``None`` for the usual one
            (``images.preprocess.default_crop``).
    """

    name: str
    view: CameraView
    own: NDArray[np.bool_] | None = None
    crop: Crop | None = None

    def __post_init__(self) -> None:
        """Refuse a mask of another size, and a crop that leaves the picture."""
        if self.own is not None and self.own.shape != tuple(self.image_size):
            height, width = self.image_size
            raise ValueError(
                f"camera {self.name}: the mask of the own vehicle has the shape "
                f"{self.own.shape}, its picture is {width}x{height} pixels: expected "
                f"{(height, width)}"
            )

        if self.crop is not None:
            try:
                ImageTransform(self.image_size, self.crop, self.image_size)
            except ImageError as error:
                raise ValueError(f"camera {self.name}: {error}") from None

    @property
    def image_size(self) -> Size:
        """``(height, width)`` of its pictures."""
        return self.view.image_size

    def transform(self, input_size: Size) -> ImageTransform:
        """Return how its pictures are brought to a network's input."""
        return ImageTransform.fit(self.image_size, input_size, self.crop)

    def see(self, points_m: NDArray) -> NDArray[np.float64]:
        """Say where in its picture points of the vehicle's frame are seen.

        Args:
            points_m: (N, 3) metres.

        Returns:
            (N, 2) pixels of the picture as received; NaN for what is behind, outside of the
            picture (to the rim of its outermost pixels), or hidden by the vehicle itself.
        """
        pose = self.view.extrinsics
        seen = self.view.camera.see((np.asarray(points_m) - pose.position) @ pose.rotation)
        height, width = self.image_size
        inside = np.asarray(
            (seen >= -0.5).all(axis=1) & (seen < (width - 0.5, height - 0.5)).all(1)
        )
        if self.own is not None:
            columns, rows = np.rint(seen[inside]).astype(np.intp).T
            free = ~self.own[rows.clip(0, height - 1), columns.clip(0, width - 1)]
            inside[np.flatnonzero(inside)[~free]] = False
        seen[~inside] = np.nan
        return seen

    def turned(self, yaw_rad: float) -> RigCamera:
        """Return it as seen by a vehicle frame that is turned by ``yaw_rad`` to the left."""
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        pose = self.view.extrinsics
        return self.posed(Extrinsics(turn @ pose.rotation, turn @ pose.position))

    def posed(self, pose: Extrinsics) -> RigCamera:
        """Return it at another place of the vehicle."""
        return replace(self, view=CameraView(self.view.camera, pose))


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras of one vehicle, in the order of a batch of their pictures.

    Attributes:
        cameras: At least one; each name once.
        frame_id: Of the vehicle.
    """

    cameras: tuple[RigCamera, ...]
    frame_id: str = VEHICLE_FRAME

    def __post_init__(self) -> None:
        """Refuse no cameras, too many, and a name that two have."""
        if not 1 <= len(self.cameras) <= MOST_CAMERAS:
            raise ValueError(f"a rig of {len(self.cameras)} cameras, expected 1 to {MOST_CAMERAS}")
        names = self.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the rig has two cameras named {twice[0]!r}: give each its own name")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cameras, in order."""
        return tuple(camera.name for camera in self.cameras)

    def __getitem__(self, name: str) -> RigCamera:
        """Return a camera by its name.

        Raises:
            KeyError: There is none; the text names those that are there.
        """
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise KeyError(f"the rig has no camera {name!r}, only {', '.join(self.names)}")

    def only(self, names: Collection[str]) -> Rig:
        """Return the rig with some of its cameras, in the rig's order."""
        return replace(self, cameras=tuple(c for c in self.cameras if c.name in names))

    def ordered(self, names: Iterable[str]) -> Rig:
        """Return the rig with its cameras in another order, maybe fewer."""
        return replace(self, cameras=tuple(self[name] for name in names))

    def turned(self, yaw_rad: float) -> Rig:
        """Return the same cameras in a vehicle frame that is turned by ``yaw_rad`` to the left."""
        return replace(self, cameras=tuple(camera.turned(yaw_rad) for camera in self.cameras))
