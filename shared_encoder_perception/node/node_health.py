# SPDX-License-Identifier: Apache-2.0
"""Joins node, inference thread and diagnostics: the tasks input, processing and output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks

from shared_encoder_perception import tasks
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.diagnostics import Diagnostics
from shared_encoder_perception.node.health import Audience, OutputHealth, ProcessingHealth
from shared_encoder_perception.node.input_health import WAITING, InputHealth
from shared_encoder_perception.node.topic_watch import TopicWatch
from shared_encoder_perception.node.watchdogs import Steady, WatchdogOptions
from shared_encoder_perception.node.worker import Worker
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.status import Status


class NodeHealth:
    """Watches one camera's way through the node, from topic to topic."""

    def __init__(
        self,
        node: Any,
        diagnostics: Diagnostics,
        options: WatchdogOptions,
        lifecycle: Callable[[], str],
        audience: Callable[[], Audience],
        label: str = "",
    ) -> None:
        """Add the tasks to ``diagnostics``.

        Args:
            node: The node.
            diagnostics: Publishes them.
            options: When to complain.
            lifecycle: Returns the label of the node's lifecycle state.
            audience: Returns who listens to what is published.
            label: Name of the camera, where the node has several; part of the tasks' names.
        """
        self._node, self._lifecycle, self._audience = node, lifecycle, audience
        self._topic = TopicWatch(node)
        self._worker: Worker | None = None
        self._input, self._processing = InputHealth(options), ProcessingHealth(options)
        self._output = OutputHealth(node.get_fully_qualified_name(), options)
        self._options = options
        self._steady = {part: Steady() for part in (self._input, self._processing, self._output)}
        suffix = f" {label}" if label else ""
        diagnostics.add(f"input{suffix}", self._input_status)
        diagnostics.add(f"processing{suffix}", self._processing_status)
        diagnostics.add(f"output{suffix}", self._output_status)

    def set_options(self, options: WatchdogOptions) -> None:
        """Complain by these options from now on."""
        self._options = options
        self._input.options = self._processing.options = self._output.options = options

    def event_callbacks(self) -> SubscriptionEventCallbacks:
        """Return what to create the image subscription with, to hear of QoS that does not fit."""
        return self._topic.event_callbacks()

    def start(self, worker: Worker, subscription: Any, names: Sequence[str]) -> None:
        """Watch a new inference thread and the subscription that feeds it.

        Args:
            worker: The thread.
            subscription: To the images.
            names: Tasks that the model answers.
        """
        now_s = perf_counter()
        self._worker = worker
        self._topic.watch(subscription)
        self._contents = tasks.parts("content", names)
        for part in (self._input, self._processing):
            part.start(now_s)
        things = [thing for content in self._contents.values() for thing in content.FOUND]
        self._output.start(now_s, things)

    def settle(self) -> None:
        """Take no notice of what an exchange on purpose did to rates and times (any thread)."""
        self._input.settle()
        self._processing.settle()
        self._output.settle(perf_counter())

    def stop(self) -> None:
        """Watch none; to be called before the subscription is destroyed."""
        self._input.stop()
        self._processing.stop()
        self._topic.watch(None)
        self._worker = None

    def received(self, header: Any, received_s: float) -> None:
        """Note that an image came (executor's thread)."""
        self._input.received(received_s, stamp_ns(header))

    def published(self, perception: Perception) -> None:
        """Note that everything about an image was published (inference thread)."""
        self._output.published(
            [
                thing
                for name, content in self._contents.items()
                for thing in content.found(perception.answers[name])
            ]
        )

    def report(self, problem: str) -> None:
        """Note why an image was not perceived, or what was odd about it (inference thread)."""
        self._input.last_problem = self._processing.last_problem = problem

    def _counts(self) -> dict[str, int]:
        """Return what became of the images, by name."""
        return asdict(self._worker.counts) if self._worker else {}

    def _input_status(self) -> Status:
        """Judge the input now."""
        stamps = asdict(self._worker.stamps) if self._worker else {}
        clock_ns = self._node.get_clock().now().nanoseconds
        sim_time = bool(self._node.get_parameter("use_sim_time").value)
        status = self._input.status(
            perf_counter(), self._counts(), stamps, self._topic.state(), clock_ns, sim_time
        )
        return self._held(self._input, status, status.values["state"] == WAITING)

    def _processing_status(self) -> Status:
        """Judge the processing now."""
        worker = self._worker
        times = worker.stage_times() if worker else []
        enabled = worker.enabled if worker else True
        busy_since_s = worker.busy_since_s() if worker else None
        status = self._processing.status(
            perf_counter(), self._counts(), times, busy_since_s, enabled
        )
        return self._held(self._processing, status)

    def _output_status(self) -> Status:
        """Judge the output now."""
        lifecycle = self._lifecycle()
        status = self._output.status(perf_counter(), lifecycle, self._audience(), self._counts())
        return self._held(self._output, status, (lifecycle, self._output.is_publishing))

    def _held(self, part: Any, status: Status, key: object = None) -> Status:
        """Keep the level of a part from flipping.

        Args:
            part: Whose it is.
            status: What it says.
            key: What has no past, beside the activation and the switch.
        """
        worker, window_s = self._worker, self._options.window_s
        circumstances = (worker, worker is not None and worker.enabled, key)
        return self._steady[part].status(perf_counter(), window_s, status, circumstances)
