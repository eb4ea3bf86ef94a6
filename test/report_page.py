# SPDX-License-Identifier: Apache-2.0
"""Reads a report as a browser would: what it links to, and its pictures."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np

ADDRESSES = ("src", "href", "srcset", "action", "data", "poster", "background", "content", "style")
"""Attributes by which a page can ask for something."""


class Page(HTMLParser):
    """What is in a page.

    Attributes:
        addresses: Everything that it links to or embeds, as it is written.
        tags: Names of all elements, in order.
        text: All text outside of the style.
        captions: Text of each figcaption.
    """

    def __init__(self, path: Path) -> None:
        """Parse a file."""
        super().__init__(convert_charrefs=True)
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.captions: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ADDRESSES and value]
        if tag == "figcaption":
            self.captions.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "style" and data.strip().startswith(":root"):
            return
        self.text += data
        if self.tags and self.tags[-1] == "figcaption" and not data.isspace():
            self.captions[-1] += data

    def pictures(self) -> list[np.ndarray]:
        """Decode every embedded picture."""
        found = []
        for address in self.addresses:
            kind, _, data = address.partition(";base64,")
            if kind in ("data:image/png", "data:image/jpeg"):
                raw = np.frombuffer(base64.b64decode(data, validate=True), np.uint8)
                found.append(cv2.imdecode(raw, cv2.IMREAD_COLOR))
        return found

    def external(self) -> list[str]:
        """Return addresses that are neither in the page nor in itself."""
        inside = ("#", "data:image/", "width=device-width")
        return [address for address in self.addresses if not address.startswith(inside)]
