# SPDX-License-Identifier: Apache-2.0
"""The pages for readers, taken apart: links, anchors, commands, and words in the code's font."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [Block(*match.groups()) for match in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Return where links and pictures of a page point to; those in the code's font are none."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "x", prose(text)))


def anchors(text: str) -> set[str]:
    """Return what ``#`` may name in a page, as GitHub makes it of headings."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        words = re.sub(r"\]\([^)]*\)", "", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def code_spans(text: str) -> list[str]:
    """Return what is in the code's font outside of fenced blocks, on one line each."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]


def shell_commands(text: str) -> list[list[str]]:
    """Return the commands of a page's shell blocks, as words; variables are replaced."""
    commands = []
    for block in blocks(text):
        if block.language not in ("", "bash"):
            continue
        lines = block.text.replace("\\\n", " ").splitlines()
        if not block.language and not lines[0].startswith("python"):
            continue  # a drawing
        commands += _commands(lines)
    return commands


def _commands(lines: list[str]) -> list[list[str]]:
    """Split lines into commands, and commands into words."""
    values: dict[str, str] = {}
    commands = []
    for line in lines:
        if match := re.fullmatch(r'(\w+)="([^"]*)"', line):
            values[match[1]] = match[2]
            continue
        line = re.sub(r"\$(\w+)", lambda match: values[match[1]], line)
        words = shlex.split(line, comments=True)
        while "&&" in words:
            end = words.index("&&")
            commands.append(words[:end])
            words = words[end + 1 :]
        commands += [words] if words else []
    return commands
