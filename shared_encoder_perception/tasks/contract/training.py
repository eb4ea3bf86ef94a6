# SPDX-License-Identifier: Apache-2.0
"""How a network learns and gives its answers.

``Any`` stands for torch's types, so that reading this costs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size

Label = Any
"""``Label`` of a room's ``labels.py``."""


class Target(Protocol):
    """``target.py``: label -> what a network is to say (numpy)."""

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

    def class_pixels(self, targets: Mapping[str, NDArray]) -> Mapping[int, int]:
        """(optional) Return how many labelled pixels of a view each class has, by its number."""


class Widths(NamedTuple):
    """What an architecture offers to a task's head, in channels.

    Attributes:
        levels: Of the encoder's features, at strides 4, 8, 16 and 32.
        neck: Of the feature pyramid's map.
        shared: Whether all tasks read the same pyramid, whose map has stride 8. Otherwise it is the
            task's own, and ends at the stride that ``head.OWN_NECK`` says.
        stride: Of the grid on which answers are to leave, which is the neck's, where the
            architecture has one for all tasks; ``None`` where each head has its own.
        finished: Whether a dense answer needs no more than a last convolution on the neck's map.
    """

    levels: tuple[int, ...]
    neck: int
    shared: bool
    stride: int | None = None
    finished: bool = False


class Features(NamedTuple):
    """What a head is called with, for N images.

    Strides count in pixels of what the encoder saw, which may be coarser than ``size``.

    Attributes:
        levels: The encoder's features, (N, C_i, h / s, w / s) at strides s of 4, 8, 16 and 32.
        neck: (N, C, h / s, w / s), the map of the feature pyramid; see ``Widths``. ``None`` where
            no head reads it.
        size: ``(height, width)`` of the network's input.
        inputs: By name, what the model takes beside the image, with a batch axis.
        companions: By name, the encoder's features of the pictures in ``head.ENCODES``, as
            ``levels``.
    """

    levels: Sequence[Any]
    neck: Any
    size: Size
    inputs: Mapping[str, Any]
    companions: Mapping[str, Sequence[Any]] = MappingProxyType({})


class Head(Protocol):
    """``head.py``: features -> logits -> output tensors (torch)."""

    OWN_NECK: int
    """(optional) Finest stride of a pyramid that the task has for itself: 4, 8 (if not said) or
    16."""
    READS_NECK: bool
    """(optional) Whether it reads ``Features.neck``, which is not made where no head does."""
    ENCODES: Sequence[str]
    """(optional) Names of pictures among the inputs that the shared encoder looks at, too."""
    FORMERLY: Mapping[str, str]
    """(optional) Beginnings of the names that weights had in earlier checkpoints and artifacts ->
    those of today: ``decoder.heads.TASK.``, ``decoder.necks.TASK.``."""

    def make_head(self, widths: Widths, config: Any) -> Any:
        """Return a module: ``(Features) -> dict`` of logits, by names that no other task has.

        ``config`` is a ``model.config.NetworkConfig``.
        """

    def finish(self, logits: Mapping[str, Any], size: Size, block: Any) -> dict[str, Any]:
        """Turn logits into the tensors that the block promises, with a batch axis; in the graph."""


class Loss(Protocol):
    """``loss.py``: logits and targets -> parts of the loss (torch).

    ``Config`` (optional) is a frozen dataclass, whose keys are keys of the training config's
    ``loss`` and differ from those of other tasks. It raises a ``ValueError`` for what cannot work.
    """

    PARTS: Mapping[str, Mapping[str, float]]
    """What task weighting balances -> its parts and their weights; names that no other task has."""

    def make_loss(self, config: Any) -> Any:
        """Return a module: ``(logits, targets) -> {part: scalar}``, with exactly those parts.

        ``logits`` are the network's, ``targets`` the task's own with a batch axis, ``config`` a
        ``Config``, or ``None`` where there is no such class. Sums are divided by counts over all
        processes (``layers.shared_count``). Where nothing is labelled a part is 0.
        """


class Distill(Protocol):
    """``distill.py`` (optional): what a teacher network adds to the loss (torch).

    ``Config`` is a frozen dataclass, whose keys are keys of the training config's ``distill``.
    """

    Config: Any

    def make_distill(self, config: Any) -> Any:
        """Return a callable ``(logits, taught, targets) -> {part: weighted scalar}``.

        ``taught`` are the teacher's logits, in float32; names of parts begin with ``distill_``.
        """


class Consistency(Protocol):
    """``consistency.py`` (optional): what answers have to be where nobody has labelled (torch).

    Planes are what an answer says of each cell as numbers that may be averaged, moved and resized:
    (N, C, h, w) float32. A task whose answers cannot be, such as lines one cell wide, has none.
    """

    TEMPORAL: str
    """(optional) Key of the weight by which an answer is held to one of an earlier frame; if not
    said ``temporal``."""

    def planes(self, logits: Mapping[str, Any]) -> Any:
        """Return the planes of an answer."""

    def mirrored(self, said: Any) -> Any:
        """Return the planes of the mirrored pictures: twice is the planes themselves."""

    def scaled(self, said: Any, factor: Any) -> Any:
        """(optional) Return the planes of pictures that are ``factor`` (N,) times as large.

        Where they are seen is changed already.
        """

    def apart(self, logits: Mapping[str, Any], wanted: Any, weight: Any) -> Any:
        """Return how far an answer is from planes that learn nothing: a scalar, 0 for the same.

        A mean over cells by their ``weight`` (N, h, w), 0 to 1; without any 0.
        """

    def apart_in_time(self, logits: Mapping[str, Any], before: Any, weight: Any) -> Any:
        """(optional) Likewise, where the planes are of an earlier frame, moved to this one."""

    def believed(self, said: Any, settings: Any) -> tuple[Any, Any]:
        """(optional) Return labels that a teacher's planes are sure of.

        Args:
            said: Its planes.
            settings: ``confidence`` and ``floor`` of ``SupervisionConfig``.

        Returns:
            Planes that say just that, and (N, h, w): 1 where they are believed, else 0.
        """


class Priors(Protocol):
    """``priors.py`` (optional): what a decoder learns from labels alone.

    ``Priors(block, input_size)`` is shown labels in pixels of the network's input by
    ``update(label)``; ``fit()`` returns the block with what they taught, or raises a ``ValueError``
    for too few.
    """

    Priors: Any


class Events(Protocol):
    """What an uncalibrated model said about labelled frames; ``calibrate.Events(block, size)``."""

    def update(
        self,
        source: str,
        real: bool,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        label: Label,
    ) -> None:
        """Add a frame that has a label.

        Args:
            source: Name of its source.
            real: Whether it is a photograph, not a rendered world.
            outputs: Of the network, without the batch axis.
            transform: How the image became the network's input.
            label: Whole, in pixels of the image.
        """

    def fit(self) -> Any:
        """Return the block with the calibration that all frames teach."""

    def lines(self, block: Any) -> Sequence[str]:
        """Say in words what ``block`` was learned from, and what came of it."""


class Calibrate(Protocol):
    """``calibrate.py`` (optional): what a decoder learns from a trained network's answers."""

    Events: type[Events]

    def uncalibrated(self, block: Any) -> Any:
        """Return the block without calibration; thresholds stay until they are fitted."""
