# SPDX-License-Identifier: Apache-2.0
"""Augmentation of rigs: what changes pictures or poses changes calibration and labels with them.

Nothing is ever mirrored or turned alone. A crop goes through the camera's own transform, so that
its table looks where it shows; a turn of the grid turns the poses, and the boxes exactly; a mirror
shows another world, with all its pictures, lenses, poses and boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.ground_map import GroundLabel, GroundMap
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.augment import AugmentConfig, other_crop, other_look
from shared_encoder_perception.training.rig_config import RigConfig

MIRROR: Final = np.diag((-1.0, 1.0, 1.0))
"""Of the optical axes: right becomes left."""
BENT: Final = np.array([1, 1, 1, -1, 1, 1, 1, 1, -1, -1, 1, 1, 1, -1])
"""Signs of OpenCV's coefficients in a mirror: p2, s1, s2 and the tilt about y are odd in x."""


@dataclass(frozen=True, eq=False)
class ShownRig:
    """What the network is shown of a moment, and what is true of it.

    Attributes:
        frame: Its rig is as the network is told, its label as the vehicle's own frame has it.
        live: Names of the cameras whose pictures count.
        yaw_rad: By how much the grid's frame is turned to the left against the label's.
    """

    frame: RigFrame
    live: tuple[str, ...]
    yaw_rad: float = 0.0


def plain(frame: RigFrame) -> ShownRig:
    """Show a moment as it is."""
    return ShownRig(frame, frame.rig.names)


def with_cameras(frame: RigFrame, count: int, rng: np.random.Generator) -> RigFrame:
    """Leave out cameras that gave no picture, and others at random, until ``count`` are left.

    Raises:
        ValueError: There are fewer.
    """
    there = [name for name in frame.rig.names if name in frame.images]
    if len(there) < count:
        raise ValueError(f"{frame.name}: {len(there)} cameras gave a picture, expected {count}")
    chosen = sorted(rng.choice(len(there), count, replace=False))
    names = [there[index] for index in chosen]
    images = {name: frame.images[name] for name in names}
    return replace(frame, rig=frame.rig.only(names), images=images)


def augment_rig(
    frame: RigFrame, size: Size, config: AugmentConfig, rigs: RigConfig, seed: int
) -> ShownRig:
    """Show a moment changed.

    Args:
        frame: Every camera has a picture.
        size: ``(height, width)`` of the network's input.
        config: What may happen to pictures.
        rigs: What may happen to rigs.
        seed: Decides what happens; equal seeds give equal views.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        if rng.random() < config.flip:
            frame = mirrored(frame)
        cameras = frame.rig.cameras
        if rng.random() < config.geometry:
            cameras = tuple(_cropped(camera, size, config, rng) for camera in cameras)
        if rng.random() < rigs.noise:
            cameras = tuple(shaken(one, rigs.noise_deg, rigs.noise_m, rng) for one in cameras)
        yaw_rad, live = 0.0, list(frame.rig.names)
        if rng.random() < rigs.yaw:
            yaw_rad = float(np.deg2rad(rng.uniform(-1, 1) * rigs.yaw_deg))
        if len(live) > 1 and rng.random() < rigs.dropout:
            live.pop(int(rng.integers(len(live))))
        rig = replace(frame.rig, cameras=cameras)
        images = {name: other_look(image, config, rng) for name, image in frame.images.items()}
        shown = replace(frame, rig=rig.turned(yaw_rad), images=images)
        return ShownRig(shown, tuple(live), yaw_rad)


def _cropped(
    camera: RigCamera, size: Size, config: AugmentConfig, rng: np.random.Generator
) -> RigCamera:
    """Return a camera of which another part is shown."""
    crop = camera.transform(size).crop
    return replace(camera, crop=other_crop(crop, camera.image_size, config, rng))


def shaken(
    camera: RigCamera, angle_deg: float, place_m: float, rng: np.random.Generator
) -> RigCamera:
    """Return a camera that is said to sit a little elsewhere; standard deviations, each axis."""
    turn, _ = cv2.Rodrigues(np.deg2rad(rng.normal(0.0, angle_deg, 3)))
    pose = camera.view.extrinsics
    moved = Extrinsics(turn @ pose.rotation, pose.position + rng.normal(0.0, place_m, 3))
    return camera.posed(moved)


# ---- the mirror ---------------------------------------------------------------------------------


def mirrored(frame: RigFrame) -> RigFrame:
    """Return what the same vehicle would see where left is right."""
    images = {name: np.ascontiguousarray(image[:, ::-1]) for name, image in frame.images.items()}
    rig = Rig(tuple(mirrored_camera(one) for one in frame.rig.cameras), frame.rig.frame_id)
    label = None if frame.label is None else _mirrored_label(frame.label)
    return replace(frame, rig=rig, images=images, label=label)


def mirrored_camera(camera: RigCamera) -> RigCamera:
    """Return the camera that takes the mirrored pictures of the mirrored world."""
    lens, pose = camera.view.camera, camera.view.extrinsics
    width = lens.image_size[1]
    matrix = lens.matrix.copy()
    matrix[0, 1] *= -1
    matrix[0, 2] = lens.binning[0] * (width - 1) + 2 * lens.origin_px[0] - matrix[0, 2]
    bend = lens.distortion if lens.fisheye else lens.distortion * BENT[: len(lens.distortion)]
    turned = CameraModel(
        lens.image_size,
        matrix,
        bend,
        lens.fisheye,
        MIRROR @ lens.rectification @ MIRROR,
        lens.binning,
        lens.origin_px,
    )
    across = np.diag((1.0, -1.0, 1.0))
    moved = Extrinsics(across @ pose.rotation @ MIRROR, across @ pose.position)
    own, crop = camera.own, camera.crop
    if own is not None:
        own = np.ascontiguousarray(own[:, ::-1])
    if crop is not None:
        crop = Crop(width - crop.x - crop.width, crop.y, crop.width, crop.height)
    return RigCamera(camera.name, CameraView(turned, moved), own, crop)


def _mirrored_label(label: GroundLabel) -> GroundLabel:
    """Return what is known of the mirrored ground."""
    objects = None if label.objects is None else tuple(box.mirrored() for box in label.objects)
    return GroundLabel(objects, _mirrored_map(label.drivable), _mirrored_map(label.in_view))


def _mirrored_map(area: GroundMap | None) -> GroundMap | None:
    """Return a map of the mirrored ground."""
    if area is None:
        return None
    _, _, _, y_max = area.grid.extent_m
    values: NDArray[np.uint8] = np.ascontiguousarray(area.values[::-1])
    return GroundMap(replace(area.grid, y_min_m=-y_max), values)
