# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a built site: links that lead nowhere, files from other servers."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

LOADED: Final = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}
"""What a browser fetches by itself: a site that works without a network has these beside it."""


class _Page(HTMLParser):
    """Collects what a page links to, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[tuple[str, str]] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {given[key] or "" for key in ("id", "name") if key in given}
        key = LOADED.get(tag, "href" if tag == "a" else "")
        if key in given:
            self.targets.append((tag, given[key] or ""))


def faults(site: Path) -> list[str]:
    """Return a line for everything on a site's pages that leads nowhere.

    Addresses on other servers that people follow are not asked for; those that a browser would
    fetch by itself are faults.
    """
    pages = {}
    for path in sorted(site.rglob("*.html")):
        if path.relative_to(site).parts[0] != "_static":  # the theme's templates
            pages[path] = _Page()
            pages[path].feed(path.read_text())
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        for tag, target in page.targets:
            if reason := _fault(path, tag, target, pages):
                found.append(f"{name}: {target}: {reason}")
    return found


def _fault(path: Path, tag: str, target: str, pages: dict[Path, _Page]) -> str:
    """Return what is wrong with one link."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        foreign = tag in LOADED and parts.scheme != "data"
        return "would be fetched from another server" if foreign else ""
    to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if to.is_dir():
        to = to / "index.html"
    if not to.exists():
        return "there is no such file"
    anchor = unquote(parts.fragment)
    if anchor and to in pages and anchor not in pages[to].anchors | {"top"}:
        return f"{to.name} has no such anchor"
    return ""
