# SPDX-License-Identifier: Apache-2.0
"""From the node's parameters to a warmed-up predictor, within a limit of time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception.backends import DEFAULT_MODEL, Backend, BackendInfo, BackendOptions
from shared_encoder_perception.files.safe_text import redact
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec, SpecError

LoadBackend = Callable[[str, str, BackendOptions, str], Backend]

SHA256: Final = "model.sha256"
NAMES: Final = (
    *("model.path", SHA256, "backend.name", "backend.device", "backend.precision"),
    *("backend.threads", "backend.cache", "backend.allow_fallback", "backend.compile"),
)
"""Parameters that decide what is loaded."""
TIMEOUT: Final = "model.load_timeout_s"
LOAD_THREAD: Final = "load"
POLL_S: Final = 0.1
"""Longest time until what has to be done beside a load is thought of."""


def load_model(value: Callable[[str], Any], load: LoadBackend, max_batch: int = 1) -> Backend:
    """Load the model that the parameters name.

    Args:
        value: Returns a parameter's value by its name in ``parameters``; asked for ``NAMES`` only.
        load: How to load a backend; see ``backends.load_backend``.
        max_batch: Most images of one inference, for engines that are built for it.

    Raises:
        BackendError, ArtifactError, StoreError: It cannot be loaded as asked.
        SpecError: A model without a valid spec.
    """
    cache = value("backend.cache")
    options = BackendOptions(
        device=value("backend.device"),
        precision=value("backend.precision"),
        threads=value("backend.threads"),
        cache=Path(cache).expanduser() if cache else None,
        allow_fallback=value("backend.allow_fallback"),
        compile=value("backend.compile"),
        max_batch=max_batch,
    )
    model = value("model.path") or str(DEFAULT_MODEL)
    return load(model, value("backend.name"), options, value(SHA256))


def load_predictor(value: Callable[[str], Any], load: LoadBackend) -> Predictor:
    """Load and warm up the model that the parameters name.

    Args:
        value: As for ``load_model``.
        load: Likewise.

    Raises:
        BackendError, ArtifactError, StoreError: It cannot be loaded as asked.
        SpecError: A model without a valid spec, or one that takes more than the image and pictures
            to compare it with.
    """
    backend = load_model(value, load)
    try:
        backend.spec.expect_images("start the node `surround` (surround.launch.py) with a rig")
    except SpecError:
        backend.close()
        raise
    pictures = (INPUT_IMAGE, *backend.spec.companions())
    if extras := [name for name in backend.spec.input_tensors() if name not in pictures]:
        source = backend.info.source
        backend.close()
        raise SpecError(
            f"the model {source} takes {', '.join(extras)} beside the image, which this node "
            "cannot give: use Predictor with `extras`, or a model of pictures alone"
        )
    predictor = Predictor(backend)
    predictor.warm_up()
    return predictor


def source_of(value: Callable[[str], Any]) -> str:
    """Return where the model comes from that the parameters name, for people."""
    return redact(value("model.path") or str(DEFAULT_MODEL))


def too_long(source: str, limit_s: float) -> TimeoutError:
    """Return the error of a load that did not end in time."""
    return TimeoutError(
        f"loading {source} has not ended after {limit_s:g} s, the limit of {TIMEOUT}: see that the "
        "file, the network and the device answer; if an engine is built that takes as long, raise "
        "the limit"
    )


class Load:
    """One load in a thread of its own, which nobody has to wait for.

    Attributes:
        begun_s: ``perf_counter`` at its begin.
    """

    def __init__(self, load: Callable[[], Predictor]) -> None:
        """Begin."""
        self.begun_s = perf_counter()
        self._load = load
        self._done, self._lock = Event(), Lock()
        self._given_up = False
        self._predictor: Predictor | None = None
        self._error: BaseException | None = None
        # A daemon: one that never returns must not keep the process from ending.
        self._thread = Thread(target=self._run, name=LOAD_THREAD, daemon=True)
        self._thread.start()

    def result(self, source: str, limit_s: float, meanwhile: Callable[[], None]) -> Predictor:
        """Wait for the end of the load.

        Args:
            source: Of the model, for people.
            limit_s: Longest wait in seconds; 0 = no limit.
            meanwhile: Called every ``POLL_S`` seconds; what it raises ends the wait.

        Raises:
            TimeoutError: It has not ended in time. What it may still yield is closed then.
            Exception: As the load raises.
        """
        try:
            while not self._done.wait(POLL_S):
                if limit_s and perf_counter() - self.begun_s > limit_s:
                    raise too_long(source, limit_s)
                meanwhile()
        except BaseException:
            self._give_up()
            raise
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._predictor is not None
        return self._predictor

    def _run(self) -> None:
        """Load, and keep what came of it for whoever waits."""
        try:
            predictor = self._load()
        except BaseException as error:  # told in the thread that waits
            self._error = error
        else:
            with self._lock:
                if not self._given_up:
                    self._predictor = predictor
            if self._predictor is None:
                predictor.backend.close()
        self._done.set()

    def _give_up(self) -> None:
        """Take nothing from the load any more."""
        with self._lock:
            self._given_up = True
            late, self._predictor = self._predictor, None
        if late is not None:
            late.backend.close()


def describe(spec: ModelSpec, info: BackendInfo) -> str:
    """Say in one line which model runs on what, and why."""
    why = f" ({info.reason})" if info.reason else ""
    return (
        f"model {spec.name} {spec.version} ({info.sha256[:12]}) on {info.name} {info.version}, "
        f"{info.device}, {info.precision}{why}"
    )
