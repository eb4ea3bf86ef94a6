# SPDX-License-Identifier: Apache-2.0
"""One object behind a URL, read and written through fsspec, with errors that say what to do.

What a URL may hold of secrets (user, password, query, fragment) never gets into a message, and the
error of a library is never handed on: it repeats the URL, and its traceback would, too.
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from shared_encoder_perception.files.safe_text import HIDDEN, printable, redact, without_secrets

PACKAGES: Final = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "http": ("aiohttp", "http"),
    "https": ("aiohttp", "http"),
}
"""Scheme -> what fsspec needs for it, and the extra of this package that brings it."""

SHIPPED: Final = "shipped:"
"""Before the name of a model that comes with the package."""
FOLDER: Final = Path(__file__).resolve().parent.parent / "models"
"""Where those are."""
RENAMED: Final = {"shipped:depth": "shipped:default"}
"""What shipped models were called before 1.0.0, and are no more."""

CONNECT_S: Final = 10.0
SILENCE_S: Final = 60.0
"""Seconds without a byte until an HTTP server counts as gone. There is no limit on the whole: a
large model on a slow line is no error."""
PROGRESS_DELAY_S: Final = 1.0
"""A download that takes longer shows its progress on a terminal."""

STATUS: Final = {status.value: status.phrase for status in HTTPStatus}
_FIRST_ERROR: Final = 400
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]*)://")
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_CREDENTIALS: Final = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError")
"""Of botocore, whose types exist only where it is installed."""


_LIBRARIES: Final = ("fsspec", "aiohttp", "s3fs", "gcsfs", "botocore", "aiobotocore", "asyncio")
"""Whose own log lines repeat URLs."""

T = TypeVar("T")


class StoreError(ValueError):
    """A model that cannot be fetched or published; the message says what to do."""


class MissingError(StoreError):
    """There is nothing at this URL."""


class DeniedError(StoreError):
    """The store does not let us read or write this URL."""


def scheme_of(url: str) -> str:
    """Return the scheme of a URL, e.g. ``"s3"``; empty for a path."""
    match = _SCHEME.match(url)
    return match[1] if match else ""


def local_path(url: str) -> Path | None:
    """Return the path that a path, ``shipped:NAME`` or a ``file://`` URL means, or ``None``.

    Raises:
        StoreError: A ``file://`` URL of another computer, or a name that no shipped model has.
    """
    if url.startswith(SHIPPED):
        there = {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}
        name = RENAMED.get(url, url).removeprefix(SHIPPED)
        if name not in there:
            known = ", ".join(SHIPPED + name for name in there) or f"none in {FOLDER}"
            raise StoreError(f"{printable(url)} is no model that is shipped, there are: {known}")
        return there[name]
    scheme = scheme_of(url)
    if not scheme:
        return Path(url)
    if scheme != "file":
        return None
    # By hand: urlsplit repeats a password that it does not like.
    name = redact(url)
    computer, slash, path = re.split("[?#]", name, maxsplit=1)[0][len("file://") :].partition("/")
    if computer not in ("", "localhost"):
        far = computer.removeprefix(f"{HIDDEN}@")
        what = f"the computer {far!r}" if far else "a user"
        raise StoreError(f"{printable(name)} names {what}: write file:///absolute/path")
    return Path(unquote(slash + path))


def beside(url: str, suffix: str) -> str:
    """Return the URL of a file beside another one: its name with ``suffix`` appended."""
    ends = "[?#]" if scheme_of(url).startswith("http") else "[?]"  # S3's names may hold a "#"
    end = match.start() if (match := re.search(ends, url)) else len(url)
    return url[:end] + suffix + url[end:]


class Remote:
    """One object of a store.

    Attributes:
        url: Where it is, with its secrets.
        name: The same without them.
    """

    def __init__(self, url: str) -> None:
        """Open the store; no object needs to be there.

        Raises:
            StoreError: Unknown scheme, missing package, or a URL that the store does not
                understand.
        """
        self.url, self.name = url, printable(redact(url))
        self._files, self._path = _open(url)

    def read(self) -> bytes:
        """Return the object.

        Raises:
            MissingError, DeniedError, StoreError: It cannot be read.
        """
        return _explained("read", self.url, lambda: bytes(self._files.cat_file(self._path)))

    def write(self, content: bytes) -> None:
        """Create or replace the object.

        Raises:
            MissingError, DeniedError, StoreError: It cannot be written; missing is the bucket.
        """
        _explained("upload", self.url, lambda: self._files.pipe_file(self._path, content))

    def download(self, path: Path) -> None:
        """Copy the object to a file, with a progress bar on a terminal.

        Args:
            path: Replaced; incomplete after an error.

        Raises:
            MissingError, DeniedError, StoreError: It cannot be read.
        """
        from fsspec.callbacks import TqdmCallback

        look = {"unit": "B", "unit_scale": True, "desc": self.name, "delay": PROGRESS_DELAY_S}

        def copy() -> None:
            with TqdmCallback({**look, "disable": None}) as bar:
                self._files.get_file(self._path, str(path), callback=bar)

        _explained("download", self.url, copy)


def _open(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it."""
    name, scheme = printable(redact(url)), scheme_of(url)
    package, extra = PACKAGES.get(scheme, ("", ""))
    missing = ""
    try:
        from fsspec import available_protocols
        from fsspec.core import url_to_fs

        if "::" in url or scheme not in available_protocols():
            raise StoreError(
                f"cannot open {name}: expected s3://, gs://, https:// or another scheme that "
                "fsspec knows, and no chain of them"
            )
        # A new one each time: a cached one keeps the endpoint and the keys that it began with.
        options = {"skip_instance_cache": True, **_options(scheme)}
        files, path = _explained("open", url, lambda: url_to_fs(url, **options))
        _FOREIGN_LOGS.watch(url)  # of what was imported only now
    except ImportError as error:
        missing = without_secrets(error.__cause__ or error, url)
    if missing:
        hint = f"{package}, or the extra [{extra}] of shared_encoder_perception" if extra else ""
        raise StoreError(
            f"cannot open {name}: it needs what cannot be imported ({missing}): "
            f"pip install fsspec {hint}".rstrip()
        )
    return files, str(path)


def _options(scheme: str) -> dict[str, Any]:
    """Return how to open a store: over HTTP with the user's proxies, and not for ever."""
    if PACKAGES.get(scheme, ("",))[0] != "aiohttp":
        return {}
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    return {"client_kwargs": {"trust_env": True, "timeout": timeout}}


def _explained(doing: str, url: str, action: Callable[[], T]) -> T:
    """Do something with a store, and turn what it raises into words.

    Raises:
        StoreError: It failed. The store's own error is not its context: that repeats secrets.
    """
    _FOREIGN_LOGS.watch(url)
    try:
        return action()
    except ImportError:
        raise
    except Exception as error:  # each store has types of its own
        kind, reason = _reason(error, url)
    raise kind(f"cannot {doing} {printable(redact(url))}: {reason}")


class _ForeignLogs(logging.Filter):
    """Takes the secrets of URLs out of the log lines of the libraries that we hand them to."""

    def __init__(self) -> None:
        """Know no URL yet."""
        super().__init__()
        self._urls: set[str] = set()

    def watch(self, url: str) -> None:
        """See that no library logs the secrets of a URL from now on."""
        if redact(url) == url:
            return
        self._urls.add(url)
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if name.split(".")[0] in _LIBRARIES and isinstance(logger, logging.Logger):
                logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean a line; its traceback, which may end in an error that repeats a URL, goes."""
        words = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            words += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        record.msg, record.args = without_secrets(words, *self._urls), ()
        record.exc_info = record.exc_text = None
        return True


_FOREIGN_LOGS: Final = _ForeignLogs()


def _reason(error: Exception, url: str) -> tuple[type[StoreError], str]:
    """Say what went wrong and what to do."""
    status = _status(error)
    words = without_secrets(error, url) or type(error).__name__
    if status is not None:  # whatever else a server says, it is about the URL
        words = f"HTTP status {status}" + (f", {STATUS[status]}" if status in STATUS else "")
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        place = "folder" if scheme_of(url) == "file" else "bucket"
        return MissingError, f"it is not there ({words}); check the {place} and the name"
    if (
        isinstance(error, PermissionError)
        or status in (401, 403)
        or type(error).__name__ in _NO_CREDENTIALS
    ):
        return DeniedError, (
            f"access denied ({words}); give the credentials as the store's own tools take them, "
            "e.g. AWS_PROFILE, or FSSPEC_S3_ANON=true for a public bucket; a signed URL may have "
            "expired"
        )
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return StoreError, f"there is no room for it ({words}); free some"
    kind = type(error).__name__
    said = words if status is not None or words == kind else f"{kind}: {words}"
    return StoreError, (
        f"{said}; check the network and the address (s3:// on your own server: AWS_ENDPOINT_URL)"
    )


def _status(error: Exception) -> int | None:
    """Return the HTTP status that an error of a library is about; ``None`` for none."""
    for name in ("status", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value >= _FIRST_ERROR:
            return value
    return None
