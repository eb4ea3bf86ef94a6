"""The lifecycle node: images in, five lane lines and a drivable-surface mask out.

Start it with ``python -m shared_encoder_perception.node --ros-args -r image:=/camera/image_raw``.
The executor's thread only receives images and answers services; ``worker.Worker`` does the rest.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Final

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception import parameters
from shared_encoder_perception.artifact import ArtifactError
from shared_encoder_perception.backends import BackendError, load_backend
from shared_encoder_perception.diagnostics import Diagnostics
from shared_encoder_perception.inputs import subscribe
from shared_encoder_perception.loading import LoadBackend, describe, load_predictor
from shared_encoder_perception.outputs import Outputs
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.remote import StoreError
from shared_encoder_perception.ros_logging import forward_log
from shared_encoder_perception.ros_parameters import declare_parameters
from shared_encoder_perception.spec import SpecError
from shared_encoder_perception.worker import PerceivedImage, Worker

NODE_NAME: Final = "perception"
STOP_TIMEOUT_S: Final = 2.0
"""Longest wait of the executor for the inference thread; lifecycle services stall meanwhile."""
REPORT_PERIOD_S: Final = 1.0
"""Shortest time between two lines about images that could not be perceived."""
SIGNAL_PERIOD_S: Final = 0.2
"""Longest time until SIGINT or SIGTERM is noticed."""

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
        self._load = load
        self._predictor: Predictor | None = None
        self._worker: Worker | None = None
        self._subscription: Any = None
        self._outputs: Outputs | None = None
        declare_parameters(self)
        forward_log(self.get_logger())
        self._diagnostics = Diagnostics(self)
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
        self._stop_worker()
        self._release()

    def stage_times(self) -> list[dict[str, float]]:
        """Return milliseconds by stage (``worker.NODE_STAGES``) of the images since activation."""
        return self._worker.stage_times() if self._worker else []

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the model, and create the publishers."""
        try:
            self._predictor = load_predictor(self._value, self._load)
            self._outputs = Outputs(self, self._predictor)
        except (BackendError, ArtifactError, SpecError, StoreError) as error:
            return self._fail("configure", str(error))
        except Exception as error:  # engines and middleware raise unrelated types
            return self._fail("configure", f"{type(error).__name__}: {error}")
        self._apply_parameters([])
        spec, info = self._predictor.spec, self._predictor.backend.info
        self._diagnostics.set_model(spec, info)
        self.get_logger().info(f"configured: {describe(spec, info)}")
        if info.fallback:
            self.get_logger().warning(f"fall-back: {info.fallback}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the inference thread and subscribe."""
        assert self._predictor is not None and self._outputs is not None
        if self._worker is not None and self._worker.is_alive:
            return self._fail(
                "activate",
                "the backend has not returned from an image of the last activation; clean up and "
                "configure again to load a fresh one",
            )
        try:
            transport = self._value("input.transport")
            self._subscription = subscribe(self, transport, self._receive)
        except Exception as error:  # a wrong QoS override or topic name
            return self._fail("activate", f"{type(error).__name__}: {error}")
        crop = parameters.crop_of(self._value("input.crop"))
        result = super().on_activate(state)
        self._outputs.publish_model_info()
        self._worker = Worker(self._predictor, crop, self._publish, self._report)
        self.get_logger().info(f"active: listening to {self._subscription.topic_name}")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and end the inference thread; the model stays loaded."""
        self._stop_worker()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release model and publishers."""
        result = super().on_cleanup(state)
        self._release()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Do what is left of deactivation and clean-up."""
        self._stop_worker()
        result = super().on_shutdown(state)
        self._release()
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to the unconfigured state after an exception in another transition."""
        self.get_logger().error(f"a transition from {state.label} failed: back to unconfigured")
        self.stop()
        return SUCCESS

    def _stop_worker(self) -> None:
        """Unsubscribe, end the inference thread and say what it did."""
        if self._subscription is None or self._worker is None:
            return
        self.destroy_subscription(self._subscription)
        self._subscription = None
        ended = self._worker.stop(STOP_TIMEOUT_S)
        counts = self._worker.counts
        self.get_logger().info(
            f"inactive: {counts.perceived} images perceived, {counts.replaced} replaced by newer "
            f"ones, {counts.rejected} rejected"
        )
        if not ended:
            self.get_logger().error(
                f"the backend has not returned after {STOP_TIMEOUT_S:g} s: its thread is left "
                "behind and will publish nothing more"
            )

    def _release(self) -> None:
        """Drop publishers and model."""
        if self._outputs is not None:
            self._outputs.destroy()
        # Closing an engine under a thread that hangs in it could take the process down.
        if self._predictor is not None and not (self._worker and self._worker.is_alive):
            self._predictor.backend.close()
        self._predictor = self._outputs = self._worker = None
        self._diagnostics.clear_model()

    def _fail(self, transition: str, reason: str) -> TransitionCallbackReturn:
        """Report why a transition is not possible and undo its first half."""
        self.get_logger().error(f"cannot {transition}: {_one_line(reason)}")
        if transition == "configure":
            self._release()
            self._diagnostics.clear_model(_one_line(reason))
        return FAILURE

    def _receive(self, message: Image | CompressedImage) -> None:
        """Hand an image to the inference thread (executor thread)."""
        if self._worker is not None:
            self._worker.submit(message, perf_counter())

    def _publish(self, image: PerceivedImage) -> None:
        """Publish everything about one image (inference thread)."""
        if self._outputs is not None and self.context.ok():
            self._outputs.publish(image)

    def _report(self, reason: str) -> None:
        """Say why an image was not perceived (inference thread)."""
        # After Ctrl-C the middleware is gone, and the complaints of a late image are noise.
        if self.context.ok():
            self.get_logger().warning(_one_line(reason), throttle_duration_sec=REPORT_PERIOD_S)

    def _value(self, name: str) -> Any:
        """Return the value of a parameter."""
        return self.get_parameter(name).value

    def _apply_parameters(self, _: Sequence[RosParameter]) -> None:
        """Let the next image use the present thresholds."""
        if self._predictor is not None:
            self._predictor.options = parameters.decode_options(
                self._predictor.spec,
                self._value("lanes.keypoint_threshold"),
                self._value("lanes.confidence_threshold"),
                self._value("mask.threshold"),
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop.

    Returns:
        0 after SIGINT or SIGTERM, 1 when it cannot start.
    """
    command_line = list(sys.argv if arguments is None else arguments)
    # Not rclpy's handlers: they shut the middleware down before the node could finish its image
    # and say goodbye.
    _on_signals(signal.default_int_handler)
    node = None
    try:
        # It has no arguments of its own: a forgotten --ros-args must not pass in silence.
        parser = argparse.ArgumentParser("perception_node", epilog="ROS's follow --ros-args.")
        parser.parse_args(remove_ros_args(command_line)[1:])
        rclpy.init(args=command_line, signal_handler_options=SignalHandlerOptions.NO)
        node = PerceptionNode()
        if not node.start():
            return 1
        if node.builds_only:
            node.get_logger().info("the engine is built; ending, as backend.build_only asks")
            return 0
        return _spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (ParameterException, RuntimeError) as error:
        rclpy.logging.get_logger(NODE_NAME).fatal(_one_line(error))
        return 1
    finally:
        # Ctrl-C under `ros2 launch` arrives twice, from the terminal and from launch.
        _on_signals(signal.SIG_IGN)
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()


def _on_signals(handler: Any) -> None:
    """Treat both signals that ask a process to end alike."""
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)


def _spin(node: PerceptionNode) -> int:
    """Serve the node until its context ends; a signal's exception ends it too."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        # Python runs signal handlers only between waits.
        executor.spin_once(timeout_sec=SIGNAL_PERIOD_S)
    return 0


def _one_line(error: Exception | str) -> str:
    """Return an error's text without line breaks."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
