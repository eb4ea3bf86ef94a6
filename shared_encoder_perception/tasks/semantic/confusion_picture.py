# SPDX-License-Identifier: Apache-2.0
"""The confusion matrix as a picture: of each class, what its pixels are said to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES: Final = 40
"""Of a picture that can be read."""
CELL_INCHES: Final = 0.36
NAMES_INCHES: Final = (2.4, 1.7)
"""For the names of the rows, of the columns."""
LEAST_SHARE: Final = 0.005
"""Written as a number; less rounds to 0 %."""
DARK: Final = 0.4
"""Share from which on its cell is too dark for dark letters."""
NOTHING_SAID: Final = "nothing"


def shown(counts: NDArray[np.int64], most: int = MOST_CLASSES) -> list[int]:
    """Return the classes of which there is a label or an answer, in the order of their ids.

    Args:
        counts: (C, C + 1) as of ``confusion.counted``.
        most: How many; of more those with most pixels.
    """
    pixels = counts.sum(axis=1) + counts[:, :-1].sum(axis=0)
    order = np.argsort(-pixels, kind="stable")[:most]
    return sorted(int(index) for index in order if pixels[index])


def shares(counts: NDArray[np.int64], kept: Sequence[int]) -> NDArray[np.float64]:
    """Return what shares of each kept class's pixels are said to be each kept one, or nothing.

    Returns:
        (K, K + 1); NaN in the rows of classes that are not labelled.
    """
    total = counts.sum(axis=1, keepdims=True)
    part = np.full(counts.shape, np.nan)
    np.divide(counts, total, out=part, where=total > 0)
    return part[list(kept)][:, [*kept, counts.shape[1] - 1]]


def inches(kept: Sequence[int]) -> tuple[float, float]:
    """Return the width and height that so many classes need."""
    return (
        NAMES_INCHES[0] + CELL_INCHES * (len(kept) + 1),
        NAMES_INCHES[1] + CELL_INCHES * len(kept),
    )


def draw(axes: Any, names: Sequence[str], counts: NDArray[np.int64], kept: Sequence[int]) -> None:
    """Draw on a matplotlib ``Axes``: labels downwards, answers across, in percent of the label."""
    part, pixels = shares(counts, kept), counts.sum(axis=1)
    axes.set_facecolor("#eeeeee")  # rows without a label
    # The root, so that a few percent are to be seen, too.
    axes.imshow(np.ma.masked_invalid(np.sqrt(part)), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(part):
        if share >= LEAST_SHARE:  # never so for NaN
            ink = "white" if share >= DARK else "#1c2430"
            bold = "bold" if row == column else "normal"
            text = f"{100 * share:.0f}"
            axes.text(
                column, row, text, ha="center", va="center", color=ink, fontsize=7.5, weight=bold
            )
    rows = [f"{names[one]}  ({_short(int(pixels[one]))})" for one in kept]
    as_it_is = {"fontsize": 8, "parse_math": False}  # names are anybody's
    axes.set_yticks(range(len(kept)), rows, **as_it_is)
    across = [*(names[one] for one in kept), NOTHING_SAID]
    axes.set_xticks(
        range(len(kept) + 1), across, rotation=50, ha="left", rotation_mode="anchor", **as_it_is
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(kept)) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(kept) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.axvline(len(kept) - 0.5, color="#5d6875", linewidth=1)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("label (pixels)", fontsize=9)
    axes.set_xlabel("said, percent of the label's pixels", fontsize=9)
    axes.xaxis.set_label_position("bottom")


def _short(pixels: int) -> str:
    """Write a number of pixels in three figures."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if pixels >= unit:
            return f"{pixels / unit:.3g} {name}"
    return str(pixels)
