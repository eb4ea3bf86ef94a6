# SPDX-License-Identifier: Apache-2.0
"""What the node says about itself on ``/diagnostics``, once a second, whatever state it is in.

The executor's thread publishes, and by the wall clock: neither an engine that hangs nor a simulated
clock that stands still can silence it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.node.health import loading_status, model_status, no_model_status
from shared_encoder_perception.node.watchdogs import Steady
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.status import Level, Status

TOPIC: Final = "/diagnostics"
PERIOD_S: Final = 1.0
DEPTH: Final = 10
MODEL_TASK: Final = "model"

Loading = Callable[[], tuple[str, float] | None]
"""Says which model is being loaded, and for how many seconds already; ``None`` for none."""

Task = Callable[[], Status | None]
"""Judges one part of the node now; called in the executor's thread. ``None``: there is nothing to
say."""


class Diagnostics:
    """Publishes the status of the model and of every task that was added (REP-107)."""

    def __init__(self, node: Any, period_s: float = PERIOD_S) -> None:
        """Start to publish on ``node`` every ``period_s`` seconds."""
        self._node, self._period_s, self._published_s = node, period_s, 0.0
        self._loading: Loading = lambda: None
        self._name = node.get_fully_qualified_name().lstrip("/")
        self._tasks: dict[str, Task] = {}
        self._held: dict[str, tuple[Steady, Callable[[], float]]] = {}
        self._levels: dict[str, Level] = {}
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, DEPTH)
        # The node's own clock may be a simulated one, which stands still without a simulator.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(period_s, self.publish, clock=clock)
        self.clear_model()

    def add(self, name: str, task: Task, window_s: Callable[[], float] | None = None) -> None:
        """Publish what ``task`` says, too, from now on; the log tells when its level changes.

        Args:
            name: What comes after the node's name in the status' name: ``input``, ``tracking``.
            task: If it raises, that is an error of this task alone.
            window_s: Returns over how long it judges, of one whose level is to be kept from
                flipping, see ``Steady``.

        Raises:
            ValueError: There is a task of that name.
        """
        if name in self._tasks or name == MODEL_TASK:
            raise ValueError(f"there is a diagnostic task {name!r} already")
        self._tasks[name] = task
        if window_s is not None:
            self._held[name] = Steady(), window_s

    def remove(self, name: str) -> None:
        """Say nothing more of a part that was added; nothing happens where there is none."""
        for table in (self._tasks, self._held, self._levels):
            table.pop(name, None)

    def set_model(self, spec: ModelSpec, info: BackendInfo) -> None:
        """Tell from now on which model runs, on what."""
        self._model = model_status(spec, info)

    def clear_model(self, error: str = "") -> None:
        """Tell from now on that none runs, and why if that is an error."""
        self._model = no_model_status(error)

    def watch_loading(self, loading: Loading) -> None:
        """Tell from now on what is being loaded, too."""
        self._loading = loading

    def publish_if_due(self) -> None:
        """Publish unless the last time is less than a period ago.

        For the executor's thread while it waits for something, and its timers for it.
        """
        if perf_counter() - self._published_s >= self._period_s:
            self.publish()

    def publish(self) -> None:
        """Publish once."""
        self._published_s = perf_counter()
        loading = self._loading()
        model = self._model if loading is None else loading_status(self._model, *loading)
        statuses = {MODEL_TASK: model}
        for name, task in self._tasks.items():
            status = _run(task)
            if status is not None:
                if held := self._held.get(name):
                    steady, window_s = held
                    status = steady.status(perf_counter(), window_s(), status)
                statuses[name] = status
                self._log_change(name, status)
        array = DiagnosticArray(status=[self._message(*item) for item in statuses.items()])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _log_change(self, name: str, status: Status) -> None:
        """Write a line where a task's level is another one than last time."""
        # Inactive parts have nothing to tell, and starting well is what everybody expects.
        level = Level.OK if status.level is Level.STALE else status.level
        before, self._levels[name] = self._levels.get(name, Level.OK), level
        if status.level is Level.STALE or level is before:
            return
        logger, text = self._node.get_logger(), f"{name}: {status.message}"
        # rclpy ties a severity to the line that it is logged from: one line for each.
        if status.level is Level.ERROR:
            logger.error(text)
        elif status.level is Level.WARN:
            logger.warning(text)
        else:
            logger.info(text)

    def _message(self, task: str, status: Status) -> DiagnosticStatus:
        """Translate one status."""
        return DiagnosticStatus(
            level=bytes([status.level]),
            name=f"{self._name}: {task}",
            message=printable(status.message),
            hardware_id=self._name,
            values=[
                KeyValue(key=key, value=printable(text)) for key, text in status.values.items()
            ],
        )


def _run(task: Task) -> Status | None:
    """Ask a task; one that fails says so, and does not keep the others from being heard."""
    try:
        return task()
    except Exception as error:  # whatever it is, it must not stop the diagnostics
        text = " ".join(str(error).split())
        return Status(Level.ERROR, f"cannot be judged, {type(error).__name__}: {text}")
