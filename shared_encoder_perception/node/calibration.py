# SPDX-License-Identifier: Apache-2.0
"""The node's calibration: CameraInfo and TF in, a calibrated camera for each image out."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import Any, Final

import numpy as np
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model, info_key
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.homography import load_homography
from shared_encoder_perception.ground.options import GroundOptions, ground_options
from shared_encoder_perception.ground.view import CameraView, HomographyView, View
from shared_encoder_perception.node.inputs import IMAGE_TOPIC
from shared_encoder_perception.node.parameter_groups.ground import HOMOGRAPHY, NONE, TF
from shared_encoder_perception.node.transforms import Transforms
from shared_encoder_perception.node.watchdogs import GRACE_S
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.status import Level, Status

INFO_TOPIC: Final = "camera_info"
IMAGE_ONLY: Final = "image geometry only"
INFO_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
OVERRIDES: Final = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
"""What the user may change about the subscription: durability for a latched CameraInfo."""


@dataclass(frozen=True, eq=False)
class Lens:
    """How images of one size see, wherever their camera looks.

    Attributes:
        model: Of their camera; ``None`` without a CameraInfo that is of use.
        problem: Why it is of no use; empty where it is, or there is none.
        info: The CameraInfo that the model was made of.
    """

    model: CameraModel | None = None
    problem: str = ""
    info: Any = None


@dataclass(frozen=True, eq=False)
class _Made:
    """The last calibrated camera, and what it was made of."""

    options: GroundOptions
    info: Any
    image_size: Size
    transform: tuple[float, ...]
    model: CameraModel | None
    camera: CalibratedCamera


class Calibration:
    """Gives the calibrated camera of each image, or says why there is none.

    ``camera`` is for the inference thread; everything else is for the executor's.
    """

    def __init__(self, node: Any, value: Callable[[str], Any], *, needs_info: bool = False) -> None:
        """Read the parameters and subscribe to what they need.

        Args:
            node: The node; its remappings apply.
            value: Returns the value of the parameter of a name.
            needs_info: Whether somebody else wants ``camera_info``.

        Raises:
            ValueError: A parameter names what is not there.
        """
        self._node, self._value = node, value
        self._lock = Lock()
        self._info: Any = None
        self._info_key: tuple[Any, ...] = ()
        self._made: _Made | None = None
        self._lens: tuple[Any, Size, bool, Lens] | None = None
        self._problem = ""
        self._asked = False
        self._subscription: Any = None
        self._topic = ""
        self._transforms: Transforms | None = None
        self._subscribed_s = perf_counter()
        self._options = ground_options(value)
        if self._options.source == HOMOGRAPHY:
            self._homography = load_homography(self._options.calibration)
        if self._options.source == TF:
            self._transforms = Transforms(
                node, f"ground.source is {TF}", "choose another ground.source"
            )
        if needs_info or self._options.source not in (NONE, HOMOGRAPHY):
            self._subscribe()

    @property
    def options(self) -> GroundOptions:
        """What the parameters said when they were last read."""
        return self._options

    @property
    def transforms(self) -> Transforms | None:
        """TF, where the camera's pose comes from it."""
        return self._transforms

    @property
    def info_topic(self) -> str:
        """Where CameraInfo comes from; empty where nobody needs one."""
        return self._topic

    @property
    def camera_info(self) -> Any:
        """The newest CameraInfo, ``None`` before the first and where nobody needs one."""
        return self._info

    def apply_parameters(self) -> None:
        """Let the next image use the present parameters."""
        options = ground_options(self._value)
        if options != self._options:
            with self._lock:
                self._options = options

    def camera(self, header: Any, image_size: Size) -> CalibratedCamera | None:
        """Return the camera of one image; ``None`` where there is no calibration for it.

        Args:
            header: The image's header: names the camera's optical frame.
            image_size: ``(height, width)`` of the image as received.
        """
        with self._lock:
            options, info = self._options, self._info
        if options.source == NONE:
            return None
        problem, camera = "", None
        try:
            camera = self._make(options, info, header, image_size)
        except ValueError as error:
            problem = str(error)
        with self._lock:
            self._problem, self._asked = problem, True
        return camera

    def lens(self, image_size: Size) -> Lens:
        """Return what CameraInfo says of images of ``(height, width)`` (inference thread)."""
        with self._lock:
            rectified, info = self._options.rectified, self._info
        if info is None:
            return Lens()
        last = self._lens
        if last is not None and last[0] is info and last[1:3] == (image_size, rectified):
            return last[3]
        try:
            found = Lens(camera_model(info, image_size, rectified), "", info)
        except ValueError as error:
            found = Lens(problem=str(error))
        self._lens = (info, image_size, rectified, found)
        return found

    def status(self) -> Status:
        """Say what is calibrated, or what is missing."""
        with self._lock:
            options, made, problem = self._options, self._made, self._problem
            asked, info = self._asked, self._info
        values = {"source": options.source}
        if options.source == NONE:
            return Status(Level.OK, f"no calibration: {IMAGE_ONLY}", values)
        values["frame"] = options.frame_id
        if self._subscription is not None:
            count = self._node.count_publishers(self._topic)
            values |= {"camera_info": self._topic, "camera_info publishers": str(count)}
            if info is None and options.source != HOMOGRAPHY:
                if perf_counter() - self._subscribed_s < GRACE_S:
                    return Status(Level.OK, "waiting for CameraInfo", values)
                why = "it has no publisher" if not count else "its publishers have sent nothing"
                message = f"no CameraInfo on {self._topic}, {why}: {IMAGE_ONLY}"
                return Status(Level.WARN, message, values)
        if problem:
            return Status(Level.ERROR, f"{problem}: {IMAGE_ONLY}", values)
        if not asked or made is None:
            return Status(Level.OK, "waiting for an image", values)
        values |= _pose_values(made.camera)
        message = f"on the road in {options.frame_id}, camera from {options.source}"
        return Status(Level.OK, message, values)

    def destroy(self) -> None:
        """Remove the subscriptions from the node."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
        if self._transforms is not None:
            self._transforms.destroy()

    def _subscribe(self) -> None:
        """Subscribe to the CameraInfo beside the images, or where the user has remapped it."""
        node = self._node
        topic = node.resolve_topic_name(INFO_TOPIC)
        if topic == node.resolve_topic_name(INFO_TOPIC, only_expand=True):
            # As image_transport finds it: beside the image.
            image = node.resolve_topic_name(IMAGE_TOPIC)
            topic = f"{image.rpartition('/')[0]}/{INFO_TOPIC}"
        self._subscription = node.create_subscription(
            CameraInfo,
            topic,
            self._receive,
            copy(INFO_QOS),  # rclpy writes overrides into the profile it is given
            qos_overriding_options=QoSOverridingOptions(OVERRIDES),
        )
        self._topic = self._subscription.topic_name

    def _receive(self, info: CameraInfo) -> None:
        """Keep a CameraInfo if it says anything new; cameras repeat it with every image."""
        key = info_key(info)
        if key != self._info_key:
            with self._lock:
                self._info, self._info_key = info, key

    def _make(
        self, options: GroundOptions, info: Any, header: Any, image_size: Size
    ) -> CalibratedCamera:
        """Return the last camera if nothing has changed, or a new one.

        Raises:
            ValueError: There is none.
        """
        image_size = (int(image_size[0]), int(image_size[1]))
        found = None
        if self._transforms is not None:
            found = self._transforms.find(options.frame_id, header.frame_id)
        key = () if found is None else _numbers(found)
        last = self._made
        same = (
            last is not None
            and last.info is info
            and (last.options, last.image_size) == (options, image_size)
        )
        if last is not None and same and last.transform == key:
            return last.camera
        view: View
        model = None
        if options.source == HOMOGRAPHY:
            view = self._homography_view(options, image_size)
        else:
            if info is None:
                raise ValueError(f"no CameraInfo on {self._topic}")
            model = last.model if last is not None and same else None
            model = model or camera_model(info, image_size, options.rectified)
            pose = options.extrinsics if found is None else Extrinsics.from_transform(found)
            view = CameraView(model, pose)
        made = _Made(options, info, image_size, key, model, CalibratedCamera(view, options))
        with self._lock:
            self._made = made
        return made.camera

    def _homography_view(self, options: GroundOptions, image_size: Size) -> HomographyView:
        """Return the view of the homography file."""
        matrix, size = self._homography
        if size not in (None, image_size):
            raise ValueError(
                f"the image is {image_size}, the homography is for {size} (height, width)"
            )
        return HomographyView.from_matrix(matrix, image_size, options.position, options.plane_z_m)


def _pose_values(camera: CalibratedCamera) -> dict[str, str]:
    """Return what people can check about a camera's pose."""
    position = camera.view.position
    values = {
        "camera height above road (m)": f"{camera.height_m:.3f}",
        "camera position (m)": ", ".join(f"{number:.3f}" for number in position),
    }
    if isinstance(camera.view, CameraView):
        x, y, z = camera.view.extrinsics.rotation[:, 2]
        values["camera looks down (deg)"] = f"{np.degrees(-np.arcsin(np.clip(z, -1, 1))):.2f}"
        values["camera looks left (deg)"] = f"{np.degrees(np.arctan2(y, x)):.2f}"
    return values


def _numbers(transform: Any) -> tuple[float, ...]:
    """Return the numbers of a ``geometry_msgs/Transform``."""
    shift, turn = transform.translation, transform.rotation
    return shift.x, shift.y, shift.z, turn.x, turn.y, turn.z, turn.w
