# SPDX-License-Identifier: Apache-2.0
"""What topics say of a rig's calibration, and the table that is made of it in the background.

No map is better than a wrong one: an image is used only if the table in use was made of what was
known of its camera when the image came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception.node.ledger import DroppedError
from shared_encoder_perception.node.rig.known import Known
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.structures import Size

TABLE_THREAD: Final = "table"
STOP_TIMEOUT_S: Final = 2.0

Install = Callable[[], None]
"""Puts a table to use, in no time, while no image is in work."""


@dataclass(frozen=True)
class TableState:
    """What is known of the table, for people.

    Attributes:
        made: How many there were.
        making_s: For how long the next is being made; 0 where none is.
        age_s: Since when the present one is in use; NaN where none is.
        took_ms: How long it took to make.
        waiting: What a camera waits for, by its name, if no table can be made for it.
        refused: Why a camera's calibration is of no use, by its name.
        problem: Why no table could be made of good calibrations; empty where one could.
    """

    made: int
    making_s: float
    age_s: float
    took_ms: float
    waiting: Mapping[str, str]
    refused: Mapping[str, str]
    problem: str


class RigCalibration:
    """Collects calibrations, and keeps a thread that makes a table when one has changed.

    Until all cameras are calibrated there is no table. After that, a camera whose calibration
    changes, or is refused, is left out until there is a table with a good one.
    """

    def __init__(
        self,
        file: RigFile,
        prepare: Callable[[Rig], Install],
        between_images: Callable[[], AbstractContextManager[None]],
        report: Callable[[str], None],
    ) -> None:
        """Start the thread.

        Args:
            file: The rig.
            prepare: Makes a table, which may take its time (in the thread).
            between_images: Holds the inference thread; raises ``TimeoutError`` where that hangs.
            report: Called with what people should know (any thread).
        """
        self._entries = {entry.name: entry for entry in file.entries}
        self._frame_id = file.frame_id
        self._prepare, self._between, self._report = prepare, between_images, report
        self._changed = Condition()
        self._known = {name: Known() for name in self._entries}
        self._used: dict[str, int] = {}
        self._cameras: dict[str, tuple[tuple[Any, ...], RigCamera]] = {}
        self._waiting: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._problem, self._dirty, self._closed = "", True, False
        self._made, self._took_ms = 0, 0.0
        self._since_s = self._making_since_s = float("nan")
        self._thread = Thread(target=self._run, name=TABLE_THREAD, daemon=True)
        self._thread.start()

    # ---- what topics say (executor's thread) ----------------------------------------------------

    def receive_info(self, name: str, info: Any, stamp_ns: int = 0) -> None:
        """Learn of a camera's CameraInfo; cameras repeat it with every image."""
        with self._changed:
            self._learn(name, self._known[name].with_info(info, stamp_ns))

    def receive_transform(self, name: str, transform: Any) -> None:
        """Learn where a camera is, by TF; a tremble is no news."""
        with self._changed:
            self._learn(name, self._known[name].with_transform(transform))

    # ---- what images ask ------------------------------------------------------------------------

    def version(self, name: str) -> int:
        """Return what is known of a camera now, to be kept with an image that comes now."""
        return self._known[name].version

    def admit(self, name: str, version: int, stamp_ns: int, size: Size) -> None:
        """Refuse an image that the table in use was not made for.

        Args:
            name: Its camera.
            version: As it was when the image came.
            stamp_ns: When it was taken; 0 = unknown.
            size: ``(height, width)`` of it.

        Raises:
            DroppedError: Why it cannot be used.
        """
        with self._changed:
            known = self._known[name]
            taken_later = known.version != version and 0 < known.since_ns <= stamp_ns
            if self._used.get(name) == version and not taken_later:
                height, width = self._cameras[name][1].image_size
                if size == (height, width):
                    return
                # Some images show all that a CameraInfo is for, and some its region of interest.
                self._learn(name, known.with_size(size))
                raise DroppedError(
                    "rejected",
                    f"image rejected: it is {size[1]}x{size[0]}, the calibration in use is for "
                    f"{width}x{height}",
                )
            if name in self._refused and known.size not in (None, size):
                self._learn(name, known.with_size(size))  # perhaps that was the reason
            why = self._waiting.get(name) or self._refused.get(name) or self._problem
            others = [*self._waiting.values(), *self._refused.values()]
            if not why and not self._used and others:
                why = "; ".join(others)
        making = f"camera {name} waits for the table of its calibration, which is being made"
        raise DroppedError("uncalibrated", f"image not used: {why or making}")

    @property
    def state(self) -> TableState:
        """What is known now."""
        with self._changed:
            now_s = perf_counter()
            making_s = now_s - self._making_since_s
            return TableState(
                self._made,
                making_s if making_s > 0 else 0.0,  # NaN is not
                now_s - self._since_s,
                self._took_ms,
                dict(self._waiting),
                dict(self._refused),
                self._problem,
            )

    def close(self) -> bool:
        """End the thread; return whether it ended in time, or hangs in the engine."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    # ---- the thread -----------------------------------------------------------------------------

    def _learn(self, name: str, known: Known) -> None:
        """Keep what is known of a camera; if it is new, wake the thread (with the lock)."""
        if known is not self._known[name]:
            self._known[name], self._dirty = known, True
            self._changed.notify_all()

    def _run(self) -> None:
        """Make tables until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._closed)
                if self._closed:
                    return
                self._dirty = False
                known = dict(self._known)
            try:
                self._renew(known)
            except TimeoutError as error:  # the engine hangs; it may come back
                self._report(f"the new table waits: {error}")
                with self._changed:
                    self._dirty = True
                    self._changed.wait_for(lambda: self._closed, STOP_TIMEOUT_S)
            except Exception as error:  # whatever it is, the next calibration may do
                self._report(f"cannot make a table, {type(error).__name__}: {error}")
                with self._changed:
                    self._problem = f"no table could be made: {error}"

    def _renew(self, known: Mapping[str, Known]) -> None:
        """Make the cameras, and a table if one of them is another one than before."""
        made: dict[str, tuple[tuple[Any, ...], RigCamera]] = {}
        waiting, refused = {}, {}
        for name, entry in self._entries.items():
            one, old, key = known[name], self._cameras.get(name), known[name].key
            if lacks := one.lacks(entry):
                waiting[name] = lacks
            elif old is not None and (
                old[0] == key or (old[0][:2] == key[:2] and one.size == old[1].image_size)
            ):
                made[name] = old
            else:
                try:
                    made[name] = key, entry.camera(one.info, one.transform, one.size)
                except ValueError as error:
                    refused[name] = str(error)
        for name, why in refused.items():
            if self._refused.get(name) != why:
                self._report(why)
        with self._changed:
            self._waiting, self._refused, self._problem = waiting, refused, ""
        all_of_them = {**self._cameras, **made}
        complete = len(all_of_them) == len(self._entries)
        same = all(self._cameras.get(name) is one for name, one in made.items())
        install: Install | None = None
        if complete and not (same and self._used):
            with self._changed:
                self._making_since_s = perf_counter()
            try:
                cameras = tuple(all_of_them[name][1] for name in self._entries)
                install = self._prepare(Rig(cameras, self._frame_id))
            finally:
                with self._changed:
                    took_ms = (perf_counter() - self._making_since_s) * 1e3
                    self._making_since_s = float("nan")
        if install is not None:
            with self._between():
                install()
                with self._changed:
                    self._made, self._took_ms = self._made + 1, took_ms
                    self._since_s, self._cameras = perf_counter(), all_of_them
                    self._used = {name: known[name].version for name in made}
            return
        with self._changed:
            if self._used:
                self._used = {name: known[name].version for name in made}
