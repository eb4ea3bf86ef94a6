# SPDX-License-Identifier: Apache-2.0
"""Joins a rig's node and its diagnostics: the tasks rig, camera NAME, processing and output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from math import isfinite
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception.node.diagnostics import Diagnostics
from shared_encoder_perception.node.health import Audience, OutputHealth, ProcessingHealth
from shared_encoder_perception.node.rig.calibration import RigCalibration, TableState
from shared_encoder_perception.node.rig.camera_health import CameraHealth
from shared_encoder_perception.node.rig.inputs import RigInputs
from shared_encoder_perception.node.rig.worker import RigWorker
from shared_encoder_perception.node.watchdogs import GRACE_S, WatchdogOptions, shown
from shared_encoder_perception.tasks.status import Level, Status

RIG: Final = "rig"


class RigHealth:
    """Watches everything from the topics of the cameras to that of the map."""

    def __init__(
        self,
        node: Any,
        diagnostics: Diagnostics,
        options: WatchdogOptions,
        lifecycle: Callable[[], str],
        audience: Callable[[], Audience],
    ) -> None:
        """Add the tasks to ``diagnostics``.

        Args:
            node: The node.
            diagnostics: Publishes them.
            options: When to complain; may be replaced by ``set_options``.
            lifecycle: Returns the label of the node's lifecycle state.
            audience: Returns who listens to what is published.
        """
        self._diagnostics, self._lifecycle, self._audience = diagnostics, lifecycle, audience
        self._options = options
        self._processing = ProcessingHealth(options)
        self._output = OutputHealth(node.get_fully_qualified_name(), options)
        self._worker: RigWorker | None = None
        self._calibration: RigCalibration | None = None
        self._inputs: RigInputs | None = None
        self._cameras: dict[str, CameraHealth] = {}
        self._since_s = 0.0
        self.file = ""
        """The file of the rig in use; empty for none."""
        self.problem = ""
        """Why there is no rig, or why another one was refused."""
        window_s = self._window_s
        diagnostics.add(RIG, self._rig_status, window_s)
        diagnostics.add("processing", self._processing_status, window_s)
        diagnostics.add("output", self._output_status, window_s)

    def set_options(self, options: WatchdogOptions) -> None:
        """Complain by these options from now on."""
        self._options = self._processing.options = self._output.options = options

    def start(
        self,
        worker: RigWorker,
        calibration: RigCalibration,
        inputs: RigInputs,
        things: Any,
    ) -> None:
        """Watch a rig; ``things`` can be found in its map."""
        self._since_s = now_s = perf_counter()
        self._worker, self._calibration, self._inputs = worker, calibration, inputs
        self._processing.start(now_s)
        self._output.start(now_s, things)
        for name in worker.gather.names:
            self._cameras[name] = CameraHealth(name, now_s)
            task = partial(self._camera_status, name)
            self._diagnostics.add(f"camera {name}", task, self._window_s)

    def stop(self) -> None:
        """Watch none."""
        for name in self._cameras:
            self._diagnostics.remove(f"camera {name}")
        self._cameras = {}
        self._processing.stop()
        self._worker = self._calibration = self._inputs = None

    def received(self, name: str, received_s: float) -> None:
        """Note that an image of a camera came."""
        if camera := self._cameras.get(name):
            camera.received(received_s)

    def published(self, found: list[str]) -> None:
        """Note that a map was published, and what is in it (inference thread)."""
        self._output.published(found)

    def report(self, name: str, problem: str) -> None:
        """Note why images of a camera, or of all, were not used (any thread)."""
        if camera := self._cameras.get(name):
            camera.last_problem = problem
        self._processing.last_problem = problem

    def _window_s(self) -> float:
        """Over how long is judged."""
        return self._options.window_s

    def _counts(self) -> dict[str, int]:
        """Return what became of the moments, in the words of the node for one camera."""
        return asdict(self._worker.moments) if self._worker else {}

    def _rig_status(self) -> Status:
        """Say whether there is a rig, calibrated."""
        values = {"file": self.file or "none"}
        worker, calibration = self._worker, self._calibration
        if worker is None or calibration is None:
            if self.problem:
                return Status(Level.ERROR, self.problem, values)
            return Status(Level.STALE, "inactive: no camera is listened to", values)
        state, moments = calibration.state, worker.moments
        values |= {
            "cameras": ", ".join(worker.gather.names),
            "anchor": next((one.anchor for one in worker.attendance.values()), "") or "none yet",
            "table_age_s": shown(state.age_s),
            "table_ms": shown(state.took_ms) if state.made else "unknown",
            "tables": str(state.made),
            "maps": str(moments.perceived),
            "partial": str(moments.partial),
            "without_map": str(moments.few),
        }
        level, message = self._calibrated(state)
        fewest, cameras = worker.gather.timing.min_cameras, len(worker.gather.names)
        if fewest > cameras:
            level, message = Level.ERROR, f"rig.min_cameras is {fewest}, the rig has {cameras}"
        if self.problem:
            level, message = max(level, Level.WARN), f"{self.problem}; {message}"
        return Status(level, message, values)

    def _calibrated(self, state: TableState) -> tuple[Level, str]:
        """Return level and message about the table."""
        faults = [*state.refused.values(), *([state.problem] if state.problem else [])]
        without = not isfinite(state.age_s)
        if faults:
            kept = "nothing is published" if without else "it is left out"
            return Level.ERROR, f"{'; '.join(faults)}: {kept} until that is mended"
        if state.waiting:
            new = perf_counter() - self._since_s < GRACE_S
            lines = [self._wait(name, text) for name, text in state.waiting.items()]
            return Level.OK if new else Level.WARN, f"{'; '.join(lines)}: nothing is published"
        if without or state.making_s:
            return Level.OK, f"the table is being made for {state.making_s:.1f} s"
        return Level.OK, f"calibrated, table {state.made} is {state.age_s:.0f} s old"

    def _wait(self, name: str, text: str) -> str:
        """Say what a camera waits for, and who could send it."""
        assert self._inputs is not None
        notes = []
        if (count := self._inputs.info_publishers(name)) is not None:
            notes.append("nobody publishes it" if not count else f"publishers: {count}")
        if tf := self._inputs.tf_problems.get(name):
            notes.append(tf)
        return f"{text} ({', '.join(notes)})" if notes else text

    def _camera_status(self, name: str) -> Status | None:
        """Judge one camera now."""
        worker, calibration, inputs = self._worker, self._calibration, self._inputs
        if worker is None or calibration is None or inputs is None:
            return None
        state = calibration.state
        return self._cameras[name].status(
            perf_counter(),
            worker.gather.counts[name],
            worker.attendance[name],
            inputs.state(name),
            worker.gather.timing,
            self._options,
            state.waiting.get(name, ""),
            state.refused.get(name, ""),
        )

    def _processing_status(self) -> Status:
        """Judge the processing now."""
        worker = self._worker
        return self._processing.status(
            perf_counter(),
            self._counts(),
            worker.stage_times() if worker else [],
            worker.busy_since_s() if worker else None,
            worker.enabled if worker else True,
        )

    def _output_status(self) -> Status:
        """Judge the output now."""
        return self._output.status(
            perf_counter(), self._lifecycle(), self._audience(), self._counts()
        )
