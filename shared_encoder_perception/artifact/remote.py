"""One object behind a URL, read and written through fsspec, with errors that say what to do.

What a URL may hold of secrets (user, password, query) never gets into a message.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

PACKAGES: Final = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "http": ("aiohttp", "http"),
    "https": ("aiohttp", "http"),
}
"""Scheme -> what fsspec needs for it, and the extra of this package that brings it."""

CONNECT_S: Final = 10.0
SILENCE_S: Final = 60.0
"""Seconds without a byte until an HTTP server counts as gone. There is no limit on the whole: a
large model on a slow line is no error."""
PROGRESS_DELAY_S: Final = 1.0
"""A download that takes longer shows its progress on a terminal."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]*)://")
_USER: Final = re.compile(r"(?<=://)[^/]*@")
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_CREDENTIALS: Final = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError")
"""Of botocore, whose types exist only where it is installed."""


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
    """Return the path that a path or a ``file://`` URL means, ``None`` for other URLs.

    Raises:
        StoreError: A ``file://`` URL of another computer.
    """
    scheme = scheme_of(url)
    if not scheme:
        return Path(url)
    if scheme != "file":
        return None
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise StoreError(f"{url} names the computer {parts.netloc!r}: write file:///absolute/path")
    return Path(unquote(parts.path))


def beside(url: str, suffix: str) -> str:
    """Return the URL of a file beside another one: its name with ``suffix`` appended."""
    name, mark, query = url.partition("?")
    return name + suffix + mark + query


def redact(url: str) -> str:
    """Return a URL, or a path, without what may be secret in it, for messages."""
    if not scheme_of(url):
        return url
    name, mark, _ = url.partition("?")
    return _USER.sub("***@", name) + ("?***" if mark else "")


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
        self.url, self.name = url, redact(url)
        self._files, self._path = _open(url)

    def read(self) -> bytes:
        """Return the object.

        Raises:
            MissingError, DeniedError, StoreError: It cannot be read.
        """
        with _explained("read", self.name):
            return bytes(self._files.cat_file(self._path))

    def write(self, content: bytes) -> None:
        """Create or replace the object.

        Raises:
            MissingError, DeniedError, StoreError: It cannot be written; missing is the bucket.
        """
        with _explained("upload", self.name):
            self._files.pipe_file(self._path, content)

    def download(self, path: Path) -> None:
        """Copy the object to a file, with a progress bar on a terminal.

        Args:
            path: Replaced; incomplete after an error.

        Raises:
            MissingError, DeniedError, StoreError: It cannot be read.
        """
        from fsspec.callbacks import TqdmCallback

        look = {"unit": "B", "unit_scale": True, "desc": self.name, "delay": PROGRESS_DELAY_S}
        with _explained("download", self.name), TqdmCallback({**look, "disable": None}) as bar:
            self._files.get_file(self._path, str(path), callback=bar)


def _open(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it."""
    name, scheme = redact(url), scheme_of(url)
    package, extra = PACKAGES.get(scheme, ("", ""))
    try:
        from fsspec import available_protocols
        from fsspec.core import url_to_fs

        if "::" in url or scheme not in available_protocols():
            raise StoreError(
                f"cannot open {name}: expected s3://, gs://, https:// or another scheme that "
                "fsspec knows, and no chain of them"
            )
        with _explained("open", name):
            # A new one each time: a cached one keeps the endpoint and the keys that it began with.
            files, path = url_to_fs(url, skip_instance_cache=True, **_options(scheme))
    except ImportError as error:
        cause = error.__cause__ or error
        hint = f"{package}, or the extra [{extra}] of shared_encoder_perception" if extra else ""
        raise StoreError(
            f"cannot open {name}: it needs what cannot be imported ({cause}): "
            f"pip install fsspec {hint}".rstrip()
        ) from None
    return files, str(path)


def _options(scheme: str) -> dict[str, Any]:
    """Return how to open a store: over HTTP with the user's proxies, and not for ever."""
    if PACKAGES.get(scheme, ("",))[0] != "aiohttp":
        return {}
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    return {"client_kwargs": {"trust_env": True, "timeout": timeout}}


@contextmanager
def _explained(doing: str, name: str) -> Iterator[None]:
    """Turn what a store raises into words."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # each store has types of its own
        kind, reason = _reason(error)
        raise kind(f"cannot {doing} {name}: {reason}") from None


def _reason(error: Exception) -> tuple[type[StoreError], str]:
    """Say what went wrong and what to do."""
    status = getattr(error, "status", None)  # of aiohttp
    words = re.sub(r"\S+://\S+", lambda match: redact(match[0]), " ".join(str(error).split()))
    words = words or type(error).__name__
    if isinstance(error, FileNotFoundError) or status == 404:
        return MissingError, f"it is not there ({words}); check the bucket and the name"
    if (
        isinstance(error, PermissionError)
        or status in (401, 403)
        or type(error).__name__ in _NO_CREDENTIALS
    ):
        return DeniedError, (
            f"access denied ({words}); give the credentials as the store's own tools take them, "
            "e.g. AWS_PROFILE, or FSSPEC_S3_ANON=true for a public bucket"
        )
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return StoreError, f"there is no room for it ({words}); free some"
    return StoreError, (
        f"{type(error).__name__}: {words}; check the network and the address (s3:// on your own "
        "server: AWS_ENDPOINT_URL)"
    )
