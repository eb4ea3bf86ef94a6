# SPDX-License-Identifier: Apache-2.0
"""Paints a lidar's clouds with what the model says of the images beside them.

In a thread of its own: a cloud waits for the image that is nearest in time, and neither the
executor nor the inference thread waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any, Final

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import PointCloud2

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.pose_file import load_pose
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.calibration import OVERRIDES, Calibration
from shared_encoder_perception.node.messages import new_message
from shared_encoder_perception.node.painting_health import (
    LOST,
    REPLACED,
    UNHEARD,
    Painted,
    PaintingHealth,
)
from shared_encoder_perception.node.pairing import Pair, Pairing
from shared_encoder_perception.node.parameter_groups.painting import ENABLED, POSE, PaintingOptions
from shared_encoder_perception.node.topic_watch import create_output, misfit_subscribers
from shared_encoder_perception.node.transforms import Transforms
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.painting import (
    NO_CAMERA_INFO,
    NO_IMAGE,
    NO_TRANSFORM,
    NOBODY,
    UnpaintedError,
    paint_cloud,
    paint_options,
    painter,
)
from shared_encoder_perception.tasks.status import Status

POINTS_TOPIC, PAINTED_TOPIC = "points", "points/painted"
POINTS_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT
)
"""Hears every lidar; ROS's ``qos_overrides`` change it."""
PAINTED_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)
STOP_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, eq=False)
class _Answer:
    """What was said of an image, and what its header says."""

    header: Any
    image_size: Size
    answer: Any


class Painting:
    """Clouds in, painted clouds out, between start and stop.

    Attributes:
        options: What the parameters say; may be replaced at any time.
    """

    def __init__(
        self,
        node: Any,
        names: tuple[str, ...],
        options: PaintingOptions,
        calibration: Calibration,
        report: Callable[[str], None],
    ) -> None:
        """Create the publisher on a ``LifecycleNode``, and listen to TF if it is needed.

        Args:
            node: The node; its remappings apply.
            names: Tasks that the model answers.
            options: See the attribute.
            calibration: Has the CameraInfo.
            report: Called, in threads of others, with the reason why a cloud was not painted.

        Raises:
            ValueError: The model paints nothing, or a parameter names what is not there.
        """
        self.options = options
        self._task, self._room = painter(names, f"{ENABLED} is set")
        self._node, self._calibration, self._report = node, calibration, report
        self._pose = load_pose(Path(options.pose)) if options.pose else None
        self._own_transforms: Transforms | None = None
        self._transforms = calibration.transforms
        if self._pose is None and self._transforms is None:
            who, instead = f"{ENABLED} is set and {POSE} is not", f"set {POSE}"
            self._transforms = self._own_transforms = Transforms(node, who, instead)
        self._publisher = create_output(node, PointCloud2, PAINTED_TOPIC, PAINTED_QOS)
        self._health = PaintingHealth()
        self._model: tuple[Any, Size, bool, CameraModel] | None = None
        self._subscription: Any = None
        self._pairing = Pairing()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Subscribe, and paint what comes while the publisher is active.

        Raises:
            Exception: A QoS override that ROS does not take; rclpy's types differ.
        """
        self.stop()
        self._pairing = Pairing()
        self._subscription = self._node.create_subscription(
            PointCloud2,
            POINTS_TOPIC,
            self._receive,
            copy(POINTS_QOS),  # rclpy writes overrides into the profile it is given
            qos_overriding_options=QoSOverridingOptions(OVERRIDES),
        )
        self._health.start(perf_counter(), self._subscription.topic_name)
        self._thread = Thread(target=self._run, args=(self._pairing,), name="painting", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Unsubscribe and end the thread; clouds that wait are counted as lost."""
        if self._subscription is None:
            return
        self._node.destroy_subscription(self._subscription)
        self._subscription = None
        self._health.drop(LOST, count=self._pairing.close())
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)
        self._health.stop()

    def destroy(self) -> None:
        """Remove publisher and subscriptions from the node."""
        self.stop()
        self._node.destroy_lifecycle_publisher(self._publisher)
        if self._own_transforms is not None:
            self._own_transforms.destroy()

    def see(self, header: Any, perception: Perception) -> None:
        """Paint clouds near an image by what was said of it (inference thread)."""
        answer = perception.answers[self._task]
        seen = _Answer(header, perception.image_size, answer)
        self._pairing.add_answer(stamp_ns(header), seen)

    def forget(self) -> None:
        """Let go of what was said of images before a jump in time."""
        self._pairing.forget()

    def status(self, window_s: float) -> Status:
        """Judge how clouds are painted, over the last seconds (executor's thread)."""
        topic, publisher = self._health.topic, self._publisher
        return self._health.status(
            perf_counter(),
            window_s,
            publishers=self._node.count_publishers(topic) if topic else 0,
            subscribers=publisher.get_subscription_count(),
            misfits=tuple(misfit_subscribers(self._node, (publisher,))),
        )

    def _receive(self, cloud: PointCloud2) -> None:
        """Let a cloud wait for its image (executor's thread)."""
        self._health.received()
        if not self._publisher.get_subscription_count():
            self._health.drop(UNHEARD)
            return
        self._pairing.max_wait_s = self.options.max_wait_s
        if self._pairing.add_cloud(stamp_ns(cloud.header), cloud):
            self._health.drop(REPLACED, "clouds come faster than they are painted")

    def _run(self, pairing: Pairing) -> None:
        """Paint clouds until there are no more."""
        while (pair := pairing.take()) is not None:
            try:
                self._paint(pair)
            except UnpaintedError as error:
                self._tell(error.reason, f"cloud not painted: {error}")
            except Exception as error:  # the next cloud may be another one
                self._tell(LOST, f"cloud lost, {type(error).__name__}: {error}")

    def _paint(self, pair: Pair) -> None:
        """Paint one cloud and publish it.

        Raises:
            UnpaintedError: It is not painted.
        """
        start_s, options = perf_counter(), self.options
        seen = self._seen(pair, options)
        camera = self._camera(seen)
        to_camera = self._to_camera(seen, pair.cloud, options)
        message, painted = paint_cloud(
            pair.cloud,
            to_camera,
            camera,
            seen.answer,
            self._room,
            paint_options(self._room, options.hidden_too),
            new_message,
        )
        if not self._node.context.ok():
            return
        self._publisher.publish(message)
        known = float((painted.ids != NOBODY).mean()) if len(painted.ids) else 0.0
        ms = (perf_counter() - start_s) * 1e3
        self._health.painted(Painted(ms, pair.skew_s * 1e3, known))

    def _seen(self, pair: Pair, options: PaintingOptions) -> _Answer:
        """Return what was said of the image, if that is near enough in time."""
        if pair.answer is None:
            raise UnpaintedError(NO_IMAGE, "no image has been perceived yet")
        seen: _Answer = pair.answer
        stamps = {"cloud": stamp_ns(pair.cloud.header), "image": stamp_ns(seen.header)}
        if unstamped := [name for name, stamp in stamps.items() if not stamp]:
            raise UnpaintedError(NO_IMAGE, f"the {unstamped[0]} has no stamp")
        if abs(pair.skew_s) > options.max_skew_s:
            side = "after" if pair.skew_s > 0 else "before"
            raise UnpaintedError(
                NO_IMAGE,
                f"the nearest image was taken {abs(pair.skew_s):.3f} s {side} it, "
                f"painting.max_skew_s is {options.max_skew_s:g}",
            )
        return seen

    def _camera(self, seen: _Answer) -> CameraModel:
        """Return the camera of an image: the last one, while nothing has changed."""
        info, is_rectified = self._calibration.camera_info, self._calibration.options.rectified
        if info is None:
            topic = self._calibration.info_topic
            raise UnpaintedError(NO_CAMERA_INFO, f"no CameraInfo on {topic} yet")
        last = self._model
        if last is not None and last[0] is info and last[1:3] == (seen.image_size, is_rectified):
            return last[3]
        try:
            model = camera_model(info, seen.image_size, is_rectified)
        except ValueError as error:
            raise UnpaintedError(NO_CAMERA_INFO, str(error)) from error
        self._model = info, seen.image_size, is_rectified, model
        return model

    def _to_camera(self, seen: _Answer, cloud: PointCloud2, options: PaintingOptions) -> Rigid:
        """Return what takes the cloud's points to the camera at the image's time."""
        if self._pose is not None:
            return self._pose
        transforms, target, source = self._transforms, seen.header, cloud.header
        assert transforms is not None
        try:
            if options.fixed_frame:
                found = transforms.find_over(
                    target.frame_id,
                    target.stamp,
                    source.frame_id,
                    source.stamp,
                    options.fixed_frame,
                )
            else:
                found = transforms.find(target.frame_id, source.frame_id)
            return Rigid.from_transform(found)
        except ValueError as error:
            raise UnpaintedError(NO_TRANSFORM, str(error)) from error

    def _tell(self, reason: str, text: str) -> None:
        """Count a cloud that is not painted, and say why."""
        self._health.drop(reason, text)
        with suppress(Exception):  # a log that fails is no reason to stop
            self._report(text)
