# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: images in, what the model's tasks say about them out.

Start it with ``python -m shared_encoder_perception.node --ros-args -r image:=/camera/image_raw``.
The executor's thread only receives images and answers services; ``worker.Worker`` does the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter

from shared_encoder_perception.artifact.file import ArtifactError
from shared_encoder_perception.artifact.remote import StoreError
from shared_encoder_perception.backends import BackendError, load_backend
from shared_encoder_perception.node.camera_pipeline import CameraPipeline
from shared_encoder_perception.node.diagnostics import Diagnostics, Task
from shared_encoder_perception.node.ending import asked_to_end, minded
from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.loaded_model import LoadedModel
from shared_encoder_perception.node.loading import TIMEOUT, LoadBackend, describe
from shared_encoder_perception.node.node_health import NodeHealth
from shared_encoder_perception.node.node_options import NodeOptions
from shared_encoder_perception.node.node_process import one_line, run
from shared_encoder_perception.node.painting_health import PAINTING
from shared_encoder_perception.node.refinement import CALIBRATION, Refiners
from shared_encoder_perception.node.ros_logging import forward_log
from shared_encoder_perception.node.ros_parameters import check_together, declare_parameters
from shared_encoder_perception.node.services import Services, refuse_impossible_transitions
from shared_encoder_perception.node.worker import Worker
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import SpecError
from shared_encoder_perception.tasks.status import Level, Status

NODE_NAME: Final = "perception"
EXPECTED: Final = (
    BackendError,
    ArtifactError,
    SpecError,
    StoreError,
    ValueError,
    TimeoutError,
    InterruptedError,
)
"""Errors whose text says everything."""

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class PerceptionNode(LifecycleNode):
    """Publishes what ``Predictor`` sees in the newest image."""

    def __init__(self, load: LoadBackend = load_backend, **node_options: Any) -> None:
        """Declare the parameters; nothing is loaded before ``on_configure``.

        Args:
            load: How to load a backend; see ``backends.load_backend``.
            **node_options: Passed on to ``rclpy``, e.g. ``context`` or ``parameter_overrides``.

        Raises:
            ParameterException: A parameter was given a value or type that it does not allow.
        """
        super().__init__(NODE_NAME, **node_options)
        self._enabled = True
        self._pipeline: CameraPipeline | None = None
        declare_parameters(self)
        forward_log(self.get_logger())
        self._options = NodeOptions.read(self._value)
        self._model = LoadedModel(self._value, load, lambda spec: self._options.decode(spec))
        self._refiners = Refiners(self._options.refine)
        self._diagnostics = Diagnostics(self, self._value("diagnostics.period_s"))
        self._diagnostics.watch_loading(self._model.loading)
        self._health = NodeHealth(
            self,
            self._diagnostics,
            self._options.watchdogs,
            lambda: str(self._state_machine.current_state[1]),  # rclpy has no public getter
            lambda: self._pipeline.outputs.audience() if self._pipeline else Audience(),
        )
        tasks: dict[str, Task] = {CALIBRATION: self._calibration_status}
        tasks[PAINTING] = lambda: self._pipeline.painting_status() if self._pipeline else None
        tasks |= {name: partial(self._refiner_status, name) for name in self._refiners.names}
        for name, task in tasks.items():
            self._diagnostics.add(name, task, lambda: self._options.watchdogs.window_s)
        self._offers = Services(self, self._set_enabled, self._reload_model, self._reset_tracker)
        refuse_impossible_transitions(self)
        self.add_on_set_parameters_callback(self._check_together)
        self.add_post_set_parameters_callback(self._apply_parameters)

    @property
    def builds_only(self) -> bool:
        """Whether the node is to end when its engine is built."""
        return bool(self._value("backend.build_only"))

    def start(self) -> bool:
        """Configure and activate if ``autostart`` says so.

        Returns:
            Whether the node is now in the state that was asked for.
        """
        if self.builds_only:
            return self.trigger_configure() == SUCCESS
        if not self._value("autostart"):
            name = self.get_fully_qualified_name()
            self.get_logger().warning(
                f"autostart is off: waiting for `ros2 lifecycle set {name} configure` and "
                f"`ros2 lifecycle set {name} activate`"
            )
            return True
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def stop(self) -> None:
        """End the inference thread and release the model, whatever the state; for process exit."""
        if self._pipeline is not None:
            self._pipeline.stop()
        self._release()

    def stage_times(self) -> list[dict[str, float]]:
        """Return milliseconds by stage (``worker.NODE_STAGES``) of the images since activation."""
        worker = self._worker()
        return worker.stage_times() if worker else []

    # ---- transitions ----------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the model, and create the publishers."""
        try:
            with minded(self._value(TIMEOUT)):
                predictor = self._model.load(self._wait_for_load)
            self._pipeline = CameraPipeline(
                self, self._value, self._options, predictor.spec, self._refiners, self._health
            )
        except EXPECTED as error:
            return self._fail("configure", str(error))
        except Exception as error:  # engines and middleware raise unrelated types
            return self._fail("configure", f"{type(error).__name__}: {error}")
        self._tell_model("configured", predictor)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the inference thread and subscribe."""
        predictor, pipeline = self._model.predictor, self._pipeline
        assert predictor is not None and pipeline is not None
        if pipeline.hangs:
            return self._fail(
                "activate",
                "the backend has not returned from an image of the last activation; clean up and "
                "configure again to load a fresh one",
            )
        try:
            topic = pipeline.subscribe()
        except Exception as error:  # a wrong QoS override or topic name
            return self._fail("activate", f"{type(error).__name__}: {error}")
        result = super().on_activate(state)
        pipeline.start(predictor, self._enabled)
        self.get_logger().info(f"active: listening to {topic}")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and end the inference thread; the model stays loaded."""
        if self._pipeline is not None:
            self._pipeline.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release model and publishers."""
        result = super().on_cleanup(state)
        self._release()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Do what is left of deactivation and clean-up."""
        if self._pipeline is not None:
            self._pipeline.stop()
        result = super().on_shutdown(state)
        self._release()
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to the unconfigured state after an exception in another transition."""
        self.get_logger().error(f"a transition from {state.label} failed: back to unconfigured")
        self.stop()
        return SUCCESS

    def _release(self) -> None:
        """Drop publishers and model."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.destroy()
        self._model.release(hangs=pipeline is not None and pipeline.hangs)
        self._diagnostics.clear_model()

    def _fail(self, transition: str, reason: str) -> TransitionCallbackReturn:
        """Report why a transition is not possible and undo its first half."""
        self.get_logger().error(f"cannot {transition}: {one_line(reason)}")
        if transition == "configure":
            self._release()
            self._diagnostics.clear_model(one_line(reason))
        return FAILURE

    def _wait_for_load(self) -> None:
        """Go on with what the executor's thread has to do while a model is loaded.

        Raises:
            InterruptedError: The process was asked to end.
        """
        if asked_to_end.is_set():
            raise InterruptedError("the process was asked to end")
        self._diagnostics.publish_if_due()

    # ---- services and parameters ----------------------------------------------------------------

    def _set_enabled(self, enabled: bool) -> str:
        """Perceive images or drop them; also across deactivation."""
        self._enabled = enabled
        if worker := self._worker():
            worker.set_enabled(enabled)
        return "images are perceived" if enabled else "images are dropped, and counted as disabled"

    def _reload_model(self) -> str:
        """Exchange the model for what the parameters name now (thread of its own)."""

        def prepare(predictor: Predictor) -> Callable[[], None]:
            outputs = self._pipeline.outputs if self._pipeline else None
            if outputs is None:
                return lambda: None
            return partial(outputs.announce, outputs.announcement(predictor))

        try:
            predictor = self._model.reload(self._worker, prepare)
        except Exception as error:  # the caller may not wait for it; the log is read later
            self.get_logger().error(f"cannot reload: {one_line(error)}")
            raise
        self._health.settle()
        return self._tell_model("reloaded", predictor)

    def _reset_tracker(self) -> str:
        """Forget what was learnt from images: tracks, corrections of the calibration."""
        if self._pipeline is not None:
            self._pipeline.reset()
        return "the tracks are forgotten"

    def _tell_model(self, what: str, predictor: Predictor) -> str:
        """Say which model runs from now on, in log and diagnostics."""
        spec, info = predictor.spec, predictor.backend.info
        self._diagnostics.set_model(spec, info)
        line = f"{what}: {describe(spec, info)}"
        self.get_logger().info(line)
        if info.fallback:
            self.get_logger().warning(f"fall-back: {info.fallback}")
        return line

    def _calibration_status(self) -> Status:
        """Say whether answers can be put on the road."""
        pipeline = self._pipeline
        if pipeline is None:
            return Status(Level.OK, "not configured")
        own, more = pipeline.calibration.status(), self._refiner_status(CALIBRATION)
        return own if more is None else own.with_more(more)

    def _refiner_status(self, name: str) -> Status | None:
        """Say what the refiners of the model's tasks, or of all before there is one, tell of it."""
        return self._refiners.status(name, self._pipeline.tasks if self._pipeline else None)

    def _worker(self) -> Worker | None:
        """Return the inference thread."""
        return self._pipeline.worker if self._pipeline else None

    def _value(self, name: str) -> Any:
        """Return the value of a parameter."""
        return self.get_parameter(name).value

    def _check_together(self, changes: Sequence[RosParameter]) -> SetParametersResult:
        """Refuse changes that contradict what other parameters say."""
        return check_together(self, changes, NodeOptions.read)

    def _apply_parameters(self, _: Sequence[RosParameter]) -> None:
        """Let the next image use the present values."""
        options = self._options = NodeOptions.read(self._value)
        self._model.apply_thresholds()
        self._refiners.set_options(options.refine)
        self._health.set_options(options.watchdogs)
        if self._pipeline is not None:
            self._pipeline.set_options(options, self._model.predictor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop; see ``node_process.run``."""
    return run(PerceptionNode, NODE_NAME, arguments)


if __name__ == "__main__":
    sys.exit(main())
