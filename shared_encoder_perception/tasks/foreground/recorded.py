"""What results of ``evaluate`` and ``replay`` tell of the foreground: scores, and its area."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.comparisons import Apart, Held, Seen
from shared_encoder_perception.tasks.foreground.drift import SHARES
from shared_encoder_perception.tasks.foreground.record import KEY
from shared_encoder_perception.tasks.masks.recorded import areas_apart, cell_scores, line_counts

CELLS: Final = Held(has=("the foreground's shares of each image",), lacks=())
LINES: Final = Held(has=(), lacks=("masks of the foreground",))


def of_cells(cells: Mapping[str, str]) -> Seen:
    """Take the scores of an image; without, the cells are empty."""
    return cell_scores(cells, SHARES, KEY)


def cells_apart(one: Seen, other: Seen) -> Apart:
    """Return nothing: pixels are not there."""
    return Apart({})


def of_line(line: Mapping[str, Any]) -> Seen | None:
    """Take the area, and the score if there is one."""
    return line_counts(line, KEY, SHARES[0])


def lines_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
    """Return the difference of the areas."""
    return areas_apart(one, other, KEY)
