# SPDX-License-Identifier: Apache-2.0
"""Lines that our modules log through Python's logging, in the node's ROS log."""

from __future__ import annotations

import logging
from typing import Any, Final

from shared_encoder_perception.files.safe_text import printable

PACKAGE: Final = "shared_encoder_perception"


class RosHandler(logging.Handler):
    """Hands log records to a ROS logger."""

    def __init__(self, logger: Any) -> None:
        """Forward to ``logger``, that of a node."""
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record with the nearest of ROS's severities."""
        message = printable(record.getMessage())  # names of files and models may hold ESC
        # Called by name: ROS allows one severity for each place in the code.
        if record.levelno >= logging.ERROR:
            self._logger.error(message)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(message)
        else:
            self._logger.info(message)


def forward_log(logger: Any) -> None:
    """Send this package's log to ``logger`` from now on, and nowhere else."""
    ours = logging.getLogger(PACKAGE)
    ours.handlers = [RosHandler(logger)]
    ours.propagate = False
    ours.setLevel(logging.INFO)
