# SPDX-License-Identifier: Apache-2.0
"""The model that the node runs, and how it is exchanged while images are perceived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.loading import (
    NAMES,
    SHA256,
    TIMEOUT,
    Load,
    LoadBackend,
    load_predictor,
    source_of,
)
from shared_encoder_perception.node.trial import try_model
from shared_encoder_perception.node.worker import Worker
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec, SpecError
from shared_encoder_perception.tasks.options import Options

TRY_FIRST: Final = "model.try_first"


class LoadedModel:
    """Holds one warmed-up predictor, or none.

    Attributes:
        predictor: The one in use; ``None`` before ``load`` and after ``release``.
    """

    def __init__(
        self,
        value: Callable[[str], Any],
        load: LoadBackend,
        thresholds: Callable[[ModelSpec], Options],
    ) -> None:
        """Load nothing yet.

        Args:
            value: Returns the value of the parameter of a name.
            load: How to load a backend.
            thresholds: Returns what the decoder of a model is told at present.
        """
        self._value, self._load, self._thresholds = value, load, thresholds
        self._begun: tuple[str, float] | None = None
        self._lock = Lock()
        """Held by whoever exchanges the predictor: a transition, or the thread that reloads."""
        self.predictor: Predictor | None = None

    def loading(self) -> tuple[str, float] | None:
        """Return what is being loaded and for how many seconds already; ``None`` for nothing."""
        begun = self._begun
        return None if begun is None else (begun[0], perf_counter() - begun[1])

    def load(self, meanwhile: Callable[[], None]) -> Predictor:
        """Load what the parameters name.

        Args:
            meanwhile: Called now and then until it is loaded; what it raises ends the wait.

        Raises:
            TimeoutError: It took longer than the parameters allow.
            Exception: As ``load_predictor`` raises.
        """
        predictor = self._loaded(self._settings(), meanwhile)
        predictor.options = self._thresholds(predictor.spec)
        with self._lock:
            self.predictor = predictor
        return predictor

    def reload(
        self,
        worker: Callable[[], Worker | None],
        prepare: Callable[[Predictor], Callable[[], None]],
    ) -> Predictor:
        """Load beside the present one what the parameters name now, then use it instead.

        It is tried in a process of its own first, if the parameters say so.

        Args:
            worker: Returns the inference thread that uses the present one, if one runs.
            prepare: Called with the new one before it is used; returns what to do once it is.

        Returns:
            The new one. Whatever is raised, the old one goes on.

        Raises:
            RuntimeError: No model is loaded, or the node let go of it meanwhile.
            SpecError: The new one answers other tasks.
            TimeoutError: It took too long, or the old one has not returned from an image.
            TrialError: It did not survive its trial.
            Exception: As ``load`` raises.
        """
        if self.predictor is None:
            raise RuntimeError("no model is loaded: configure the node")
        new = self._loaded(self._settings(), lambda: None, tries=self._value(TRY_FIRST))
        try:
            with self._lock:
                old, running = self.predictor, worker()
                if old is None:
                    raise RuntimeError("the node was cleaned up while the model was loaded")
                _check_tasks(new, old)
                new.options = self._thresholds(new.spec)
                then = prepare(new)
                if running is not None:
                    running.swap(new)
                self.predictor = new
        except Exception:
            new.backend.close()
            raise
        old.backend.close()
        then()
        return new

    def _settings(self) -> dict[str, Any]:
        """Return what decides about a load; parameters may change while it lasts."""
        return {name: self._value(name) for name in NAMES}

    def _loaded(
        self, settings: Mapping[str, Any], meanwhile: Callable[[], None], tries: bool = False
    ) -> Predictor:
        """Load and warm up a model, within the limit."""
        source, limit_s = source_of(settings.__getitem__), self._value(TIMEOUT)
        self._begun = source, perf_counter()
        try:
            # Another process cannot run a loader of the caller's.
            if tries and self._load is load_backend:
                settings = {**settings, SHA256: try_model(settings, limit_s)}
            load = Load(lambda: load_predictor(settings.__getitem__, self._load))
            return load.result(source, limit_s, meanwhile)
        finally:
            self._begun = None

    def apply_thresholds(self) -> None:
        """Let the next image use the present thresholds."""
        predictor = self.predictor
        if predictor is not None:
            predictor.options = self._thresholds(predictor.spec)

    def release(self, hangs: bool) -> None:
        """Let go of the model.

        Args:
            hangs: Whether a thread hangs in it: closing an engine then could take the process down.
        """
        with self._lock:
            predictor, self.predictor = self.predictor, None
        if predictor is not None and not hangs:
            predictor.backend.close()


def _check_tasks(new: Predictor, old: Predictor) -> None:
    """Refuse a model whose topics would be others: subscribers count on those that there are.

    Raises:
        SpecError: Its tasks, or the pictures it compares images with, are not those of the old one.
    """
    theirs, ours = (
        " and ".join(one.spec.tasks) + "".join(f" by a {name}" for name in one.companions)
        for one in (new, old)
    )
    if theirs != ours:
        raise SpecError(
            f"the model {new.backend.info.source} answers {theirs}, the one that runs {ours}: "
            "topics cannot change while the node is configured; deactivate it, clean it up and "
            "configure it to use this model"
        )
