# SPDX-License-Identifier: Apache-2.0
"""From outputs to messages and pictures: spec, decode, draw, content, refine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.spec import Block, ModelSpec
from shared_encoder_perception.structures import Answer, Crop, Size
from shared_encoder_perception.tasks.parameter import Parameter

Label = Any
"""``Label`` of a room's ``labels.py``: a frozen dataclass with ``check(image_size)``."""
Colour = tuple[int, int, int]
"""BGR, 0 to 255."""
Outputs = Mapping[str, NDArray]
"""Output tensors of the graph for one image, without the batch axis, by name."""


# ---- the runtime --------------------------------------------------------------------------------


class Spec(Protocol):
    """``spec.py``: what a ModelSpec says of the task."""

    Block: type[Block]
    """Frozen dataclass of JSON's types; every field has a default. ``outputs`` and ``inputs`` name
    the tensors."""
    ADDED: Sequence[str]
    """(optional) Keys of the block that were added after models with it had been written; in those
    they have their defaults, which must mean what was before."""

    def block_at(self, stride: int, input_size: Size) -> Any:
        """(optional) Return the block of a network whose answers leave on a grid of input pixels.

        Without it, the task's answers have no grid, or one that no network chooses.
        """

    def block_of(self, config: Any, stride: int | None, input_size: Size) -> Any:
        """(optional) Return the block of a network, instead of ``block_at``.

        For tasks whose tensors depend on the network's config (``model.config.NetworkConfig``);
        ``stride`` is ``None`` where answers have no grid in common.

        Raises:
            ValueError: The config asks for what the task cannot be.
        """

    def settled(self, config: Any) -> Any:
        """(optional) Return a network's config with what it names of files written into it.

        Raises:
            ValueError: The config asks for what the task cannot be.
        """


class Decode(Protocol):
    """``decode.py``: output tensors -> answer.

    ``Options`` is a frozen dataclass of what may change from one image to the next, such as
    thresholds; ``Options.of(block)`` takes what the model was shipped with. ``Decoder(block,
    input_size)`` is made once for a model, and called with ``(outputs, transform, options)``. One
    whose attribute ``SEES_IMAGE`` is true gets a fourth argument, the image as it was received,
    (H, W, 3) uint8 BGR.
    """

    Options: Any
    Decoder: Callable[[Any, Size], Callable[[Outputs, ImageTransform, Any], Answer]]


class Draw(Protocol):
    """``draw.py``: answers and labels on pictures. Nothing but the canvas is ever changed."""

    LAYER: int
    """Order of painting, low first: areas 0, lines 10."""
    PANELS: Sequence[str]
    """(where there is ``panels``) What each of them shows."""

    def paint(self, canvas: NDArray[np.uint8], answer: Any, scale: float) -> None:
        """Paint an answer on its (H, W, 3) BGR image (in place); lines ``scale`` times as thick."""

    def legend(self, answer: Any) -> Sequence[tuple[str, Colour]]:
        """Return the lines of text that name what was painted."""

    def paint_label(self, canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
        """Paint a label as if it were an answer, what is not labelled told apart (in place)."""

    def outline_label(self, canvas: NDArray[np.uint8], label: Label) -> None:
        """Draw a label thinly in white, to be compared with the answer beneath (in place)."""

    def picture(self, answer: Any) -> NDArray[np.uint8]:
        """(optional) Return a (H, W, 3) BGR picture of an answer alone, which videos show below."""

    def panels(self, answer: Any, label: Label) -> Sequence[NDArray[np.uint8]]:
        """(optional) Return such pictures of answer, label and error, which reports show below.

        ``PANELS`` names them, in a few words each.
        """

    def resized(self, answer: Any, image_size: Size, size: Size) -> Any:
        """Return the answer for its image resized from ``image_size`` to ``size``."""


class BirdsEye(Protocol):
    """``birds_eye.py`` (optional): answers on the road plane, for the node's debug overlay."""

    def from_above(self, answer: Any, size: Size) -> NDArray[np.uint8] | None:
        """Return a (*size, 3) BGR picture of an answer seen from above; ``None`` for nothing."""


class Topic(NamedTuple):
    """One topic that a task publishes.

    Attributes:
        name: Relative to the node's namespace; below the node's own name with ``~/`` in front.
        kind: ROS type, e.g. ``"sensor_msgs/msg/Image"``.
        lazy: Made only while somebody subscribes; not recorded by ``replay``.
        last: Sent after everything else about the image.
        grounded: Sent only while there is a calibration: its header has the vehicle's frame.
        latched: Kept for late subscribers and sent once for each model; made by ``announce``.
        pictures: For people, and lazy: made in a thread of its own, not for every image.
        optional: Left out, with a line in the node's log, where its type is not installed; never
            recorded: it says nothing that another topic does not.
    """

    name: str
    kind: str
    lazy: bool = False
    last: bool = False
    grounded: bool = False
    latched: bool = False
    pictures: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Context:
    """What a message carries beside the answer.

    Attributes:
        header: ``std_msgs/Header`` of the image, of rclpy or rosbags; not copied.
        image_size: ``(height, width)`` of the image.
        spec: Of the model.
        stage_ms: Milliseconds by stage, with ``conversion``.
        counts: What became of the images so far, this one included.
        frame_id: The vehicle's frame; empty without calibration.
        elapsed_ms: Returns the milliseconds since the image was received.
        crop: What the network saw of the image; ``None`` where nobody says.
        camera_info: ``sensor_msgs/CameraInfo`` of the camera; ``None`` without.
    """

    header: Any
    image_size: Size
    spec: ModelSpec
    stage_ms: Mapping[str, float]
    counts: Counts
    frame_id: str = ""
    elapsed_ms: Callable[[], float] = field(default=lambda: 0.0)
    crop: Crop | None = None
    camera_info: Any = None


New = Callable[[str], Any]
"""Makes a new message of a type such as ``"std_msgs/msg/Header"``, of rclpy or of rosbags."""


class Content(Protocol):
    """``content.py``: topics, what their messages carry, parameters; for rclpy and rosbags alike.

    rclpy does not check field types unless asked, and publishes garbage: scalars pass through
    ``float`` or ``int``, arrays through ``images.image_msg`` and ``tasks.packing``.
    """

    TOPICS: Sequence[Topic]
    PARAMETERS: Sequence[Parameter]
    FOUND: Sequence[str]
    """Names of the things that can be found in an image, for ``/diagnostics``."""
    NEEDS_CAMERA: bool
    """(optional) Whether answers need the camera's CameraInfo: ``Moment.lens``."""

    def messages(self, answer: Any, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
        """Return what makes the message of each topic that is not latched, by the topic's name.

        A message is made when its turn comes, and only if it is wanted.
        """

    def announce(
        self, block: Any, options: Any, header: Any, new: New
    ) -> Mapping[str, Callable[[], Any]]:
        """Return what makes the messages of the latched topics, by name (only where there are any).

        Args:
            block: Of the model.
            options: Of its decoder; the messages are sent again when these change them.
            header: Stamped with the time at which the model was loaded.
            new: Makes a message.
        """

    def read(self, messages: Mapping[str, Any], image_size: Size) -> Any:
        """Return the answer of recorded messages, by the topic's name; the inverse of ``messages``.

        Raises:
            LookupError: A message that is needed is missing.
            ValueError: A message makes no sense.
        """

    def options(self, value: Callable[[str], Any], block: Any) -> Any:
        """Return the decoder's ``Options`` that the parameters ask for; ``value`` by their name."""

    def found(self, answer: Any) -> Sequence[str]:
        """Return those of ``FOUND`` that the answer shows."""

    def fill_info(self, message: Any, block: Any) -> None:
        """Fill in what ``ModelInfo`` says of the task, where it has fields for it (in place)."""

    def fill_options(self, message: Any, options: Any) -> None:
        """Fill in what depends on the decoder's ``Options``, too (optional; in place)."""


class Paint(Protocol):
    """``paint.py`` (optional): what an answer says of points in space.

    ``PaintOptions()`` is a frozen dataclass: when a point is seen. An answer has ``classes``, a
    table of ``id``, ``name`` and ``colour`` (RGB).
    """

    PaintOptions: Any

    def paint(self, points: NDArray, camera: Any, answer: Any, options: Any) -> Any:
        """Return ``ids`` (N,) uint8, 255 for none, and ``probability`` (N,) float32.

        Args:
            points: (N, 3) m, in the camera's optical frame at the image's time.
            camera: ``ground.camera.CameraModel`` of the image as received.
            answer: Of that image.
            options: A ``PaintOptions``.

        Raises:
            ValueError: Points of another shape, or an answer to an image of another size.
        """
