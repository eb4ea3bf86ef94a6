# SPDX-License-Identifier: Apache-2.0
"""What people get to see of how right depth is: terminal, report and card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.reports import (
    MODEL,
    TWO,
    Cell,
    Column,
    Groups,
    Page,
    Sources,
    Summary,
    TaskReport,
    muted,
    number,
    scores_of,
)
from shared_encoder_perception.tasks.depth.metric import SECTION

GROUPS: Final[Groups] = (
    *(("", 2), ("AbsRel", 2), ("delta 1", 2), ("model, unscaled", 4)),
    *(("model, height known", 3), ("model, shape alone", 2), ("model", 3)),
)
HEADER: Final = (
    *("source", "images", *TWO, *TWO, "RMSE, m", "SILog", "delta 2", "delta 3"),
    *("AbsRel", "delta 1", "within sigma"),
    *("AbsRel", "delta 1", "within sigma", "said", "beyond"),
)
PLACED: Final = ("absrel", "delta1", "within_sigma")
PART: Final = ("", "pixels", "AbsRel", "delta 1")
FLAT: Final = ("", "pixels", "flat road", "model")
TEXT: Final = (
    "AbsRel is the mean error as a share of the true depth, delta 1 to 3 the shares of pixels "
    "within a factor of 1.25, 1.25 squared and cubed; all are means over images of means over "
    "their labelled pixels, in metres, with nothing brought to the truth's scale. Height known: "
    "each image scaled so that its road is as far below the camera as the label says. Shape alone: "
    "each image is first scaled so that the medians agree, which hides a wrong scale. Within "
    "sigma: pixels that are off by no more than the standard deviation that the model states, "
    "68 % if that is right. Said: labelled pixels that get a depth at all. Beyond: pixels of the "
    "sky that are said to be beyond all range. Baseline: the mean depth of each place, for the "
    "camera's focal length."
)
FLAT_TEXT: Final = (
    "Beside a road that is flat, seen from the camera's true pose: AbsRel of the pixels below the "
    "horizon, up to 150 m of that road."
)


def terminal(scores: Sources, baselines: Mapping[str, Sources]) -> list[str]:
    """Return the row of each source with depth, its distances and owners."""
    names = "".join(f"{name:>10}" for name in baselines)
    lines = [
        f"{'source':<16}{'AbsRel':>8}{names}{'delta 1':>9}{'shape':>8}{'sigma':>7}{'images':>8}"
    ]
    for source, sections in scores.items():
        said = sections[SECTION]
        if not said["images"]:
            continue
        others = "".join(number(one[source][SECTION]["absrel"], 10) for one in baselines.values())
        lines.append(
            f"{source:<16}{number(said['absrel'], 8)}{others}{number(said['delta1'], 9)}"
            f"{number(said['shape']['absrel'], 8)}{number(said['within_sigma'], 7)}"
            f"{said['images']:>8}"
        )
        if (placed := said["known_height"])["images"]:
            lines.append(
                f"  {'height known':<14}{number(placed['absrel'], 8)}{'':>{10 * len(baselines)}}"
                f"{number(placed['delta1'], 9)}{'':>8}{number(placed['within_sigma'], 7)}"
            )
        for part in ("depth_bins", "depth_owners"):
            lines += [
                f"  {name:<14}{number(one['absrel'], 8)}{'':>{10 * len(baselines)}}"
                f"{number(one['delta1'], 9)}"
                for name, one in sections.get(part, {}).items()
                if one["pixels"]
            ]
        flat = sections.get("depth_flat", {}).get("all", {"pixels": 0})
        if flat["pixels"]:
            lines.append(
                f"  below the horizon {number(flat['model'])}, a flat road from the true pose "
                f"{number(flat['flat'])}"
            )
    return lines


def write(page: Page, summary: Summary) -> None:
    """Add everything about depth."""
    rows = source_rows(summary)
    if not rows:
        return
    page.section("Depth")
    page.table(HEADER, rows, groups=GROUPS, muted=muted(GROUPS))
    page.text(TEXT)
    for row in rows:
        sections = summary["sources"][str(row[0])]
        page.heading(str(row[0]))
        for title, part in (("distance", "depth_bins"), ("of what", "depth_owners")):
            page.table((title, *PART[1:]), part_rows(sections[part]))
        flat = sections["depth_flat"]
        if flat["all"]["pixels"]:
            shown = [
                [name, round(one["pixels"]), one["flat"], one["model"]]
                for name, one in flat.items()
                if one["pixels"]
            ]
            page.table(("of what", *FLAT[1:]), shown, FLAT_TEXT)


def source_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with depth in metres."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = {who: said[SECTION] for who, said in scores_of(summary, source).items()}
        model = scores[MODEL]
        if model["images"]:
            rows.append(
                [
                    *(source, model["images"]),
                    *(scores[who]["absrel"] for who in TWO),
                    *(scores[who]["delta1"] for who in TWO),
                    *(model[name] for name in ("rmse", "silog", "delta2", "delta3")),
                    *(model["known_height"][name] for name in PLACED),
                    *(model["shape"][name] for name in ("absrel", "delta1")),
                    *(model[name] for name in ("within_sigma", "answered", "beyond")),
                ]
            )
    return rows


def _placed(scores: Mapping[str, Any], name: str) -> str:
    """Say a score of depth that is scaled by the camera's height."""
    return number(scores[SECTION]["known_height"][name])


def part_rows(parts: Mapping[str, Any]) -> list[list[Cell]]:
    """Each part that has pixels."""
    return [
        [name, round(one["pixels"]), one["absrel"], one["delta1"]]
        for name, one in parts.items()
        if one["pixels"]
    ]


REPORT: Final = TaskReport(
    headlines={"depth_delta1": "Depth within 25 %", "depth_absrel": "Depth's relative error"},
    pooling="depth is the mean over sources, as they measure differently",
    spreads={"depth_delta1": "depth within 25 %"},
    faults="the mean relative error of depth",
    outlined="lines of equal depth",
    slice_counts=(Column("with depth", lambda scores: scores[SECTION]["images"]),),
    slice_scores=(
        Column("AbsRel", lambda scores: scores[SECTION]["absrel"]),
        Column("delta 1", lambda scores: scores[SECTION]["delta1"]),
    ),
    card_columns=(
        Column("AbsRel", lambda scores: number(scores[SECTION]["absrel"])),
        Column("delta 1", lambda scores: number(scores[SECTION]["delta1"])),
        Column("AbsRel, height known", lambda scores: _placed(scores, "absrel")),
        Column("delta 1, height known", lambda scores: _placed(scores, "delta1")),
        Column("images", lambda scores: scores[SECTION]["images"]),
    ),
    card_confidence=(
        Column("within sigma", lambda scores: number(scores[SECTION]["within_sigma"])),
    ),
    terminal=terminal,
    write=write,
)
