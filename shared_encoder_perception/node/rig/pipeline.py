# SPDX-License-Identifier: Apache-2.0
"""The way of a rig's images through the node: from their topics to the map."""

from __future__ import annotations

from typing import Any, Final

from shared_encoder_perception.backends import Backend
from shared_encoder_perception.node.camera_pipeline import REPORT_PERIOD_S, STOP_TIMEOUT_S
from shared_encoder_perception.node.node_process import one_line
from shared_encoder_perception.node.rig.calibration import Install, RigCalibration
from shared_encoder_perception.node.rig.gather import Gather
from shared_encoder_perception.node.rig.inputs import RigInputs
from shared_encoder_perception.node.rig.outputs import CameraOutputs, RigOutputs
from shared_encoder_perception.node.rig.parameters import RigOptions
from shared_encoder_perception.node.rig.perceived_moment import Asked, PerceivedMoment
from shared_encoder_perception.node.rig.rig_health import RigHealth
from shared_encoder_perception.node.rig.worker import RigWorker, Tagged
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.rig_predictor import RigPredictor

LOG: Final = "rig"


class RigPipeline:
    """What exists while the node is active and has a rig; images flow from the start on.

    Attributes:
        worker: The inference thread.
    """

    def __init__(
        self,
        node: Any,
        file: RigFile,
        options: RigOptions,
        backend: Backend,
        outputs: RigOutputs,
        health: RigHealth,
        enabled: bool,
    ) -> None:
        """Subscribe to the cameras and start the threads.

        Args:
            node: The lifecycle node; its remappings apply.
            file: The rig.
            options: What the parameters say.
            backend: The model.
            outputs: Active publishers.
            health: Watches.
            enabled: Whether images are perceived; otherwise they are dropped.

        Raises:
            ValueError: TF is needed, and not installed.
            Exception: A topic or a QoS override that ROS does not take; rclpy's types differ.
        """
        self._node, self._options, self._backend = node, options, backend
        self._outputs, self._health = outputs, health
        self._predictor: RigPredictor | None = None
        # One for each: the complaints of one camera must not keep those of others from being heard.
        logger = node.get_logger()
        self._loggers = {name: logger.get_child(name or LOG) for name in ("", *file.names)}
        gather: Gather[Tagged] = Gather(file.names, options.timing)
        self.worker = RigWorker(gather, self._publish, self._report, enabled, self._ask)
        self._calibration = RigCalibration(
            file, self._prepare, self.worker.between_images, lambda text: self._report("", text)
        )
        self._cameras: CameraOutputs | None = None
        self._inputs: RigInputs | None = None
        try:
            if options.publish_cameras:
                self._cameras = CameraOutputs(node, file.names, backend.spec)
            self._inputs = RigInputs(
                node, file, options.reliability, options.depth, self._receive, self._calibration
            )
        except BaseException:
            self.stop()
            raise
        self.worker.start(self._calibration)
        health.start(self.worker, self._calibration, self._inputs, outputs.things)

    def stop(self) -> bool:
        """Unsubscribe, end the threads and say what they did.

        Returns:
            Whether they ended; else the backend has not returned, and must not be used again.
        """
        self._health.stop()
        if self._inputs is not None:
            self._inputs.destroy()
        ended = all([self._calibration.close(), self.worker.stop(STOP_TIMEOUT_S)])
        logger = self._node.get_logger()
        for name, counts in self.worker.gather.counts.items():
            ends = [f"{count} {outcome}" for outcome, count in counts.ended().items() if count]
            logger.info(
                f"inactive: {counts.received} images of {name} received: "
                f"{', '.join(ends) or 'none'}"
            )
        if not ended:
            logger.error(
                f"the backend has not returned after {STOP_TIMEOUT_S:g} s: its thread is left "
                "behind and will publish nothing more"
            )
        if self._cameras is not None:
            self._cameras.destroy()
        return ended

    def set_options(self, options: RigOptions) -> None:
        """Treat the next moment by these."""
        self._options = options
        self.worker.gather.timing = options.timing
        if self._predictor is not None:
            self._predictor.options = options.decode(self._backend.spec)

    def _prepare(self, rig: Rig) -> Install:
        """Make what depends on the calibration (table thread)."""
        predictor = self._predictor
        if predictor is not None:
            view = predictor.view_of(rig)
            return lambda: predictor.set_rig(view)
        options = self._options
        made = RigPredictor(self._backend, rig, options.grid, options.decode(self._backend.spec))
        made.warm_up()

        def install() -> None:
            self._predictor = self.worker.predictor = made

        return install

    def _receive(self, name: str, message: Any, received_s: float) -> None:
        """Hand an image to the inference thread (executor's thread)."""
        self._health.received(name, received_s)
        self.worker.submit(name, message, received_s)

    def _ask(self) -> Asked:
        """Say what somebody listens to, before a moment is perceived (inference thread)."""
        if self._outputs.overlay.claim():
            return Asked(overlay=True)
        return Asked(self._cameras.asked() if self._cameras is not None else ())

    def _publish(self, moment: PerceivedMoment) -> None:
        """Publish everything about one moment (inference thread)."""
        if self._node.context.ok():
            found = self._outputs.publish(moment)
            if self._cameras is not None:
                self._cameras.publish(moment)
            self._health.published(found)

    def _report(self, name: str, reason: str) -> None:
        """Say why images were not used, or what is wrong with the calibration (any thread)."""
        # After Ctrl-C the middleware is gone, and the complaints of a late image are noise.
        if self._node.context.ok():
            line = one_line(reason)
            self._health.report(name, line)
            text = f"camera {name}: {line}" if name else line
            self._loggers[name].warning(text, throttle_duration_sec=REPORT_PERIOD_S)
