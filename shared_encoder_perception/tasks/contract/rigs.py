# SPDX-License-Identifier: Apache-2.0
"""What the files of a room hold whose question is asked of a whole rig, not of each image.

Such a room stands in ``tasks.RIG_ROOMS``. Its files have the names of those of other rooms, and are
asked in the same way (``tasks.part``); here is what differs. Three things do everywhere:

* **Frame.** Answers and labels are of the ground around the vehicle, in the rig's frame, metres.
  Nothing is in pixels of an image, and there is no crop: ``seen`` says which cells are seen.
* **Batch axis.** The images of a batch are the cameras of one rig. The leading axis of the tensors
  that such a task takes and gives counts rigs: it is 1 in artifacts, whatever the number of
  images, and N rigs of S cameras each are N and N * S in training (``ModelSpec.of_rigs``).
* **Labels.** All tasks of rigs share one label, ``rig.ground_map.GroundLabel``, which is of no
  grid: a room makes of it what is true on the answer's own cells (``RigTarget.truth``). So there is
  no ``labels.py``.

``head.py`` and ``loss.py`` are as of ``contract.training``, but for that axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.spec import Block, ModelSpec
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Colour, New, Outputs, Topic
from shared_encoder_perception.tasks.contract.scores import FrameScores, Scores
from shared_encoder_perception.tasks.parameter import Parameter

Seen = NDArray[np.bool_]
"""(Y, X), where at least one camera that was there sees the cell."""


class RigBlock(Block, Protocol):
    """``spec.Block``: as of any task, and the cells that it is about."""

    @property
    def grid(self) -> BevGrid:
        """Return the grid."""


class RigDecode(Protocol):
    """``decode.py``: output tensors -> answer; ``Options`` as of ``contract.runtime.Decode``.

    ``Decoder(block)`` is made once for a model, and called with ``(outputs, seen, options)``; the
    outputs are without the batch axis. An answer has ``grid``, ``seen``, ``check(grid)``, and
    ``within(seen)``, the same answer to fewer cells.
    """

    Options: Any
    Decoder: Callable[[Any], Callable[[Outputs, Seen, Any], Any]]


class RigTarget(Protocol):
    """``target.py``: label -> what is true of each cell, and what a network is to say (numpy)."""

    def truth(self, label: GroundLabel, grid: BevGrid, seen: Seen, yaw_rad: float = 0.0) -> Any:
        """Return what is true in the cells that are seen, of a grid turned by ``yaw_rad``."""

    def encode(self, label: Any | None, size: Size, block: Any) -> dict[str, NDArray]:
        """Return the targets of one rig; of ``None`` those that cost nothing. ``label`` is true."""

    def ideal(self, targets: Mapping[str, NDArray], size: Size, block: Any) -> dict[str, NDArray]:
        """Return the outputs of a network that says just what ``targets`` ask for."""


class RigDraw(Protocol):
    """``draw.py``: answers and labels from above, and in the pictures of the cameras."""

    PANELS: Sequence[str]

    def picture(self, answer: Any) -> NDArray[np.uint8]:
        """Return a (h, w, 3) BGR picture from above: ahead is up."""

    def legend(self, answer: Any) -> Sequence[tuple[str, Colour]]:
        """Return the lines of text that name what it shows."""

    def panels(self, answer: Any, truth: Any) -> Sequence[NDArray[np.uint8]]:
        """Return such pictures of answer, label and error, as ``PANELS`` names them."""

    def paint(
        self, canvas: NDArray[np.uint8], answer: Any, camera: RigCamera, scale: float
    ) -> None:
        """Draw an answer into the picture of one of the rig's cameras (in place)."""

    def paint_label(
        self, canvas: NDArray[np.uint8], label: GroundLabel, camera: RigCamera, scale: float
    ) -> None:
        """Draw a label likewise (in place)."""


@dataclass(frozen=True)
class RigContext:
    """What a message carries beside the answer.

    Attributes:
        header: ``std_msgs/Header``, of rclpy or rosbags: the time of the anchor's image, the rig's
            frame; not copied.
        spec: Of the model; ``None`` where there is none, as of masks put on the ground.
        stage_ms: Milliseconds by stage.
    """

    header: Any
    spec: ModelSpec | None = None
    stage_ms: Mapping[str, float] = field(default_factory=dict)


class RigContent(Protocol):
    """``content.py``: as of ``contract.runtime.Content``, but for ``RigContext``.

    All headers have the rig's frame: there is no answer without a calibration, and no topic is
    ``grounded``.
    """

    TOPICS: Sequence[Topic]
    PARAMETERS: Sequence[Parameter]
    FOUND: Sequence[str]

    def messages(
        self, answer: Any, context: RigContext, new: New
    ) -> Mapping[str, Callable[[], Any]]:
        """Return what makes the message of each topic, by its name."""

    def read(self, messages: Mapping[str, Any]) -> Any:
        """Return the answer of recorded messages, by the topic's name; the inverse of ``messages``.

        Raises:
            LookupError: A message that is needed is missing.
            ValueError: A message makes no sense.
        """

    def options(self, value: Callable[[str], Any], block: Any) -> Any:
        """Return the decoder's ``Options`` that the parameters ask for; ``value`` by their name."""

    def fill_info(self, message: Any, block: Any) -> None:
        """Fill in what ``ModelInfo`` says of the task, where it has fields for it (in place)."""

    def found(self, answer: Any) -> Sequence[str]:
        """Return those of ``FOUND`` that the answer shows."""


class RigRecord(Protocol):
    """``record.py``: as of ``contract.records.Record``, without crops."""

    FILES: Mapping[str, str]
    DETECTABLE: Sequence[str]

    def detected(self, answer: Any) -> Sequence[str]:
        """Return those of ``DETECTABLE`` that the answer shows."""

    def prediction(self, answer: Any, out: Path, picture: Path) -> dict[str, Any]:
        """Return the keys of a line of ``predictions.jsonl``; write the files that it names."""

    def result(self, answer: Any) -> dict[str, Any]:
        """Return the keys of a line of ``results.jsonl``."""

    def scores(self, counted: Any) -> dict[str, Any]:
        """Return the keys of a line's ``scores``, of a ``Metric`` that saw this moment alone."""

    def different(self, line: Mapping[str, Any], answer: Any) -> Sequence[str]:
        """Name what of an answer that came in messages is not as a line of ``results.jsonl``."""


class RigMetric(Protocol):
    """``metric.py``: as of ``contract.scores.Metric``, but for ``update(answer, truth)``.

    ``truth`` is of the answer's grid, with the cells that are to be scored; where the answer sees
    nothing it is not scored either. Names in ``SCORE`` are among ``COLUMNS``; a score whose name
    ends in ``_answered`` is the share of moments in which that was answered, 0 for never.
    """

    Metric: Any
    FullMetric: Any
    SECTION: str
    SCORE: Sequence[str]
    COLUMNS: Sequence[str]

    def headline(self, by_source: Mapping[str, Any]) -> dict[str, float]:
        """Return the few numbers that stand for all, of the ``Metric`` of each source."""

    def shipped_scores(self, scores: Scores) -> dict[str, float]:
        """Return the few of a source's sections that go into ``ModelSpec.scores``; may hold NaN."""

    def full_headline(self, by_source: Mapping[str, Any]) -> dict[str, float]:
        """Return what ``evaluate`` adds to it, of each source's ``FullMetric``."""

    def record(self, answer: Any, counted: Any) -> FrameScores:
        """Return what one moment scored, of a ``FullMetric`` that saw it alone, or nothing."""


class RigBaseline(Protocol):
    """``baseline.py``: what is said without looking, of cells and not of pixels.

    ``Constant()`` learns what is usual: ``update(truth, grid)``, ``merge(other)``, ``answer(grid,
    seen)``, which is ``nothing`` where nothing was learned.
    """

    USUAL: str
    NOTHING: str
    Constant: Any

    def nothing(self, grid: BevGrid, seen: Seen) -> Any:
        """Return the answer that there is nothing."""
