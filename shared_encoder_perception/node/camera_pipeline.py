# SPDX-License-Identifier: Apache-2.0
"""One camera's way through the node: from its topic, through the inference thread, to ours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from time import monotonic, perf_counter
from typing import Any, Final

from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception.ground.horizon import advice, horizon_px
from shared_encoder_perception.node.calibration import Calibration
from shared_encoder_perception.node.companions import Companions
from shared_encoder_perception.node.given_parameters import warn_of_idle, warn_of_unknown
from shared_encoder_perception.node.inputs import subscribe
from shared_encoder_perception.node.node_health import NodeHealth
from shared_encoder_perception.node.node_options import NodeOptions
from shared_encoder_perception.node.node_process import one_line
from shared_encoder_perception.node.outputs import Outputs
from shared_encoder_perception.node.painting import Painting
from shared_encoder_perception.node.parameter_groups.images import CAMERA_INFO
from shared_encoder_perception.node.perceived_image import PerceivedImage
from shared_encoder_perception.node.refinement import Refinement, Refiners
from shared_encoder_perception.node.worker import Worker
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Crop, Perception, Size
from shared_encoder_perception.tasks import parts
from shared_encoder_perception.tasks.status import Status

STOP_TIMEOUT_S: Final = 2.0
"""Longest wait of the executor for the inference thread; lifecycle services stall meanwhile."""
REPORT_PERIOD_S: Final = 1.0
"""Shortest time between two lines about images that could not be perceived."""
SEEN_PERIOD_S: Final = 10.0
"""Shortest time between two lines about what the network sees of images that change."""


def seen_line(image_size: Size, crop: Crop) -> str:
    """Say which part of images of ``(height, width)`` the network sees."""
    height, width = image_size
    if crop.covers(image_size):
        return f"the network sees all {width}x{height} pixels of the images"
    share = crop.width * crop.height / (width * height)
    return (
        f"the network sees {crop.width}x{crop.height} of the images' {width}x{height} pixels "
        f"({share:.0%}), [x, y, width, height] = {list(crop)}: what lies outside is not known, "
        "see mask.unseen_value and input.crop_mode"
    )


class CameraPipeline:
    """What exists between configuration and clean-up; images flow between start and stop.

    Attributes:
        calibration: How the camera looks at the road.
        companions: What its images are compared with.
        tasks: What the model answers.
        outputs: The publishers.
        painting: Of clouds; ``None`` where nobody asked for it.
        worker: The inference thread; ``None`` before the first start.
    """

    def __init__(
        self,
        node: Any,
        value: Callable[[str], Any],
        options: NodeOptions,
        spec: ModelSpec,
        refiners: Refiners,
        health: NodeHealth,
    ) -> None:
        """Create publishers, and the subscriptions that calibration needs.

        Args:
            node: The lifecycle node; its remappings apply.
            value: Returns the value of the parameter of a name.
            options: What they say.
            spec: Of the model, which decides about the topics.
            refiners: Make use of calibration and time; they forget what other models told.
            health: Watches.

        Raises:
            ValueError: A parameter names what is not there.
        """
        self._node, self._options, self._health = node, options, health
        warn_of_idle(node, spec.tasks)
        paints = options.painting.enabled
        contents = parts("content", spec.tasks).values()
        needs_info = paints or options.images.crop_mode == CAMERA_INFO
        needs_info |= any(getattr(content, "NEEDS_CAMERA", False) for content in contents)
        self.calibration = Calibration(node, value, needs_info=needs_info)
        self.companions = Companions(node, spec.companions(), options.background, self._idle)
        refiners.reset()
        refiners.expect(self.companions.states)
        self._refiners = refiners
        self._refinement = Refinement(self.calibration, refiners, self.companions)
        self.tasks = tuple(spec.tasks)
        self.outputs = Outputs(node, spec, options.debug, self._report)
        self.painting = (
            Painting(node, self.tasks, options.painting, self.calibration, self._tell_unpainted)
            if paints
            else None
        )
        self.worker: Worker | None = None
        self._subscription: Any = None
        self._told_seen: tuple[Size, Crop | None] | None = None
        self._tell_again_s = 0.0
        self._told_horizon = ""
        self._look_again_s = 0.0

    @property
    def hangs(self) -> bool:
        """Whether the backend has not returned from an image of the last activation."""
        running = self.worker is not None and self.worker.is_alive
        return running and self._subscription is None

    def subscribe(self) -> str:
        """Subscribe to images and clouds, which are dropped until ``start``.

        Returns:
            The topic's name.

        Raises:
            Exception: A topic or a QoS override that ROS does not take; rclpy's types differ.
        """
        if self.painting is not None:
            self.painting.start()
        images = self._options.images
        self._subscription = subscribe(
            self._node,
            images.transport,
            self._receive,
            reliability=images.reliability,
            depth=images.depth,
            event_callbacks=self._health.event_callbacks(),
        )
        warn_of_unknown(self._node, late=True)
        return str(self._subscription.topic_name)

    def start(self, predictor: Predictor, enabled: bool) -> None:
        """Perceive images by ``predictor`` in a thread of their own; drop them if not ``enabled``.

        The publishers must be active.
        """
        self.outputs.start(predictor)
        images, clock = self._options.images, self._node.get_clock()
        self.worker = Worker(
            predictor,
            images.crop_rule(lambda: self.calibration.camera_info),
            self._publish,
            self._report,
            warn=self._warn,
            resize=images.resize,
            companions=self.companions,
            refine=self._refinement,
            on_time_jump=lambda _: self._forget(),
            now_ns=lambda: int(clock.now().nanoseconds),
            limits=self._options.limits,
            enabled=enabled,
        )
        self._health.start(self.worker, self._subscription, self.tasks)

    def stop(self) -> None:
        """Unsubscribe, end the inference thread and say what it did."""
        if self.painting is not None:
            self.painting.stop()
        if self._subscription is None:
            return
        self._health.stop()
        self._node.destroy_subscription(self._subscription)
        self._subscription = None
        if self.worker is None:
            return
        ended = self.worker.stop(STOP_TIMEOUT_S)
        counts, logger = self.worker.counts, self._node.get_logger()
        dropped = [f"{count} {why}" for why, count in counts.dropped_by_reason().items() if count]
        logger.info(
            f"inactive: {counts.received} images received, {counts.perceived} perceived, dropped: "
            f"{', '.join(dropped) or 'none'}"
        )
        self._refiners.end_drive()
        if not ended:
            logger.error(
                f"the backend has not returned after {STOP_TIMEOUT_S:g} s: its thread is left "
                "behind and will publish nothing more"
            )

    def set_options(self, options: NodeOptions, predictor: Predictor | None) -> None:
        """Treat the next image by these; ``predictor`` has its own already."""
        self._options = options
        self.calibration.apply_parameters()
        self.companions.set_options(options.background)
        self.outputs.set_options(options.debug, predictor)
        if self.painting is not None:
            self.painting.options = options.painting
        if self.worker is not None:
            self.worker.limits = options.limits

    def reset(self) -> None:
        """Forget what was learnt from images.

        Raises:
            TimeoutError: The backend does not return from the image in work.
        """
        with self.worker.between_images(STOP_TIMEOUT_S) if self.worker else nullcontext():
            self._refiners.reset()
        self._health.settle()

    def painting_status(self) -> Status | None:
        """Say how clouds are painted; nothing where nobody asked for it (executor thread)."""
        window_s = self._options.watchdogs.window_s
        return None if self.painting is None else self.painting.status(window_s)

    def destroy(self) -> None:
        """Remove publishers and subscriptions from the node."""
        self.outputs.destroy()
        if self.painting is not None:
            self.painting.destroy()
        self.companions.destroy()
        self.calibration.destroy()

    def _idle(self) -> str:
        """Say why no image is perceived at present; nothing where they are (any thread)."""
        if self.worker is None or self._subscription is None:
            return "the node is not active: no image is perceived"
        enabled = self.worker.enabled
        return "" if enabled else "images are dropped: call ~/set_enabled with true first"

    def _receive(self, message: Image | CompressedImage) -> None:
        """Hand an image to the inference thread (executor thread)."""
        if self.worker is not None:
            received_s = perf_counter()
            self._health.received(message.header, received_s)
            self.worker.submit(message, received_s)

    def _publish(self, image: PerceivedImage) -> None:
        """Publish everything about one image (inference thread)."""
        if self._node.context.ok():
            refinement = self._refinement
            self.outputs.publish(image, refinement.frame_id, refinement.camera_info)
            self._health.published(image.perception)
            if self.painting is not None:
                self.painting.see(image.header, image.perception)
            self._tell_seen(image.perception)
            self._tell_horizon(image.header, image.perception)

    def _forget(self) -> None:
        """Forget images from before a jump in time (inference thread)."""
        self._refiners.reset()
        if self.painting is not None:
            self.painting.forget()

    def _tell_seen(self, perception: Perception) -> None:
        """Say which part of the images the network sees, when that has changed."""
        seen = (perception.image_size, perception.crop)
        if perception.crop is None or seen == self._told_seen or monotonic() < self._tell_again_s:
            return
        self._told_seen, self._tell_again_s = seen, monotonic() + SEEN_PERIOD_S
        self._node.get_logger().info(seen_line(perception.image_size, perception.crop))

    def _tell_horizon(self, header: Any, perception: Perception) -> None:
        """Warn when a calibrated camera has the horizon where the network is bad at it."""
        if perception.crop is None or monotonic() < self._look_again_s:
            return
        self._look_again_s = monotonic() + SEEN_PERIOD_S
        camera = self.calibration.camera(header, perception.image_size)
        row = None if camera is None else horizon_px(camera.view)
        warning = "" if row is None else advice(row, perception.crop, perception.image_size)
        if warning != self._told_horizon:
            self._told_horizon = warning
            if warning:
                self._node.get_logger().warning(warning)

    def _report(self, reason: str) -> None:
        """Say why an image was not perceived, or what was odd about it (any thread)."""
        # After Ctrl-C the middleware is gone, and the complaints of a late image are noise.
        if self._node.context.ok():
            line = one_line(reason)
            self._health.report(line)
            self._node.get_logger().warning(line, throttle_duration_sec=REPORT_PERIOD_S)

    def _tell_unpainted(self, reason: str) -> None:
        """Say why a cloud was not painted (any thread)."""
        if self._node.context.ok():
            self._node.get_logger().warning(one_line(reason), throttle_duration_sec=REPORT_PERIOD_S)

    def _warn(self, text: str) -> None:
        """Say what is odd about the stamps, once for each oddity (inference thread)."""
        if self._node.context.ok():
            self._node.get_logger().warning(one_line(text))
