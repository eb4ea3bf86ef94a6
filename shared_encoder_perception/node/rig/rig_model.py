# SPDX-License-Identifier: Apache-2.0
"""The model that a rig's node runs, loaded within a limit of time."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from shared_encoder_perception.backends import Backend
from shared_encoder_perception.node.diagnostics import Diagnostics
from shared_encoder_perception.node.ending import asked_to_end, minded
from shared_encoder_perception.node.loading import (
    NAMES,
    TIMEOUT,
    Load,
    LoadBackend,
    load_model,
    source_of,
)
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.rig.rig import MOST_CAMERAS


class RigModel:
    """Holds one loaded model, or none; it is warmed up with the rig.

    Attributes:
        backend: The one in use; ``None`` before ``load`` and after ``release``.
    """

    def __init__(
        self, value: Callable[[str], Any], load: LoadBackend, diagnostics: Diagnostics
    ) -> None:
        """Load nothing yet.

        Args:
            value: Returns the value of the parameter of a name.
            load: How to load a backend.
            diagnostics: Tells of the model, and of the load while it lasts.
        """
        self._value, self._load, self._diagnostics = value, load, diagnostics
        self.backend: Backend | None = None

    def load(self) -> Backend:
        """Load what the parameters name.

        Raises:
            TimeoutError: It took longer than the parameters allow.
            InterruptedError: The process was asked to end.
            Exception: As ``load_model`` raises.
        """
        settings = {name: self._value(name) for name in NAMES}
        source, limit_s = source_of(settings.__getitem__), self._value(TIMEOUT)
        with minded(limit_s):
            load = Load(
                lambda: Predictor(
                    # A rig that is read later may have any number of cameras.
                    load_model(settings.__getitem__, self._load, MOST_CAMERAS),
                    of_rig=True,
                )
            )
            self._diagnostics.watch_loading(lambda: (source, perf_counter() - load.begun_s))
            try:
                self.backend = load.result(source, limit_s, self._wait).backend
            finally:
                self._diagnostics.watch_loading(lambda: None)
        self._diagnostics.set_model(self.backend.spec, self.backend.info)
        return self.backend

    def release(self, hangs: bool, error: str = "") -> None:
        """Let go of the model.

        Args:
            hangs: Whether a thread hangs in it: closing an engine then could take the process down.
            error: Why there is none, if that is an error.
        """
        backend, self.backend = self.backend, None
        if backend is not None and not hangs:
            backend.close()
        self._diagnostics.clear_model(error)

    def _wait(self) -> None:
        """Go on with what the executor's thread has to do while a model is loaded."""
        if asked_to_end.is_set():
            raise InterruptedError("the process was asked to end")
        self._diagnostics.publish_if_due()
