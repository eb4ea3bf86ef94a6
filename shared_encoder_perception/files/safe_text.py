# SPDX-License-Identifier: Apache-2.0
"""Words that came from outside, made fit for a message, a table or a log.

Names of models and files may hold anything: what steers a terminal, a formula that a spreadsheet
would run, the secrets of a URL.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple
from unicodedata import category
from urllib.parse import parse_qsl, unquote, unquote_plus

_STEERING: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of what steers a terminal or breaks a line: ESC, line breaks, the marks that
turn the direction of writing round, halves of a surrogate pair."""

_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet runs; the last four are the full-width signs."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*:/+")
_IN_TEXT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*:/+[^\s\"'<>]+")
_OWN_HOST: Final = re.compile(r"(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]*\])?(:\d*)?")
"""What can only be a computer and its port, no user and password."""

_LONE: Final = 4
"""A secret part shorter than this is taken out only where it stands alone: each ``1`` of a message
is not the password ``1``."""
HIDDEN: Final = "***"


def printable(text: object) -> str:
    r"""Return a name or a message on one line, without anything that steers a terminal.

    Args:
        text: Whatever ``str`` makes text of.

    Returns:
        The text with control characters, line breaks, marks of direction and lone surrogates
        written as Python escapes them: ``\x1b``, ``\n``, ``\u202e``.
    """
    words = str(text)
    if words.isprintable():
        return words
    return "".join(repr(char)[1:-1] if category(char) in _STEERING else char for char in words)


def csv_cell(text: str) -> str:
    """Return text for a cell of a CSV file, with ``'`` before what a spreadsheet would run.

    Only for text: numbers are written as they are. ``from_csv_cell`` takes it back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_csv_cell(cell: str) -> str:
    """Return the text that ``csv_cell`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class ListedError(ValueError):
    """Several things are wrong; each is told on a line of its own.

    Attributes:
        head: What they have in common.
        lines: Each of them; names in it were made ``printable``, or they could forge a line.
    """

    def __init__(self, head: str, lines: Sequence[str]) -> None:
        """Say them all."""
        super().__init__("\n  ".join([head, *lines]))
        self.head, self.lines = head, tuple(lines)


class _Parts(NamedTuple):
    """A URL, cut at what may be secret: ``head + user@ + place + ?query + #fragment``."""

    head: str
    user: str
    place: str
    query: str
    fragment: str


def redact(url: str) -> str:
    """Return a URL without what may be secret in it, for messages; a path as it is.

    User and password go, also where a password holds a slash, an at-sign or a question mark that
    nobody encoded; so do query and fragment. Where it cannot be known whether an at-sign ends a
    password or belongs to the path, all before it goes.
    """
    parts = _parts(url)
    if parts is None:
        return url
    user = f"{HIDDEN}@" if parts.user else ""
    query = f"?{HIDDEN}" if parts.query else ""
    fragment = f"#{HIDDEN}" if parts.fragment else ""
    return f"{parts.head}{user}{parts.place}{query}{fragment}"


def shown_path(path: object) -> str:
    """Return a path for messages; of a URL that was taken for one, not its secrets."""
    return printable(redact(str(path)))


def without_secrets(text: object, *urls: str) -> str:
    """Return a foreign message without the secret parts of the URLs that it may be about.

    Args:
        text: The message, or the error that says it.
        urls: What was asked for: their user, password, query and fragment are taken out wherever
            they occur, as they are, percent-decoded or encoded, or as HTTP sends them.

    Returns:
        The message on one line; any other URL in it is redacted, too, as a server may have sent us
        elsewhere.
    """
    words = _IN_TEXT.sub(lambda match: redact(match[0]), str(text))
    secrets = {secret for url in urls for secret in _secrets(url)}
    for secret in sorted(secrets, key=len, reverse=True):
        words = _pattern(secret).sub(HIDDEN, words)
    words = re.sub(r"\?[^\s\"'<>?=]+=[^\s\"'<>]*", f"?{HIDDEN}", words)
    return printable(" ".join(words.split()))


def _parts(url: str) -> _Parts | None:
    """Cut a URL into pieces; ``None`` for what is a path."""
    match = _SCHEME.search(url)
    if match is None:
        return None
    head, rest = url[: match.end()], url[match.end() :]
    user, rest = _user(rest)
    rest, _, fragment = rest.partition("#")
    place, _, query = rest.partition("?")
    return _Parts(head, user, place, query, fragment)


def _user(rest: str) -> tuple[str, str]:
    """Take user and password off what follows the scheme."""
    first = re.split(r"[/?#]", rest, maxsplit=1)[0]
    before = re.split(r"[?#]", rest, maxsplit=1)[0]
    if _OWN_HOST.fullmatch(first):
        return "", rest
    _, colon, port = first.partition(":")
    if "@" not in first and colon and not port.isdigit():
        # The password goes on behind the slash, question mark or number sign; or has no end at all.
        user, mark, place = rest.rpartition("@")
        return (user, place) if mark else (first, rest[len(first) :])
    if "@" in first and not colon:
        user, _, place = first.rpartition("@")
        return user, place + rest[len(first) :]
    tail = rest[len(before) :]
    if colon and "@" in first and "@" in tail and "=" not in tail.partition("@")[0]:
        user, _, place = rest.rpartition("@")  # a password with an at-sign and a question mark
        return user, place
    if colon and "@" in before:
        user, _, place = before.rpartition("@")
        return user, place + rest[len(before) :]
    return "", rest


def _secrets(url: str) -> set[str]:
    """Return the secret parts of a URL, decoded."""
    parts = _parts(url)
    if parts is None:
        return set()
    found = {parts.user, parts.query, parts.fragment, *parts.user.split(":", 1)}
    # Who takes a URL apart by the book names only a piece of a password with a slash in it.
    found |= set(re.split("[/?#@:]", parts.user))
    for text in (parts.query, parts.fragment):
        found |= {value for _, value in parse_qsl(text.replace(";", "&"))}
        found |= {value for piece in re.split("[&;]", text) for value in piece.split("=", 1)[-1:]}
    found |= {unquote(text) for text in found} | {unquote_plus(text) for text in found}
    found |= {b64encode(unquote(text).encode(errors="replace")).decode() for text in (parts.user,)}
    return found - {""}


def _pattern(secret: str) -> re.Pattern[str]:
    """Return what finds a secret, each of its characters as it is or percent-encoded."""
    pieces = []
    for char in secret:
        encoded = "".join(f"%(?:25)?{byte:02x}" for byte in char.encode(errors="replace"))
        more = r"|\+|%20" if char == " " else ""
        # In messages, a quote or a backslash may have another one before it.
        before = r"\\?" if char in "\\\"'" else ""
        pieces.append(f"(?:{before}{re.escape(char)}|(?i:{encoded}){more})")
    pattern = "".join(pieces)
    if len(secret) < _LONE:
        pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
    return re.compile(pattern)
