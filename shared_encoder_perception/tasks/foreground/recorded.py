# SPDX-License-Identifier: Apache-2.0
"""What results of ``evaluate`` and ``replay`` tell of the foreground: scores, and its area."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.contract.comparisons import Held
from shared_encoder_perception.tasks.foreground.drift import SHARES
from shared_encoder_perception.tasks.foreground.record import KEY
from shared_encoder_perception.tasks.masks.recorded import MaskRecords

CELLS: Final = Held(has=("the foreground's shares of each image",), lacks=())
LINES: Final = Held(has=(), lacks=("masks of the foreground",))
_RECORDS: Final = MaskRecords(KEY, SHARES)
of_cells, cells_apart = _RECORDS.of_cells, _RECORDS.cells_apart
of_line, lines_apart = _RECORDS.of_line, _RECORDS.lines_apart
