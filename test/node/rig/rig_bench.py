# SPDX-License-Identifier: Apache-2.0
"""Four cameras around a vehicle, the node that listens to them, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from four_cameras import FOCAL, GRID, NAMES, PICTURES, SIZE, lens
from local_node import FakeBackend
from nav_msgs.msg import OccupancyGrid
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.node.rig.surround_node import SurroundNode
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.rig_predictor import RigPredictor

MAPS = ("surround/occupancy", "surround/vehicles", "surround/drivable")
DRIVABLE = MAPS[2]
PERIOD_S = 0.1
OPTIONS: dict[str, Any] = {
    "grid.x_min_m": GRID.x_min_m,
    "grid.y_min_m": GRID.y_min_m,
    "grid.cells_x": GRID.cells_x,
    "grid.cells_y": GRID.cells_y,
    "grid.cell_m": GRID.cell_m,
    "diagnostics.period_s": 0.1,
    "diagnostics.window_s": 1.0,
    "rig.wait_s": 0.3,
    "rig.dead_s": 1.0,
    "input.reliability": "reliable",
    "input.depth": 100,
    "backend.threads": 1,
}
"""No image may be lost before the node could count it: the middleware holds them all."""


def info(focal: float = FOCAL, size: tuple[int, int] = SIZE) -> CameraInfo:
    """Return what a camera says of its lens."""
    return CameraInfo(width=size[1], height=size[0], k=lens(focal, size).k)


def cells(message: OccupancyGrid) -> np.ndarray:
    """Return the (Y, X) values of a map."""
    return np.array(message.data, np.int8).reshape(message.info.height, message.info.width)


def offline(
    model: Path | str,
    file: RigFile,
    infos: Mapping[str, Any] | None = None,
    grid: BevGrid | None = GRID,
    tf: Mapping[str, Any] | None = None,
) -> RigPredictor:
    """Return what the node's answers have to equal."""
    backend = load_backend(model, "auto", BackendOptions(threads=OPTIONS["backend.threads"]))
    return RigPredictor(backend, file.rig(infos, tf), grid)


@dataclass
class Bench:
    """Who talks to a node.

    Attributes:
        peer: Of the harness.
        maps: The last map of each topic.
        statuses: The last of each task.
        now_s: Stamp of the last moment.
        sent: Images of each camera.
        late_s: How much later than the moment a camera's images are stamped.
        drawn: Every drivable map that came.
    """

    peer: Any
    maps: dict[str, Any] = field(default_factory=dict)
    statuses: dict[str, DiagnosticStatus] = field(default_factory=dict)
    now_s: float = 1000.0
    sent: dict[str, int] = field(default_factory=dict)
    late_s: dict[str, float] = field(default_factory=dict)
    drawn: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Join the node's topics."""
        node, qos = self.peer.node, QoSProfile(depth=100)
        self.images = {name: node.create_publisher(Image, f"{name}/image", qos) for name in NAMES}
        self.infos = {
            name: node.create_publisher(CameraInfo, f"{name}/camera_info", qos) for name in NAMES
        }
        for topic in MAPS:
            self.listen(topic, OccupancyGrid)
        node.create_subscription(DiagnosticArray, TOPIC, self._see, qos)

    def listen(self, topic: str, kind: Any) -> Any:
        """Keep the last message of a topic; return the subscription."""

        def keep(message: Any) -> None:
            self.maps[topic] = message
            if topic == DRIVABLE:
                self.drawn.append(cells(message).tobytes())

        return self.peer.node.create_subscription(kind, topic, keep, QoSProfile(depth=100))

    def _see(self, array: DiagnosticArray) -> None:
        """Keep what the node says of itself."""
        prefix = f"{self.peer.node.get_namespace().strip('/')}/perception: "
        own = {s.name.removeprefix(prefix): s for s in array.status if s.name.startswith(prefix)}
        if own:
            self.statuses = own

    def values(self, task: str) -> dict[str, str]:
        """Return the keys and values of a task."""
        status = self.statuses.get(task)
        return {one.key: one.value for one in status.values} if status else {}

    def send(self, *names: str, pictures: Mapping[str, np.ndarray] = PICTURES) -> None:
        """Publish the images of the next moment."""
        self.now_s = round(self.now_s + PERIOD_S, 3)
        for name in names or NAMES:
            message = Image()
            at_ns = round((self.now_s + self.late_s.get(name, 0.0)) * 1e9)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(at_ns, 10**9)
            message.header.frame_id = f"{name}_optical"
            fill_image(message, pictures[name], "bgr8")
            self.images[name].publish(message)
            self.sent[name] = self.sent.get(name, 0) + 1

    def until(
        self,
        condition: Callable[[], Any],
        *names: str,
        pictures: Mapping[str, np.ndarray] = PICTURES,
        infos: Mapping[str, CameraInfo] | None = None,
    ) -> None:
        """Publish moment after moment until a condition holds."""

        def holds() -> bool:
            for name, one in (infos or {}).items():
                self.infos[name].publish(one)
            if infos:
                self.peer.spin_for(0.02)  # the lens is told before the image that it took
            self.send(*names, pictures=pictures)
            return bool(self.peer.spin_until(_once_told(condition), 0.1))

        assert self.peer.spin_until(holds), self.told()

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds, and send nothing."""
        assert self.peer.spin_until(_once_told(condition)), self.told()

    def told(self) -> dict[str, str]:
        """Return what the node says of itself, for people."""
        return {name: status.message for name, status in self.statuses.items()}

    def active(self, *names: str) -> bool:
        """Whether cameras are all well."""
        return all(self.values(f"camera {name}").get("state") == "active" for name in names)

    def says(self, task: str, *words: str) -> bool:
        """Whether the message of a task holds some words."""
        status = self.statuses.get(task)
        return status is not None and all(word in status.message for word in words)

    def shows(self, topic: str, expected: np.ndarray) -> bool:
        """Whether the last map is as expected."""
        return topic in self.maps and bool((cells(self.maps[topic]) == expected).all())

    def stamp_s(self, topic: str) -> float:
        """Return when the last message of a topic was taken."""
        stamp = self.maps[topic].header.stamp
        return round(float(stamp.sec + stamp.nanosec * 1e-9), 3)

    def discovered(self) -> None:
        """Wait until the node hears every camera, and we hear the node."""
        publishers = self.images.values()
        self.wait(lambda: all(one.get_subscription_count() for one in publishers))
        topics = [f"{self.peer.node.get_namespace()}/{topic}" for topic in MAPS]
        self.wait(lambda: all(self.peer.node.count_publishers(topic) for topic in topics))
        self.wait(lambda: self.statuses)

    def reload(self) -> Any:
        """Call ``~/reload_rig``."""
        return self.peer.call(Trigger, "reload_rig", Trigger.Request())


class RigNodeProcess(ros.NodeProcess):
    """The rig's node in a process of its own."""

    COMMAND = ("-m", "shared_encoder_perception.node.rig")


@contextmanager
def rig_process(folder: Path, model: str, rig: Path, **options: Any) -> Iterator[tuple[Any, Bench]]:
    """Yield a node's process and who talks to it."""
    namespace = ros.new_namespace()
    values = {**OPTIONS, "model.path": model, "rig.file": str(rig), **options}
    given = [f"{name}:={_literal(value)}" for name, value in values.items()]
    arguments = [word for one in given for word in ("-p", one)]
    process = RigNodeProcess(folder, namespace, "-r", "__node:=perception", *arguments)
    try:
        with ros.peer_in(namespace, process) as peer:
            yield process, Bench(peer)
    finally:
        process.kill()


class LocalRig:
    """The rig's node in this process, with a backend that misbehaves on demand."""

    def __init__(self, model: Path, rig: Path, namespace: str, **options: Any) -> None:
        """Create the node in a context of its own; nothing is started."""
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=ros.DOMAIN_ID)
        self.backends: list[FakeBackend] = []
        values = {**OPTIONS, "model.path": str(model), "rig.file": str(rig), **options}
        self.node = SurroundNode(
            self._load,  # type: ignore[arg-type]
            context=self.context,
            namespace=namespace,
            cli_args=["--ros-args", "-r", "__node:=perception"],
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )

    def _load(self, *asked: Any) -> FakeBackend:
        self.backends.append(FakeBackend(load_backend(*asked)))
        return self.backends[-1]

    def close(self) -> None:
        """Open all gates and end the node."""
        for backend in self.backends:
            backend.gate.set()
        self.node.stop()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@contextmanager
def local_rig(model: Path, rig: Path, **options: Any) -> Iterator[tuple[LocalRig, Bench]]:
    """Yield a node that is active, and who talks to it."""
    namespace = ros.new_namespace()
    local = LocalRig(model, rig, namespace, **options)
    try:
        with ros.peer_in(namespace) as peer:
            assert local.node.start()
            with ros.served(local.node):
                yield local, Bench(peer)
    finally:
        local.close()


def _literal(value: Any) -> str:
    """Write a value as YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _once_told(condition: Callable[[], Any]) -> Callable[[], Any]:
    """Return a condition that does not hold while a value that it asks for was never told."""

    def holds() -> Any:
        try:
            return condition()
        except KeyError:
            return False

    return holds
