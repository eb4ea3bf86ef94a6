# SPDX-License-Identifier: Apache-2.0
"""Models behind URLs: fetched into the user's cache, trusted only as far as their sha256.

A pin says which file is the right one: the user's, or else the checksum that ``publish`` left
beside the model. A file of the cache is named after its sha256: a pinned model that is there needs
no network. Without a pin nothing old is used in place of what cannot be reached.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from shared_encoder_perception.artifact.file import (
    CHECKPOINT,
    ArtifactError,
    check_whole,
    parse,
)
from shared_encoder_perception.artifact.remote import (
    DeniedError,
    MissingError,
    Remote,
    StoreError,
    beside,
    local_path,
)
from shared_encoder_perception.files.own_files import make_own, part_file, user_cache
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable, redact
from shared_encoder_perception.spec import SpecError

CHECKSUM: Final = ".sha256"
"""Appended to a model's name: the file beside it that holds its sha256, as sha256sum writes it."""
READABLE: Final = 0o644
"""Mode of a model in the cache: what root fetched may be run by others."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,8}")
_CHUNK: Final = 1 << 20
_log = logging.getLogger(__name__)


def fetch(model: str | Path, sha256: str = "", cache: Path | None = None) -> Path:
    """Return a path of the model.

    Args:
        model: A path, which is returned as it is, or a URL: ``file://``, ``s3://``, ``gs://``,
            ``https://`` or whatever fsspec knows.
        sha256: What a downloaded model must have, hexadecimal; empty for the checksum that was
            published beside it, and any where there is none. Of a path it is not looked at:
            ``read_artifact`` does.
        cache: Folder of what was downloaded; by default ``default_cache()``.

    Raises:
        StoreError: It cannot be fetched, or is another one than was asked for.
    """
    path = local_path(str(model))
    if path is not None:
        return path
    url, pin = str(model), sha256.strip().lower()
    kept = ModelCache(cache)
    if pin:
        if not _SHA256.fullmatch(pin):
            raise StoreError(
                f"the sha256 {printable(sha256)!r} is none: expected 64 hexadecimal digits"
            )
        return kept.find(pin, url) or _download(Remote(url), pin, "pinned", kept)
    try:
        return _fetch_unpinned(Remote(url), kept)
    except StoreError as error:
        earlier = kept.earlier(url)
        if not earlier:
            raise
        raise StoreError(
            f"{error}. An earlier download of it is in the cache: to run that one without network, "
            f"pin its sha256 {earlier}"
        ) from None


def published_sha256(url: str) -> str:
    """Return the sha256 that was published beside a model; empty where there is none.

    Raises:
        StoreError: The store cannot be reached, or the checksum file is none.
    """
    checksum = Remote(beside(url, CHECKSUM))
    try:
        text = checksum.read().decode(errors="replace")
    except MissingError:
        return ""
    except DeniedError as error:  # also what S3 says of a missing object to who may not list
        _log.warning("%s", error)
        return ""
    digest = "".join(text.split()[:1]).lower()
    if not _SHA256.fullmatch(digest):
        raise StoreError(
            f"{checksum.name} is no checksum as sha256sum writes it: publish the model again, or "
            "pin its sha256"
        )
    return digest


def checksum_file(digest: str, name: str) -> bytes:
    """Return what stands in the checksum file of a model, as ``sha256sum --check`` takes it."""
    return f"{digest}  {name}\n".encode()


class ModelCache:
    """Downloaded models in a folder.

    Attributes:
        folder: Where they are.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``, by default the user's cache; it is made when it is needed."""
        self.folder = folder or default_cache()

    def path(self, digest: str, url: str) -> Path:
        """Return the file of a model: its sha256, with the suffix by which backends know it."""
        # Of the last part alone, and nothing secret: a file's name can be listed by others.
        name = re.split("[?#]", redact(url), maxsplit=1)[0].partition("://")[2].partition("/")[2]
        suffix = PurePosixPath(name).suffix
        if not _SUFFIX.fullmatch(suffix):  # to S3, a number sign is part of the name
            end = PurePosixPath(url.partition("?")[0]).suffix
            suffix = end if end in (".onnx", CHECKPOINT) else ".onnx"
        return self.folder / (digest + suffix)

    def find(self, digest: str, url: str) -> Path | None:
        """Return a model, or ``None`` where there is none that is whole."""
        path = self.path(digest, url)
        try:
            if _sha256(path) == digest:
                return path
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("cannot read the model %s (%s): fetched again", path, error.strerror)
            return None
        _log.warning("the model %s in the cache is damaged: fetched again", path)
        return None

    def earlier(self, url: str) -> str:
        """Return the sha256 of the last model that was kept from a URL, empty if it is gone."""
        try:
            digest = plain(self._note(url)).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""
        found = self.find(digest, url) if _SHA256.fullmatch(digest) else None
        # One that was cut off may have been kept by a version up to 0.8.
        return digest if found is not None and not _fault(found, found.suffix) else ""

    @contextmanager
    def new_file(self) -> Iterator[Path]:
        """Give an empty file to download to; it is gone afterwards, unless it was kept.

        Raises:
            StoreError: The folder cannot be written.
        """
        try:
            make_own(self.folder)
            with part_file(self.folder) as part:
                yield part
        except OSError as error:
            raise self._error(error) from None

    def keep(self, part: Path, digest: str, url: str) -> Path:
        """Keep a file that ``new_file`` gave; it appears under its name only when it is complete.

        Raises:
            StoreError: The folder cannot be written, or is full.
        """
        path = self.path(digest, url)
        with self.new_file() as note:
            note.write_text(digest + "\n")
            for file, final in ((part, path), (note, self._note(url))):
                with file.open("rb") as written:
                    os.fsync(written.fileno())
                file.chmod(READABLE)
                os.replace(file, final)
        return path

    def _note(self, url: str) -> Path:
        """Return the file that says which model came from a URL; the URL may hold secrets."""
        return self.folder / (hashlib.sha256(url.encode()).hexdigest() + ".url")

    def _error(self, error: OSError) -> StoreError:
        """Say what to do about a folder."""
        return StoreError(
            f"cannot write to the model cache {self.folder}: {error.strerror or error}; set "
            "XDG_CACHE_HOME to a folder that can be written, or give the path of a model"
        )


def default_cache() -> Path:
    """Return the user's cache folder, by the XDG base directory specification."""
    return user_cache("models")


def _fetch_unpinned(remote: Remote, kept: ModelCache) -> Path:
    """Fetch what the store has now, and see that it is what was published."""
    published = published_sha256(remote.url)
    if not published:
        return _download(remote, "", "", kept)
    found = kept.find(published, remote.url)
    return found or _download(remote, published, "published beside it", kept)


def _download(remote: Remote, pin: str, origin: str, kept: ModelCache) -> Path:
    """Download a model; what is not the one that was asked for is not kept.

    Args:
        remote: Where it is.
        pin: The sha256 it must have; empty for any.
        origin: Who says so, for the message.
        kept: Where it goes.
    """
    with kept.new_file() as part:
        _log.info("downloading %s", remote.name)
        remote.download(part)
        digest = _sha256(part)
        if pin and digest != pin:
            raise StoreError(
                f"{remote.name} has the sha256 {digest}, but {pin} is {origin}: it is damaged, "
                "another model, or just being published; nothing was kept. Try again, or correct "
                "the checksum"
            )
        if not pin and (fault := _fault(part, kept.path(digest, remote.url).suffix)):
            raise StoreError(
                f"{remote.name} arrived cut off, or is no model ({fault}); nothing was kept: try "
                "again, or publish it again"
            )
        path = kept.keep(part, digest, remote.url)
    size_mb = path.stat().st_size / 1e6
    if pin:
        _log.info("downloaded %s: %.1f MB, sha256 %s", remote.name, size_mb, digest)
    else:
        _log.warning(
            "%s is not pinned, so nothing says that it is the right one: %.1f MB, sha256 %s",
            remote.name,
            size_mb,
            digest,
        )
    return path


def _fault(path: Path, suffix: str) -> str:
    """Say what a download, of which nobody knows the length, lacks; empty for what may be whole."""
    if suffix == CHECKPOINT:
        with path.open("rb") as file:
            begins = file.read(2) in (b"PK", b"P", b"")  # else it is refused as what it is, later
        return "its list of contents is missing" if begins and not zipfile.is_zipfile(path) else ""
    if suffix != ".onnx":
        return ""
    try:
        check_whole(parse(path.read_bytes(), "it"), "it")
    except (ArtifactError, SpecError) as error:
        return str(error)
    return ""


def _sha256(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with plain(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
