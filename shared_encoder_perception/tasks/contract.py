"""What the files of a task's room hold: the questions that the rest of the house asks it.

Each class here describes one file, as a Protocol for a module: ``spec.py`` of a room has what
``Spec`` says, and so on. Files marked *optional* are absent where a task does without. A toy room
that has them all in one file is ``test/tasks/toy_task.py``; ``test/tasks/test_conformance.py`` asks
every room of the table for all of this.

Libraries: ``spec`` the standard library; ``answer``, ``metric`` numpy; ``decode``, ``draw``,
``content``, ``labels`` and what is offline numpy and cv2; ``head``, ``loss``, ``distill`` torch.
Nothing here imports rclpy. ``contract_scores`` goes on with what scores, compares and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.spec import Block, ModelSpec
from shared_encoder_perception.structures import Answer, Size
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


class Decode(Protocol):
    """``decode.py``: output tensors -> answer.

    ``Options`` is a frozen dataclass of what may change from one image to the next, such as
    thresholds; ``Options.of(block)`` takes what the model was shipped with. ``Decoder(block,
    input_size)`` is made once for a model, and called with ``(outputs, transform, options)``.
    """

    Options: Any
    Decoder: Callable[[Any, Size], Callable[[Outputs, ImageTransform, Any], Answer]]


class Draw(Protocol):
    """``draw.py``: answers and labels on pictures. Nothing but the canvas is ever changed."""

    LAYER: int
    """Order of painting, low first: areas 0, lines 10."""

    def paint(self, canvas: NDArray[np.uint8], answer: Any, scale: float) -> None:
        """Paint an answer on its (H, W, 3) BGR image (in place); lines ``scale`` times as thick."""

    def legend(self, answer: Any) -> Sequence[tuple[str, Colour]]:
        """Return the lines of text that name what was painted."""

    def paint_label(self, canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
        """Paint a label as if it were an answer, what is not labelled told apart (in place)."""

    def outline_label(self, canvas: NDArray[np.uint8], label: Label) -> None:
        """Draw a label thinly in white, to be compared with the answer beneath (in place)."""

    def resized(self, answer: Any, image_size: Size, size: Size) -> Any:
        """Return the answer for its image resized from ``image_size`` to ``size``."""


class Topic(NamedTuple):
    """One topic that a task publishes.

    Attributes:
        name: Relative to the node's namespace.
        kind: ROS type, e.g. ``"sensor_msgs/msg/Image"``.
        lazy: Made only while somebody subscribes; not recorded by ``replay``.
        last: Sent after everything else about the image.
        grounded: Sent only while there is a calibration: its header has the vehicle's frame.
        latched: Kept for late subscribers and sent once for each model; made by ``announce``.
    """

    name: str
    kind: str
    lazy: bool = False
    last: bool = False
    grounded: bool = False
    latched: bool = False


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
    """

    header: Any
    image_size: Size
    spec: ModelSpec
    stage_ms: Mapping[str, float]
    counts: Counts
    frame_id: str = ""
    elapsed_ms: Callable[[], float] = field(default=lambda: 0.0)


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

    def messages(self, answer: Any, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
        """Return what makes the message of each topic that is not latched, by the topic's name.

        A message is made when its turn comes, and only if it is wanted.
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


class Refine(Protocol):
    """``refine.py`` (optional): what calibration and time add to an answer, in node and replay.

    ``Refiner()`` is made once and called with ``(answer, Moment)``; it is pickled into a replay's
    checkpoints. ``parameters`` are in ``content.PARAMETERS``.
    """

    Refiner: Any


# ---- labels -------------------------------------------------------------------------------------


class Labels(Protocol):
    """``labels.py``: what a label is, in files and in pictures that are cropped or turned.

    ``Label`` is a frozen dataclass with ``check(image_size)``, which raises a ``ValueError``.
    """

    Label: Any
    KEYS: Sequence[str]
    """Keys of a line of ``frames.jsonl`` that belong to this task."""

    def faults(self, record: Mapping[str, Any], size: Size) -> Iterator[str]:
        """Say what is wrong with the task's keys of a line, files not looked at."""

    def read(
        self, record: Mapping[str, Any], folder: Path, size: Size
    ) -> Callable[[], Label] | None:
        """Return what reads the label of a line that has no faults; ``None`` where there is none.

        Args:
            record: The line.
            folder: Where the set is.
            size: ``(height, width)`` of the picture.
        """

    def write(self, label: Label, folder: Path, picture: Path) -> dict[str, Any]:
        """Return the keys of a line for a label; write its files below ``folder``.

        ``picture`` is where the picture is below ``folder/images``; files take its name.
        """

    def of_world(self, rendered: Any) -> Label | None:
        """Return the exact label of a rendered world (``world.rendered.Rendered``)."""

    def view(self, label: Label, transform: ImageTransform) -> Label:
        """Return the label of the network's input, in its pixels; nothing is cut off."""

    def mirror(self, label: Label, width: int) -> Label:
        """Return the label of the mirrored picture: left things become right ones."""

    def warp(self, label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
        """Return the label of a picture moved by a (2, 3) affine matrix, pixels to pixels.

        What comes in from outside is not labelled.
        """

    def inside(self, label: Label, crop: Crop) -> Label:
        """Return what of the label a network that saw only ``crop`` can be held to.

        In pixels of the whole picture.
        """

    def still_true(self, label: Label, size: Size) -> bool:
        """Whether a label that was moved still means what it says, such as "own lane"."""


# ---- training -----------------------------------------------------------------------------------


class Target(Protocol):
    """``target.py``: label -> what a network is to say."""

    def encode(self, label: Label | None, size: Size, block: Any) -> dict[str, NDArray]:
        """Return the targets of a view, arrays of fixed shapes and dtypes by name.

        Args:
            label: In pixels of the network's input; ``None`` where nothing is known: targets that
                cost nothing.
            size: ``(height, width)`` of the network's input.
            block: Of the spec, for strides.
        """

    def ideal(self, targets: Mapping[str, NDArray], size: Size, block: Any) -> dict[str, NDArray]:
        """Return the outputs of a network that says just what ``targets`` (of one view) ask for."""


class Head(Protocol):
    """``head.py``: features -> logits -> output tensors.

    ``make_head(architecture, inputs, config)`` returns a torch module; see ``model.architectures``
    for what each architecture calls it with. ``finish(logits)`` is pure, and part of the graph.
    """

    def make_head(self, architecture: str, inputs: Any, config: Any) -> Any:
        """Return the module that makes a dict of logits, by names that no other task has."""

    def finish(self, logits: Mapping[str, Any], size: Size, block: Any) -> dict[str, Any]:
        """Turn logits into the tensors that the block promises."""


class Loss(Protocol):
    """``loss.py``: logits and targets -> parts of the loss.

    ``Config`` (optional) is a frozen dataclass; its keys are keys of the config's ``loss``.
    """

    PARTS: Mapping[str, Mapping[str, float]]
    """What is balanced by task weighting -> its parts and their weights."""

    def make_loss(self, config: Any) -> Any:
        """Return a module: ``(logits, targets) -> {part: scalar}``, with exactly those parts.

        Sums are divided by counts over all processes. Where nothing is labelled a part is 0.
        """
