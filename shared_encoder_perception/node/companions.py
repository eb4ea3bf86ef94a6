# SPDX-License-Identifier: Apache-2.0
"""Pictures that the model compares images with: from a topic, a file, or the camera itself.

Of one camera. The newest counts, whichever way it came, see ``newest``; one that does not fit does
not bring back the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import picture_header
from shared_encoder_perception.images.taken import Taken, of_file, of_message
from shared_encoder_perception.node.calibration import OVERRIDES
from shared_encoder_perception.node.newest import Newest
from shared_encoder_perception.node.parameter_groups.background import (
    FILE,
    TRANSPORT,
    BackgroundOptions,
)
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED
from shared_encoder_perception.node.services import Later
from shared_encoder_perception.node.topic_watch import TopicWatch
from shared_encoder_perception.tasks.companions import (
    BACKGROUND,
    Demands,
    chosen,
    unreadable,
)
from shared_encoder_perception.tasks.contract.refining import CompanionState

CAPTURE_TIMEOUT_S: Final = 5.0
"""Longest wait for an image that can become the picture."""
LOOK_PERIOD_S: Final = 1.0
"""Between two looks at who publishes one, while there is none."""
LATCHED_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""A picture that was published once, before there was a node; ROS's ``qos_overrides`` change it."""
CAPTURE_THREAD, READ_THREAD = "capture", "read background"


@dataclass(eq=False)
class _Capture:
    """An image that is waited for."""

    came: Event = field(default_factory=Event)
    companion: Taken | None = None


class CompanionInput:
    """One of the pictures. Calling it is for the inference thread, the rest for any other.

    Attributes:
        state: What is known of it, at the last image.
    """

    def __init__(
        self, node: Any, name: str, options: BackgroundOptions, idle: Callable[[], str]
    ) -> None:
        """Subscribe, offer the services, and read the file.

        Args:
            node: The node; its remappings apply.
            name: Of the model's input: the topic's, and part of the services'.
            options: What the parameters say.
            idle: Returns why no image is perceived at present; empty where some are.

        Raises:
            Exception: A QoS override that ROS does not take; rclpy's types differ.
        """
        self._node, self._name, self._idle = node, name, idle
        self._options = options if name == BACKGROUND else BackgroundOptions()
        self._lock = Lock()
        self._newest = Newest(name, node.get_logger().warning)
        self._wanted: _Capture | None = None
        self._missing = ""
        self.state = CompanionState()
        here = node.get_fully_qualified_name()
        self._by_service, self._again = f"{here}/capture_{name}", f"{here}/reload_{name}"
        if self._options.file:  # before anything can come on the topic
            self._read(self._options.file)
        self._watch = TopicWatch(node, transport=TRANSPORT, reliability="")
        self._subscription = self._subscribe()
        self._watch.watch(self._subscription)
        capture, reread = f"~/capture_{name}", f"~/reload_{name}"
        busy = f"the next image is waited for already, or the last {name} is being saved"
        self._capturing = Later(node, self._capture, busy, CAPTURE_THREAD)
        self._reading = Later(node, self._reread, "the file is being read already", READ_THREAD)
        apart, create = ReentrantCallbackGroup(), node.create_service
        self._services = [
            create(Trigger, capture, self._capturing.answer, callback_group=apart),
            create(Trigger, reread, self._reading.answer, callback_group=apart),
        ]
        self._timer = node.create_timer(
            LOOK_PERIOD_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._look()
        one = self._newest.in_use
        if one is not None and one.fault:
            self.state = unreadable(one, self._demands())
        node.add_on_set_parameters_callback(self._check)

    def __call__(self, message: Any, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what to compare an image with: itself where nothing is of use, see ``state``.

        Args:
            message: The image's.
            image: Its pixels, (H, W, 3) uint8 BGR; nobody writes to them.
        """
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.companion = of_message(message, f"the camera by {self._by_service}", image)
            self._newest.use(wanted.companion)
            wanted.came.set()
        seen = of_message(message, "", image)
        picture, self.state = chosen(self._newest(seen), seen, self._demands())
        return picture

    def set_options(self, options: BackgroundOptions) -> None:
        """Treat the next image by these; read another file, in a thread of its own."""
        if self._name != BACKGROUND:
            return
        before, self._options = self._options, options
        if options.file == before.file:
            return
        if options.file:
            Thread(target=self._read, args=(options.file,), name=READ_THREAD, daemon=True).start()
            return
        self._newest.drop(before.file)  # a file that nobody names any more is none

    def destroy(self) -> None:
        """Remove everything from the node."""
        self._watch.watch(None)
        self._node.remove_on_set_parameters_callback(self._check)
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)
        for service in self._services:
            self._node.destroy_service(service)

    def _subscribe(self) -> Any:
        """Subscribe to the picture."""
        compressed = self._options.transport == COMPRESSED
        # As image_transport does it: a remapped topic takes its compressed one along.
        topic = self._node.resolve_topic_name(self._name) + ("/compressed" if compressed else "")
        return self._node.create_subscription(
            CompressedImage if compressed else Image,
            topic,
            lambda message: self._newest.arrived(partial(of_message, message, topic)),
            copy(LATCHED_QOS),  # rclpy writes overrides into the profile it is given
            qos_overriding_options=QoSOverridingOptions(OVERRIDES),
            event_callbacks=self._watch.event_callbacks(),
        )

    def _check(self, changes: Sequence[Any]) -> SetParametersResult:
        """Refuse a file that is no picture, as far as its header tells (executor's thread)."""
        for change in changes:
            file = change.value
            if change.name != FILE or self._name != BACKGROUND or file in ("", self._options.file):
                continue
            try:
                picture_header(_path(str(file)))
            except (PictureError, OSError) as error:
                reason = f"{FILE} {file} {error}; the {self._name} stays what it was"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _read(self, file: str) -> str:
        """Use the picture of a file from the next image on; return why not, empty where it is."""
        companion = of_file(_path(file), file)
        said = f"{FILE} {file} {companion.fault}"
        stays = self._newest.use_file(companion, f"{said}; mend it and call {self._again}")
        if not companion.fault:
            return ""
        kept = f"; the {self._name} from {stays} stays in use" if stays else ""
        self._node.get_logger().error(said + kept)
        return said + kept

    def _reread(self) -> str:
        """Read the file again (thread of its own)."""
        if not (file := self._options.file):
            raise ValueError(f"{FILE} is not set: there is no file to read")
        if fault := self._read(file):
            raise ValueError(fault)
        return f"{file} is the {self._name} now"

    def _capture(self) -> str:
        """Wait for the next image, which becomes the picture, and save it (thread of its own)."""
        if why := self._idle():
            raise RuntimeError(why)
        wanted = _Capture()
        with self._lock:
            self._wanted = wanted
        wanted.came.wait(CAPTURE_TIMEOUT_S)
        with self._lock:
            self._wanted = None
        companion = wanted.companion
        if companion is None or companion.picture is None:
            raise RuntimeError(
                f"no image that can be used came within {CAPTURE_TIMEOUT_S:g} s, and the "
                f"{self._name} stays what it was: see the task input in /diagnostics"
            )
        (height, width), when = companion.picture.shape[:2], divmod(companion.stamp_ns, 10**9)
        said = f"the image of {when[0]}.{when[1]:09d}, {width}x{height}, is the {self._name} now"
        if file := self._options.save_to:
            try:
                write_picture(_path(file), companion.picture)
            except (OSError, ValueError) as error:
                raise RuntimeError(f"{said}, but cannot be saved: {error}") from None
            said += f", and saved as {file}"
        self._node.get_logger().info(said)
        return said

    def _look(self) -> None:
        """See who publishes the picture (executor's thread)."""
        if self._newest.any:
            return
        state = self._watch.state()
        why = state.mismatch or state.hint or "nobody does"
        if state.publishers and not state.mismatch:
            who = "one publisher" if state.publishers == 1 else f"{state.publishers} publishers"
            why = f"it has {who}, but no picture has come"
        self._missing = why

    def _demands(self) -> Demands:
        """Return what is asked of the picture at present."""
        name, topic = self._name, self._subscription.topic_name
        file = f"set {FILE}, " if name == BACKGROUND else ""
        ways = f"{file}or call {self._by_service} while the place is empty"
        return Demands(
            name,
            f"there is no {name}: publish one on {topic} ({self._missing}), {ways}",
            f"publish another one on {topic}, {ways}",
            self._options.max_age_s,
            self._newest.note,
        )


def _path(file: str) -> Path:
    """Return the path of a file that people named, perhaps by ``~``."""
    try:
        return Path(file).expanduser()
    except RuntimeError:  # nobody has such a home
        return Path(file)


class Companions:
    """All pictures that a model compares the images of one camera with."""

    def __init__(
        self, node: Any, names: Sequence[str], options: BackgroundOptions, idle: Callable[[], str]
    ) -> None:
        """Make the input of each; see there."""
        if options != BackgroundOptions() and BACKGROUND not in names:
            node.get_logger().warning(
                "parameters background.* were given, but this model compares images with no "
                f"{BACKGROUND}: they have no effect"
            )
        self._inputs = {name: CompanionInput(node, name, options, idle) for name in names}

    @property
    def states(self) -> Mapping[str, CompanionState]:
        """What is known of each, at the last image (inference thread)."""
        return {name: one.state for name, one in self._inputs.items()}

    def __call__(self, message: Any, image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """Return what to compare an image with (inference thread); see ``CompanionInput``."""
        return {name: one(message, image) for name, one in self._inputs.items()}

    def set_options(self, options: BackgroundOptions) -> None:
        """Treat the next image by these."""
        for one in self._inputs.values():
            one.set_options(options)

    def destroy(self) -> None:
        """Remove everything from the node."""
        for one in self._inputs.values():
            one.destroy()
