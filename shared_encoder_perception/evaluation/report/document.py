# SPDX-License-Identifier: Apache-2.0
"""A report as it is written: sections of text, numbers, tables and pictures, in one HTML file.

    report = Report("Evaluation", {"model": "default 0.5.0"})
    report.section("Lanes")
    report.table(["lane", "F1"], [["ego", 0.91]], "all images")
    report.picture(image, "the worst frame")
    report.write(Path("report.html"))

The page needs no network and no script. Its bytes are the same for the same content.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.report.charts import new_figure, to_png
from shared_encoder_perception.evaluation.report.template import PAGE, STYLE
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.tasks.contract.reports import Cell as Cell
from shared_encoder_perception.tasks.contract.reports import Groups

DECIMALS: Final = 3
JPEG_QUALITY: Final = 85
SIGNATURES: Final = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
NOTHING: Final = "\N{EN DASH}"
"""Shown for a number that there is not."""


@dataclass(frozen=True)
class _Block:
    """What the template shows, by its kind."""

    kind: str
    text: str = ""
    caption: str = ""
    header: Sequence[Mapping[str, str]] = ()
    groups: Groups = ()
    rows: Sequence[Sequence[Mapping[str, str]]] = ()
    entries: Sequence[Mapping[str, str]] = ()
    columns: int = 1
    pictures: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Section:
    """A title and what stands below it."""

    title: str
    blocks: list[_Block] = field(default_factory=list)


class Report:
    """Collects content in the order in which it is to be read."""

    def __init__(self, title: str, conditions: Mapping[str, str]) -> None:
        """Start a report.

        Args:
            title: Of the page.
            conditions: What the results depend on, by name: model, data, engine.
        """
        self._title, self._conditions = title, dict(conditions)
        self._sections: list[_Section] = []

    def section(self, title: str) -> None:
        """Begin a section; it also stands in the navigation."""
        self._sections.append(_Section(title))

    def heading(self, text: str) -> None:
        """Begin a part of the section."""
        self._add(_Block("heading", text))

    def text(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._add(_Block("text", text))

    def numbers(self, numbers: Sequence[tuple[str, Cell, str]]) -> None:
        """Add the few numbers that matter most, in large type.

        Args:
            numbers: ``(label, value, note)`` each.
        """
        entries = [
            {"label": label, "value": cell_text(value), "note": note}
            for label, value, note in numbers
        ]
        self._add(_Block("numbers", entries=entries))

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        caption: str = "",
        *,
        groups: Groups = (),
        muted: Collection[int] = (),
        decimals: Mapping[int, int] | None = None,
    ) -> None:
        """Add a table.

        Args:
            header: Name of each column.
            rows: A cell for each column.
            caption: Above the table.
            groups: Names over columns that belong together, ``(name, number of columns)`` in order;
                they must cover all columns.
            muted: Columns to step back, such as those of a baseline.
            decimals: Of the floats in a column, where they are not to be three.

        Raises:
            ValueError: A row, or the groups, have another number of columns than the header.
        """
        for row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f"table {caption!r} has a row of {len(row)} cells, expected {len(header)}"
                )
        if groups and sum(span for _, span in groups) != len(header):
            raise ValueError(
                f"table {caption!r} has groups of {sum(span for _, span in groups)} columns, "
                f"expected {len(header)}"
            )
        starts = np.cumsum([span for _, span in groups])[:-1].tolist() if groups else []
        textual = [
            not any(isinstance(row[column], (int, float)) for row in rows)
            for column in range(len(header))
        ]
        styles = [
            " ".join(
                name
                for name, wanted in (
                    ("text", textual[column]),
                    ("muted", column in muted),
                    ("first", column in starts),
                )
                if wanted
            )
            for column in range(len(header))
        ]

        places = decimals or {}

        def line(cells: Sequence[Cell]) -> list[Mapping[str, str]]:
            return [
                {"text": cell_text(cell, places.get(column, DECIMALS)), "style": styles[column]}
                for column, cell in enumerate(cells)
            ]

        body = [line(row) for row in rows]
        self._add(_Block("table", "", caption, line(header), tuple(groups), body))

    def picture(
        self, picture: NDArray[np.uint8] | bytes, caption: str = "", *, columns: int = 1
    ) -> None:
        """Add a picture.

        Args:
            picture: (H, W, 3) uint8 BGR, or an encoded PNG or JPEG.
            caption: Below the picture.
            columns: How many of the pictures that follow one another stand in a row.

        Raises:
            ValueError: It is neither.
        """
        data = picture if isinstance(picture, bytes) else _encode(picture)
        kind = next((kind for kind, start in SIGNATURES.items() if data.startswith(start)), None)
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if kind else None
        if decoded is None:
            raise ValueError(f"picture {caption!r} is neither BGR uint8 nor PNG nor JPEG bytes")
        entry = {
            "uri": f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}",
            "caption": caption,
            "width": decoded.shape[1],
            "height": decoded.shape[0],
        }
        blocks = self._blocks()
        if not (blocks and blocks[-1].kind == "pictures" and blocks[-1].columns == columns):
            self._add(_Block("pictures", columns=columns))
        blocks[-1].pictures.append(entry)

    def chart(
        self, draw: Callable[[Any], None], inches: tuple[float, float], caption: str = ""
    ) -> None:
        """Add a chart as a PNG.

        Args:
            draw: Draws on a matplotlib ``Axes``.
            inches: Width and height, with everything around the axes.
            caption: Below.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        figure = new_figure(inches)
        draw(figure.subplots())
        self.picture(to_png(figure), caption)

    def write(self, path: Path) -> None:
        """Write the page; it appears only when it is complete.

        Raises:
            ModuleNotFoundError: jinja2 is not installed.
            OSError: The folder cannot be written.
        """
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup

        page = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
        html = page.render(
            title=self._title,
            conditions=self._conditions,
            sections=self._sections,
            style=Markup(STYLE),
        )
        write_text(path, html)

    def _blocks(self) -> list[_Block]:
        """Return what stands in the present section.

        Raises:
            ValueError: No section was begun.
        """
        if not self._sections:
            raise ValueError("begin a section before its content: report.section(title)")
        return self._sections[-1].blocks

    def _add(self, block: _Block) -> None:
        """Append to the present section."""
        self._blocks().append(block)


def cell_text(value: Cell, decimals: int = DECIMALS) -> str:
    """Write a cell: rounded, with separated thousands, a dash for nothing."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return NOTHING
    return (
        f"{value:,}" if isinstance(value, int) else f"{round(value, decimals) + 0.0:.{decimals}f}"
    )


def _encode(picture: NDArray[np.uint8]) -> bytes:
    """Encode pixels as JPEG.

    Raises:
        ValueError: They are no picture.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"picture is {picture.dtype} {picture.shape}, expected uint8 (H, W, 3) BGR"
        )
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return bytes(data.tobytes())
