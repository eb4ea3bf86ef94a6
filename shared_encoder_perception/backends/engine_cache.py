# SPDX-License-Identifier: Apache-2.0
"""Engines built once: a folder of files that are trusted only as far as they prove what they are.

An engine's file holds a header, which says what it was built from and by what, and the sha256 of
what follows. A file of another model, version, device, precision or shape has another name; one
that is damaged, cut off or was put there under a wrong name is built again and replaced.

An engine is a program. Whoever can write it runs what they like, whatever sha256 the model is
pinned to: a file of another user, or one that others could have written, is built again, too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.files.own_files import (
    NotOwnError,
    check_own,
    make_own,
    part_file,
    read_own,
    remove_doubtful,
    user_cache,
)

MAGIC: Final = b"shared_encoder_perception engine 1\n"
"""First line of an engine's file."""
SUFFIX: Final = ".engine"
READABLE: Final = 0o644
"""Mode of its file: an engine built by root may be run by others."""
PROGRESS_S: Final = 5.0
"""Seconds between two lines that say that an engine is still being built."""

_log = logging.getLogger(__name__)


class EngineCache:
    """Engines in a folder.

    Attributes:
        folder: Where they are.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``, by default the user's cache; it is made when it is needed."""
        self.folder = folder or default_folder()

    def path(self, key: Mapping[str, str]) -> Path:
        """Return the file of the engine that ``key`` describes."""
        digest = hashlib.sha256(_header(key)).hexdigest()
        return self.folder / f"{key.get('engine', 'engine')}-{digest[:32]}{SUFFIX}"

    def load_or_build(self, key: Mapping[str, str], build: Callable[[], bytes]) -> bytes:
        """Return an engine, built if need be.

        Args:
            key: Everything that it depends on: ``sha256`` of the model, ``engine`` and its
                version, driver, device, precision, shapes.
            build: Makes it; may take minutes.

        Raises:
            BackendError: The folder cannot be written; says so before the work where it can.
        """
        path = self.path(key)
        found = self.read(key)
        if found is not None:
            return found
        in_the_way = path.exists()
        if not in_the_way:
            self._make_folder()
        with progress(f"building the {key.get('engine', '')} engine for {path.name}"):
            payload = build()
        try:
            self.write(key, payload)
        except BackendError as error:
            if not in_the_way:
                raise
            _log.warning("the engine is built anew at every start: %s", error)
        return payload

    def read(self, key: Mapping[str, str]) -> bytes | None:
        """Return an engine, or ``None`` where there is none that can be trusted."""
        path = self.path(key)
        try:
            content = read_own(path)
        except FileNotFoundError:
            return None
        except NotOwnError as error:
            _log.warning(
                "the engine %s is not trusted (%s): built again; an engine runs as a program, so "
                "that others must not write it: chmod go-w, or a cache of your own",
                *(path, error.strerror),
            )
            return None
        except OSError as error:
            _log.warning("cannot read the engine %s (%s): built again", path, error.strerror)
            return None
        start = MAGIC + _header(key) + b"\n"
        digest, payload = content[len(start) : len(start) + 64], content[len(start) + 65 :]
        if not content.startswith(start) or hashlib.sha256(payload).hexdigest().encode() != digest:
            _log.warning("the engine %s is damaged or foreign: built again", path)
            return None
        return payload

    def write(self, key: Mapping[str, str], payload: bytes) -> None:
        """Keep an engine; it appears under its name only when it is complete.

        Raises:
            BackendError: The folder cannot be written, or is full.
        """
        self._make_folder()
        digest = hashlib.sha256(payload).hexdigest().encode()
        content = b"\n".join((MAGIC + _header(key), digest, payload))
        try:
            with part_file(self.folder) as part:
                with part.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.chmod(READABLE)
                os.replace(part, self.path(key))
        except OSError as error:
            raise self._error(error) from None

    def forget(self, key: Mapping[str, str]) -> None:
        """Remove an engine that its runtime refused.

        Raises:
            BackendError: The folder cannot be written.
        """
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from None

    def folder_for_others(self) -> Path:
        """Return a folder for an engine's own cache, which trusts whatever it finds there.

        Raises:
            BackendError: It cannot be made, or others could write into it.
        """
        folder = self.folder / "onnxruntime"
        try:
            make_own(self.folder)
            make_own(folder)
            remove_doubtful(folder)
            check_own(folder)
        except OSError as error:
            raise self._error(error) from None
        return folder

    def _make_folder(self) -> None:
        """Make the folder, and find out early when it cannot be written."""
        try:
            make_own(self.folder)
        except OSError as error:
            raise self._error(error) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise self._error(PermissionError(13, "not writable"))

    def _error(self, error: OSError) -> BackendError:
        """Say what to do about a folder."""
        return BackendError(
            f"cannot write to the engine cache {self.folder}: {error.strerror or error}; give "
            "another folder (node: parameter backend.cache, commands: --cache), or build the "
            "engine beforehand with `python -m shared_encoder_perception build`"
        )


def default_folder() -> Path:
    """Return the user's cache folder, by the XDG base directory specification."""
    return user_cache("engines")


@contextmanager
def progress(what: str, period_s: float = PROGRESS_S) -> Iterator[None]:
    """Say every few seconds that something still goes on, and how long it took if it said so."""
    done, start = threading.Event(), time.monotonic()

    def report() -> None:
        while not done.wait(period_s):
            _log.info("%s: %.0f s so far", what, time.monotonic() - start)

    thread = threading.Thread(target=report, name="engine build progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    duration_s = time.monotonic() - start
    if duration_s >= period_s:
        _log.info("%s: done in %.0f s", what, duration_s)


def _header(key: Mapping[str, str]) -> bytes:
    """Write a key on one line, always in the same way."""
    return json.dumps(dict(sorted(key.items()))).encode()
