# SPDX-License-Identifier: Apache-2.0
"""What a ``rig.yaml`` says of one camera, and the camera that it makes with what topics say."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.extrinsics import BODY_FROM_OPTICAL, Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.structures import Size

RAW, COMPRESSED = "raw", "compressed"
TRANSPORTS: Final = (RAW, COMPRESSED)
NO_TURN: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class RigFileError(ValueError):
    """A rig that cannot be used as it is written down; the message names the camera."""


@dataclass(frozen=True)
class Intrinsics:
    """How a camera sees, as ``sensor_msgs/CameraInfo`` would say it of raw pictures.

    Attributes:
        size: ``(height, width)`` of the pictures.
        k: fx 0 cx 0 fy cy 0 0 1, pixels; the centre of the first pixel is 0, 0.
        model: A ``distortion_model``, key of ``ground.camera_info.MODELS``; empty for none.
        d: Its coefficients, in OpenCV's order.
    """

    size: Size
    k: tuple[float, ...]
    model: str = ""
    d: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Make plain numbers of numpy's, and refuse what is no lens.

        Raises:
            RigFileError: See ``camera_model``.
        """
        for name, kind in (("size", int), ("k", float), ("d", float)):
            object.__setattr__(self, name, tuple(map(kind, getattr(self, name))))
        self.camera()

    def camera(self) -> CameraModel:
        """Return the camera model."""
        try:
            return camera_model(self.info(), self.size)
        except ValueError as error:
            raise RigFileError(f"intrinsics: {str(error).removeprefix('CameraInfo: ')}") from None

    def info(self) -> SimpleNamespace:
        """Return the fields of the ``sensor_msgs/CameraInfo`` that says the same."""
        fx, skew, cx, zero, fy, cy, *last = (*self.k, *[0.0] * 9)[:9]
        region = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
        return SimpleNamespace(
            height=self.size[0],
            width=self.size[1],
            distortion_model=self.model,
            d=list(self.d),
            k=list(self.k),
            r=list(NO_TURN),
            p=[fx, skew, cx, 0.0, zero, fy, cy, 0.0, *last, 0.0],
            binning_x=0,
            binning_y=0,
            roi=SimpleNamespace(**region),
        )


@dataclass(frozen=True, eq=False)
class CameraEntry:
    """One camera of a ``rig.yaml``.

    Attributes:
        name: Unique in its rig.
        topic: Of its images; empty where they come from files only.
        info_topic: Of its ``sensor_msgs/CameraInfo``; empty where ``intrinsics`` says it.
        intrinsics: How it sees; ``None`` where ``info_topic`` says it.
        pose: Where it sits in the vehicle's frame; ``None`` where TF says it.
        tf_frame: Its optical frame (x right, y down, z ahead) in TF; empty where ``pose`` says it.
        own_mask: File of ``own``, beside the ``rig.yaml``; empty for none.
        own: (H, W) bool, where its picture shows the vehicle itself.
        crop: Part of its picture that the network sees; ``None`` for the usual one.
        transport: ``RAW``, or ``COMPRESSED`` for images on ``topic`` + ``/compressed``.
        rectified: Whether its images are rectified: then P of the CameraInfo counts, not K and D.
    """

    name: str
    topic: str = ""
    info_topic: str = ""
    intrinsics: Intrinsics | None = None
    pose: Extrinsics | None = None
    tf_frame: str = ""
    own_mask: str = ""
    own: NDArray[np.bool_] | None = None
    crop: Crop | None = None
    transport: str = RAW
    rectified: bool = False

    def __post_init__(self) -> None:
        """Refuse a camera of which too little or too much is said.

        Raises:
            RigFileError: The message names the camera.
        """
        if self.intrinsics is None and not self.info_topic:
            self._refuse("has no calibration: give intrinsics, or the info_topic of its CameraInfo")
        if self.intrinsics is not None and self.info_topic:
            self._refuse("has intrinsics and an info_topic: keep the one that is true")
        if self.pose is None and not self.tf_frame:
            self._refuse("has no pose: give pose, or the tf_frame that it has in TF")
        if self.pose is not None and self.tf_frame:
            self._refuse("has a pose and a tf_frame: keep the one that is true")
        if self.transport not in TRANSPORTS:
            self._refuse(
                f"has the transport {self.transport!r}, expected {' or '.join(TRANSPORTS)}"
            )
        if self.rectified and self.intrinsics is not None and self.intrinsics.d:
            self._refuse("is rectified and has distortion d: rectified pictures have none")
        if self.intrinsics is not None:
            self._fit(self.intrinsics.size)

    @property
    def image_topic(self) -> str:
        """Topic on which its images come in this transport."""
        compressed = self.transport == COMPRESSED and self.topic
        return f"{self.topic}/{COMPRESSED}" if compressed else self.topic

    def camera(
        self, info: Any = None, transform: Any = None, image_size: Size | None = None
    ) -> RigCamera:
        """Build the camera.

        Args:
            info: ``sensor_msgs/CameraInfo`` of ``info_topic``, of rclpy or rosbags; not needed, and
                not looked at, where the file has intrinsics.
            transform: ``geometry_msgs/Transform`` of ``tf_frame`` in the vehicle's frame; not
                needed, and not looked at, where the file has a pose.
            image_size: ``(height, width)`` of its images where it is known: some show all that
                a CameraInfo is for, and some its region of interest only.

        Raises:
            RigFileError: Something is missing or of no use; the message names the camera.
        """
        pose = self._pose(transform)
        lens = self._lens(info, image_size)
        self._fit(lens.image_size)
        return RigCamera(self.name, CameraView(lens, pose), self.own, self.crop)

    def _pose(self, transform: Any) -> Extrinsics:
        """Return where it sits."""
        if self.pose is not None:
            return self.pose
        if transform is None:
            self._refuse(f"has no pose yet: it waits for TF's frame {self.tf_frame}")
        try:
            return Extrinsics.from_transform(transform)
        except ValueError as error:
            raise RigFileError(f"camera {self.name}: frame {self.tf_frame}: {error}") from None

    def _lens(self, info: Any, image_size: Size | None) -> CameraModel:
        """Return how it sees."""
        if self.intrinsics is not None:
            if image_size is not None and tuple(image_size) != tuple(self.intrinsics.size):
                (height, width), (rows, columns) = self.intrinsics.size, image_size
                self._refuse(
                    f"gives pictures of {columns}x{rows} pixels, its intrinsics are for "
                    f"{width}x{height}: write down those that belong to its pictures"
                )
            return self.intrinsics.camera()
        if info is None:
            self._refuse(f"has no calibration yet: it waits for CameraInfo on {self.info_topic}")
        try:
            return camera_model(info, image_size or _told_size(info), self.rectified)
        except ValueError as error:
            raise RigFileError(f"camera {self.name}: {self.info_topic}: {error}") from None

    def _fit(self, size: Size) -> None:
        """See that mask and crop belong to pictures of this size."""
        height, width = size
        if self.own is not None and self.own.shape != (height, width):
            rows, columns = self.own.shape
            self._refuse(
                f"has the own_mask {self.own_mask or 'own'} of {columns}x{rows} pixels, its "
                f"pictures have {width}x{height}: paint it on one of its pictures"
            )
        crop = self.crop
        if crop is not None and not (
            min(crop.x, crop.y) >= 0
            and min(crop.width, crop.height) >= 2
            and crop.x + crop.width <= width
            and crop.y + crop.height <= height
        ):
            self._refuse(
                f"has the crop [x, y, width, height] = {list(crop)}, which does not fit its "
                f"pictures of {width}x{height} pixels"
            )

    def _refuse(self, why: str) -> None:
        """Say what is wrong with this camera."""
        raise RigFileError(f"camera {self.name} {why}")


def _told_size(info: Any) -> Size:
    """Return the size of images that a CameraInfo is for: its region's, or all of it."""
    binning_x, binning_y = max(int(info.binning_x), 1), max(int(info.binning_y), 1)
    roi = info.roi
    whole = not (roi.width and roi.height)
    width, height = (info.width, info.height) if whole else (roi.width, roi.height)
    return int(height) // binning_y, int(width) // binning_x


def entry_of(camera: RigCamera, topic: str = "") -> CameraEntry:
    """Return what a ``rig.yaml`` says of a camera: intrinsics and a pose, nothing that waits.

    Binning and a region of interest become part of the intrinsics, a rectification part of the
    pose: pixels and points in the vehicle's frame belong together as before.
    """
    lens, pose = camera.view.camera, camera.view.extrinsics
    focal = lens.matrix.diagonal()[:2] / lens.binning
    centre = (lens.matrix[:2, 2] - lens.origin_px) / lens.binning
    count = len(lens.distortion)
    model = "plumb_bob" if count in (4, 5) else "rational_polynomial"
    model = ("equidistant" if lens.fisheye else model) if count else ""
    k = (focal[0], 0.0, centre[0], 0.0, focal[1], centre[1], 0.0, 0.0, 1.0)
    return CameraEntry(
        camera.name,
        topic,
        intrinsics=Intrinsics(
            lens.image_size, tuple(map(float, k)), model, tuple(map(float, lens.distortion))
        ),
        pose=Extrinsics(pose.rotation @ lens.rectification, pose.position),
        own_mask="" if camera.own is None else f"{camera.name}_own.png",
        own=camera.own,
        crop=camera.crop,
    )


def angles_deg(pose: Extrinsics) -> tuple[float, float, float]:
    """Return roll, pitch and yaw of a camera, degrees: the inverse of ``Extrinsics.from_angles``.

    Where it looks straight up or down, only their sum or difference is known: roll is then 0.
    """
    body = pose.rotation @ BODY_FROM_OPTICAL.T
    level = float(np.hypot(body[0, 0], body[1, 0]))
    pitch = np.arctan2(-body[2, 0], level)
    if level < 1e-9:
        roll, yaw = 0.0, np.arctan2(-body[0, 1], body[1, 1])
    else:
        roll, yaw = np.arctan2(body[2, 1], body[2, 2]), np.arctan2(body[1, 0], body[0, 0])
    found = np.rad2deg((roll, pitch, yaw))
    return float(found[0]), float(found[1]), float(found[2])
