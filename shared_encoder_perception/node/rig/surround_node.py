# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node for a rig: images of several cameras in, the ground around the vehicle out.

Start it with ``python -m shared_encoder_perception.node.rig --ros-args -p rig.file:=rig.yaml``.
The executor's thread only receives images and answers services; ``worker.RigWorker`` does the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from std_srvs.srv import SetBool, Trigger

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.diagnostics import Diagnostics
from shared_encoder_perception.node.given_parameters import warn_of_idle, warn_of_unknown
from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.loading import LoadBackend, describe
from shared_encoder_perception.node.node_process import one_line, run
from shared_encoder_perception.node.perception_node import EXPECTED
from shared_encoder_perception.node.rig.inputs import read_topics
from shared_encoder_perception.node.rig.outputs import RIG_TASK, RigOutputs
from shared_encoder_perception.node.rig.parameters import RigOptions, rig_parameters
from shared_encoder_perception.node.rig.pipeline import RigPipeline
from shared_encoder_perception.node.rig.rig_health import RigHealth
from shared_encoder_perception.node.rig.rig_model import RigModel
from shared_encoder_perception.node.ros_logging import forward_log
from shared_encoder_perception.node.ros_parameters import check_together, declare_parameters
from shared_encoder_perception.node.services import refuse_impossible_transitions
from shared_encoder_perception.rig.rig_file import RigFile

NODE_NAME: Final = RIG_TASK

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SurroundNode(LifecycleNode):
    """Publishes what ``RigPredictor`` says of the newest images of a rig."""

    builds_only: Final = False

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
        self._file: RigFile | None = None
        self._outputs: RigOutputs | None = None
        self._pipeline: RigPipeline | None = None
        self._hangs = False
        declare_parameters(self, rig_parameters())
        forward_log(self.get_logger())
        self._options = RigOptions.read(self._value)
        self._diagnostics = Diagnostics(self, self._value("diagnostics.period_s"))
        self._model = RigModel(self._value, load, self._diagnostics)
        self._health = RigHealth(
            self,
            self._diagnostics,
            self._options.watchdogs,
            self._state,
            lambda: self._outputs.audience() if self._outputs else Audience(),
        )
        self.create_service(Trigger, "~/reload_rig", self._answer_reload)
        self.create_service(SetBool, "~/set_enabled", self._answer_enabled)
        refuse_impossible_transitions(self)
        self.add_on_set_parameters_callback(self._check_together)
        self.add_post_set_parameters_callback(self._apply_parameters)

    def start(self) -> bool:
        """Configure and activate if ``autostart`` says so; return whether that succeeded."""
        if not self._value("autostart"):
            name = self.get_fully_qualified_name()
            self.get_logger().warning(
                f"autostart is off: waiting for `ros2 lifecycle set {name} configure` and "
                f"`ros2 lifecycle set {name} activate`"
            )
            return True
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def stop(self) -> None:
        """End the threads and release the model, whatever the state; for process exit."""
        self._end_pipeline()
        self._release()

    # ---- transitions ----------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, create the publishers and read the rig."""
        try:
            backend = self._model.load()
            self._outputs = RigOutputs(self, self._options.debug, self._report_drawing)
        except EXPECTED as error:
            return self._fail("configure", str(error))
        except Exception as error:  # engines and middleware raise unrelated types
            return self._fail("configure", f"{type(error).__name__}: {error}")
        spec, info = backend.spec, backend.info
        warn_of_idle(self, spec.tasks)
        self.get_logger().info(f"configured: {describe(spec, info)}")
        if info.fallback:
            self.get_logger().warning(f"fall-back: {info.fallback}")
        # A rig that cannot be read is no reason to end: it is mended, and read again.
        try:
            self._file = read_topics(self._options.path)
        except (ValueError, OSError) as error:
            self._no_rig(f"there is no rig: {one_line(error)}; {self._mend()}")
        else:
            self._health.file = self._options.file
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and start the threads."""
        if self._hangs:
            return self._fail(
                "activate",
                "the backend has not returned from an image of the last activation; clean up and "
                "configure again to load a fresh one",
            )
        result = super().on_activate(state)  # publishers first: images may come at once
        assert self._model.backend is not None and self._outputs is not None
        try:
            self._outputs.announce(self._model.backend)
        except Exception as error:  # middleware raises unrelated types
            super().on_deactivate(state)
            return self._fail("activate", f"{type(error).__name__}: {error}")
        if self._file is None:
            return result
        try:
            self._begin_pipeline(self._file)
        except Exception as error:  # a topic or QoS override that ROS does not take, no TF
            self._no_rig(f"the rig cannot be used: {one_line(error)}; {self._mend()}")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen no more and end the threads; the model stays loaded."""
        self._end_pipeline()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release model and publishers."""
        result = super().on_cleanup(state)
        self._release()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Do what is left of deactivation and clean-up."""
        self._end_pipeline()
        result = super().on_shutdown(state)
        self._release()
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to the unconfigured state after an exception in another transition."""
        self.get_logger().error(f"a transition from {state.label} failed: back to unconfigured")
        self.stop()
        return SUCCESS

    def _begin_pipeline(self, file: RigFile) -> None:
        """Listen to the cameras of a rig.

        Raises:
            Exception: A topic or a QoS override that ROS does not take; rclpy's types differ.
        """
        assert self._model.backend is not None and self._outputs is not None
        self._pipeline = RigPipeline(
            self,
            file,
            self._options,
            self._model.backend,
            self._outputs,
            self._health,
            self._enabled,
        )
        warn_of_unknown(self, late=True)
        cameras = ", ".join(
            f"{entry.name} on {self.resolve_topic_name(entry.image_topic)}"
            for entry in file.entries
        )
        self.get_logger().info(f"active: listening to {cameras}")

    def _end_pipeline(self) -> None:
        """Listen to no camera any more."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            self._hangs = not pipeline.stop() or self._hangs

    def _release(self, error: str = "") -> None:
        """Drop publishers, rig and model, because of an error or of nothing."""
        outputs, self._outputs = self._outputs, None
        if outputs is not None:
            outputs.destroy()
        self._model.release(self._hangs, error)
        self._file, self._hangs = None, False
        self._health.file = self._health.problem = ""

    def _fail(self, transition: str, reason: str) -> TransitionCallbackReturn:
        """Report why a transition is not possible and undo its first half."""
        self.get_logger().error(f"cannot {transition}: {one_line(reason)}")
        if transition == "configure":
            self._release(one_line(reason))
        return FAILURE

    # ---- services and parameters ----------------------------------------------------------------

    def _answer_reload(self, _: Any, response: Any) -> Any:
        """Answer ``~/reload_rig``."""
        try:
            response.message, response.success = self._reload_rig(), True
        except Exception as error:  # the caller has to hear of any
            response.message, response.success = one_line(error), False
            kept = f"; the rig of {self._health.file} stays in use" if self._pipeline else ""
            self._no_rig(f"the rig is refused: {one_line(error)}{kept}")
        return response

    def _reload_rig(self) -> str:
        """Read the file again and use it from now on; raise why not, and go on as before."""
        if self._model.backend is None:
            raise RuntimeError("the node is not configured: it reads the rig when it is")
        file = read_topics(self._options.path)
        before = self._file if self._pipeline is not None else None
        if before is not None or self._state() == "active":
            self._end_pipeline()
            if self._hangs:
                raise RuntimeError("the backend has not returned from an image")
            try:
                self._begin_pipeline(file)
            except Exception:
                if before is not None:
                    self._begin_pipeline(before)
                raise
        self._file, self._health.file, self._health.problem = file, self._options.file, ""
        return f"{self._options.file}: cameras {', '.join(file.names)}"

    def _answer_enabled(self, request: Any, response: Any) -> Any:
        """Answer ``~/set_enabled``: perceive images or drop them; also across deactivation."""
        self._enabled = bool(request.data)
        if self._pipeline is not None:
            self._pipeline.worker.set_enabled(self._enabled)
        dropped = "images are dropped, and counted as disabled"
        response.message = "images are perceived" if self._enabled else dropped
        response.success = True
        return response

    def _no_rig(self, problem: str) -> None:
        """Say why there is no rig, or none that is new."""
        self._health.problem = problem
        self.get_logger().error(problem)

    def _mend(self) -> str:
        """Say how to go on without a rig."""
        return f"mend it and call {self.get_fully_qualified_name()}/reload_rig"

    def _report_drawing(self, reason: str) -> None:
        """Say why a picture could not be drawn (any thread)."""
        self.get_logger().warning(one_line(reason), throttle_duration_sec=1.0)

    def _state(self) -> str:
        """Return the label of the lifecycle state."""
        return str(self._state_machine.current_state[1])  # rclpy has no public getter

    def _value(self, name: str) -> Any:
        """Return the value of a parameter."""
        return self.get_parameter(name).value

    def _check_together(self, changes: Sequence[RosParameter]) -> SetParametersResult:
        """Refuse changes that contradict what other parameters say."""
        return check_together(self, changes, RigOptions.read)

    def _apply_parameters(self, _: Sequence[RosParameter]) -> None:
        """Let the next moment use the present values."""
        options = self._options = RigOptions.read(self._value)
        self._health.set_options(options.watchdogs)
        if self._outputs is not None:
            self._outputs.overlay.options = options.debug
        if self._pipeline is not None:
            self._pipeline.set_options(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop; see ``node_process.run``."""
    return run(SurroundNode, NODE_NAME, arguments)


if __name__ == "__main__":
    sys.exit(main())
