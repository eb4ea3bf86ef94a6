# SPDX-License-Identifier: Apache-2.0
"""What a rig's node listens to: images and CameraInfo of each camera, and TF."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from rclpy.clock import Clock, ClockType
from rclpy.qos import HistoryPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.calibration import INFO_QOS, OVERRIDES
from shared_encoder_perception.node.input_health import TopicState
from shared_encoder_perception.node.inputs import RELIABILITY
from shared_encoder_perception.node.rig.calibration import RigCalibration
from shared_encoder_perception.node.topic_watch import TopicWatch
from shared_encoder_perception.node.transforms import Transforms
from shared_encoder_perception.rig.rig_entries import COMPRESSED, CameraEntry, RigFileError
from shared_encoder_perception.rig.rig_file import RigFile, read_rig

LOOK_PERIOD_S: Final = 0.5
"""Between two looks at TF."""


def read_topics(path: Path) -> RigFile:
    """Read a ``rig.yaml`` whose cameras all have a topic.

    Raises:
        RigFileError: It is none, or a camera has none; the message names file and camera.
        OSError: It cannot be read.
    """
    file = read_rig(path)
    for entry in file.entries:
        if not entry.topic:
            raise RigFileError(f"{path}: camera {entry.name} has no topic, which a node listens to")
    return file


class RigInputs:
    """Subscriptions of all cameras; images come from the constructor on.

    Everything here is for the executor's thread.
    """

    def __init__(
        self,
        node: Any,
        file: RigFile,
        reliability: str,
        depth: int,
        receive: Callable[[str, Any, float], None],
        calibration: RigCalibration,
    ) -> None:
        """Subscribe.

        Args:
            node: The node; its remappings apply.
            file: The rig.
            reliability: Value of the parameter ``input.reliability``.
            depth: Images of each camera that the middleware keeps until the executor takes them.
            receive: Called with the camera's name, an image and when it came, ``perf_counter``.
            calibration: Learns what CameraInfo and TF say.

        Raises:
            ValueError: TF is needed, and not installed.
            Exception: A topic name or a QoS override that ROS does not take; rclpy's types differ.
        """
        self._node, self._file, self._calibration = node, file, calibration
        self._watches: dict[str, TopicWatch] = {}
        self._subscriptions: list[Any] = []
        self._infos: dict[str, Any] = {}
        self._transforms: Transforms | None = None
        self._timer: Any = None
        self.tf_problems: dict[str, str] = {}
        """Why TF does not know where a camera is, by its name."""
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=RELIABILITY[reliability]
        )
        try:
            if any(entry.tf_frame for entry in file.entries):
                self._transforms = Transforms(
                    node, "a camera of the rig has a tf_frame", "give its pose"
                )
                clock = Clock(clock_type=ClockType.STEADY_TIME)
                self._timer = node.create_timer(LOOK_PERIOD_S, self._look, clock=clock)
            for entry in file.entries:
                self._subscribe(entry, profile, receive)
        except BaseException:
            self.destroy()
            raise

    def state(self, name: str) -> TopicState:
        """Return what the ROS graph says of a camera's images."""
        return self._watches[name].state()

    def info_publishers(self, name: str) -> int | None:
        """Return how many publish a camera's CameraInfo; ``None`` where nobody needs it."""
        subscription = self._infos.get(name)
        if subscription is None:
            return None
        return int(self._node.count_publishers(subscription.topic_name))

    def destroy(self) -> None:
        """Remove everything from the node."""
        for watch in self._watches.values():
            watch.watch(None)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        if self._transforms is not None:
            self._transforms.destroy()
            self._transforms = None

    def _subscribe(
        self, entry: CameraEntry, profile: QoSProfile, receive: Callable[[str, Any, float], None]
    ) -> None:
        """Subscribe to what one camera sends."""
        node, name = self._node, entry.name
        if entry.info_topic:  # before the images: what it says counts for them
            self._infos[name] = node.create_subscription(
                CameraInfo,
                entry.info_topic,
                partial(self._receive_info, name),
                copy(INFO_QOS),  # rclpy writes overrides into the profile it is given
                qos_overriding_options=QoSOverridingOptions(OVERRIDES),
            )
            self._subscriptions.append(self._infos[name])
        watch = TopicWatch(node, f"the transport of camera {name} in the rig.yaml")
        subscription = node.create_subscription(
            CompressedImage if entry.transport == COMPRESSED else Image,
            entry.image_topic,
            lambda message: receive(name, message, perf_counter()),
            copy(profile),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            event_callbacks=watch.event_callbacks(),
        )
        watch.watch(subscription)
        self._watches[name] = watch
        self._subscriptions.append(subscription)

    def _receive_info(self, name: str, info: CameraInfo) -> None:
        """Pass a CameraInfo on."""
        self._calibration.receive_info(name, info, stamp_ns(info.header))

    def _look(self) -> None:
        """Ask TF where cameras are."""
        for entry in self._file.entries:
            if not entry.tf_frame or self._transforms is None:
                continue
            try:
                found = self._transforms.find(self._file.frame_id, entry.tf_frame)
            except ValueError as error:
                self.tf_problems[entry.name] = str(error)
            else:
                self.tf_problems.pop(entry.name, None)
                self._calibration.receive_transform(entry.name, found)
