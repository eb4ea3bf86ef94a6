# SPDX-License-Identifier: Apache-2.0
"""Put a model into a store: the artifact, its card, and last the checksum that vouches for both.

    python -m shared_encoder_perception publish runs/best.onnx s3://models/perception/

Under a folder, a URL that ends in a slash, the model is called NAME-VERSION.onnx as its spec says.
What is printed goes into the node's parameters: the URL, and the sha256 that pins it. Credentials
come from where the store's own tools take them.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import re
from pathlib import Path
from typing import Final

from shared_encoder_perception.artifact.file import (
    ArtifactError,
    check_whole,
    parse,
    read_artifact,
    read_file,
)
from shared_encoder_perception.artifact.remote import (
    MissingError,
    Remote,
    StoreError,
    local_path,
    scheme_of,
)
from shared_encoder_perception.artifact.store import CHECKSUM, checksum_file, published_sha256
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import redact
from shared_encoder_perception.spec import ModelSpec, SpecError

MODEL: Final = ".onnx"
CARD: Final = ".md"
"""Suffixes of a model and, instead of it, of its card."""

_log = logging.getLogger(__name__)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", help=".onnx artifact: a path, or shipped:NAME")
    parser.add_argument("url", help="folder, e.g. s3://bucket/folder/, or name ending in .onnx")
    parser.add_argument("--card", type=Path, help="model card; by default MODEL's name in .md")
    parser.add_argument("--force", action="store_true", help="replace another model of that name")


def run(args: argparse.Namespace) -> int:
    """Publish, then print what to write into a config."""
    model = local_path(args.model)
    if model is None:
        raise StoreError(f"{redact(args.model)} is published already: give a path")
    artifact, content = read_artifact(model), read_file(model)
    url = url_of(args.url, artifact.spec)
    card = args.card or model.with_suffix(CARD)
    text = plain(card).read_bytes() if args.card or card.exists() else b""
    publish(content, artifact.sha256, url, text, args.force)
    size_mb = len(content) / 1e6
    with_card = f"with its card {card}" if text else f"without a card: there is no {card}"
    print(f"published {artifact.spec.name} {artifact.spec.version}, {size_mb:.1f} MB, {with_card}")
    print(f"model.path: {redact(url)}")
    print(f"model.sha256: {artifact.sha256}")
    return 0


def url_of(url: str, spec: ModelSpec) -> str:
    """Return the URL of a model.

    Args:
        url: A folder, ending in a slash, or the model's full name.
        spec: Names the model in a folder.

    Raises:
        StoreError: It is neither, or the spec's words make no file name.
    """
    if not scheme_of(url) or "?" in url or not url.endswith(("/", MODEL)):
        raise StoreError(
            f"cannot publish to {redact(url)}: expected the URL of a folder, e.g. "
            f"s3://bucket/folder/ with the slash, or of a file ending in {MODEL}, without a query; "
            "a folder of this computer is file:///folder/"
        )
    if not url.endswith("/"):
        return url
    name = f"{spec.name}-{spec.version}"
    if not _NAME.fullmatch(name):
        raise StoreError(f"{name!r} of the spec is no file name: give a URL that ends in {MODEL}")
    return url + name + MODEL


def publish(content: bytes, sha256: str, url: str, card: bytes = b"", force: bool = False) -> None:
    """Upload a model, its card and its checksum.

    The checksum comes last, and only when what arrived is what was sent: until then nothing in the
    store vouches for the new model, and an older checksum refuses it.

    Args:
        content: The model's file, byte for byte.
        sha256: What it must have, since it was found right.
        url: Its full name.
        card: Its card; empty for none.
        force: Whether another model of that name may be replaced.

    Raises:
        StoreError: Another model is there, or the store cannot be written or read back.
    """
    model = Remote(url)
    found = b"" if force else _read(model)
    there = hashlib.sha256(found).hexdigest() if found else ""
    if there not in ("", sha256) and _is_unfinished(found, url, sha256):
        _log.warning("%s is of an upload that broke off: it is replaced", model.name)
        there = ""
    if there not in ("", sha256):
        raise StoreError(
            f"{model.name} is another model (sha256 {there}), which somebody may run: publish "
            "under another version or name, or replace it with --force"
        )
    if not there:
        model.write(content)
        arrived = hashlib.sha256(_read(model)).hexdigest()
        if arrived != sha256:
            raise StoreError(
                f"{model.name} has the sha256 {arrived} after the upload, expected "
                f"{sha256}: the store damaged it, or somebody else publishes; try again"
            )
    if card:
        Remote(url.removesuffix(MODEL) + CARD).write(card)
    name = url.rpartition("/")[2]
    Remote(url + CHECKSUM).write(checksum_file(sha256, name))


def _read(model: Remote) -> bytes:
    """Return what is in the store; empty where there is nothing."""
    try:
        return model.read()
    except MissingError:
        return b""


def _is_unfinished(found: bytes, url: str, ours: str) -> bool:
    """Whether what is in the store is the rest of an upload that broke off.

    That is what no checksum vouches for and is no whole model, and whatever stands where the
    checksum already vouches for ours. What others published is neither.

    Args:
        found: What is there; another model than ours.
        url: Where.
        ours: The sha256 of what is to be published.
    """
    try:
        vouched = published_sha256(url)
    except StoreError:  # a checksum file that broke off
        vouched = ""
    if vouched == hashlib.sha256(found).hexdigest():
        return False
    if vouched == ours:
        return True
    try:
        check_whole(parse(found, "it"), "it")
    except (ArtifactError, SpecError):
        return True
    return False
