# SPDX-License-Identifier: Apache-2.0
"""What the moment adds to foreground: whether there was a background to compare the image with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Final

from shared_encoder_perception.tasks.contract.refining import CompanionState, Moment
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.spec import INPUT_BACKGROUND
from shared_encoder_perception.tasks.status import Level, Status

NAME: Final = "foreground"
"""Of the status."""
WAITING: Final = Status(Level.OK, "waiting for an image")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class RefineOptions:
    """Nothing: what the parameters say is for the decoder, and for the background's owner."""


def options(value: Callable[[str], Any]) -> RefineOptions:
    """Take nothing."""
    return RefineOptions()


class Refiner:
    """Takes back what was said without a background; see ``contract.Refiner``."""

    def __init__(self, options: RefineOptions) -> None:
        """Know no image yet."""
        self.options = options
        self._status = WAITING

    def __call__(self, answer: ForegroundMask, moment: Moment) -> ForegroundMask:
        """Return the mask; one of which nothing is known where the background is of no use."""
        state = moment.companions.get(INPUT_BACKGROUND)
        self._status = _status(state)
        return answer if state is None or not state.problem else replace(answer, known=False)

    def expect(self, companions: Mapping[str, CompanionState]) -> None:
        """Say what is wrong with the background already, before there is an image."""
        state = companions.get(INPUT_BACKGROUND)
        if state is not None and state.problem:
            self._status = replace(_status(state), message=f"{WAITING.message}; {state.problem}")

    def end_drive(self) -> None:
        """Do nothing: each image stands for itself."""

    def reset(self) -> None:
        """Forget what was said of the last image."""
        self._status = WAITING

    def statuses(self) -> dict[str, Status]:
        """Say what images are compared with, or why with nothing."""
        return {NAME: self._status}


def _status(state: CompanionState | None) -> Status:
    """Say what the last image was compared with."""
    if state is None:
        return Status(Level.OK, "compared with the background that came with the image")
    size = UNKNOWN if state.size is None else f"{state.size[1]}x{state.size[0]}"
    values = {
        "background": state.source or "none",
        "background_age_s": UNKNOWN if isnan(state.age_s) else f"{state.age_s:.1f}",
        "background_size": size,
    }
    if state.problem:
        return Status(state.level, f"no foreground is known: {state.problem}", values)
    message = f"compared with the background from {state.source}"
    if state.note:
        message += f", but {state.note}"
    return Status(state.level, message, values)
