# SPDX-License-Identifier: Apache-2.0
"""What the soak of a rig has to keep, and what it broke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from shared_encoder_perception.soak.limits import Limits, of_load, of_resources
from shared_encoder_perception.soak.rigs.analysis import dropped


def excused(cameras: int, outages: int, rate: float, dead_s: float) -> int:
    """Return how many images may be dropped because cameras are unplugged.

    While the others wait for the anchor to be dead, no map is made, and theirs are replaced.
    """
    return outages * max(cameras - 1, 0) * ceil(rate * dead_s + 1)


def broken(result: Mapping[str, Any], limits: Limits) -> list[str]:
    """Say which limits a soak broke, one line each.

    Args:
        result: As ``run`` makes it.
        limits: What it had to keep.
    """
    return [
        *_images(result, limits),
        *_maps(result["maps"]),
        *_outages(result, limits),
        *of_load(result, limits),
        *of_resources(result, limits),
    ]


def _images(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Judge the images' fates."""
    for name, one in result["cameras"].items():
        if one["unaccounted"]:
            yield (
                f"camera {name}: {one['unaccounted']} of {one['published']} images are unaccounted "
                f"for: in no number of the node's, or in two; {one['received']} reached it"
            )
    count = dropped(result["cameras"])
    if count > limits.dropped + result["excused"]:
        yield (
            f"{count} images dropped, the limit is {limits.dropped:g} and the {result['excused']} "
            "that may be around the unplugging"
        )


def _maps(maps: Mapping[str, int]) -> Iterator[str]:
    """Judge what came back."""
    if not maps["whole"]:
        yield "no map came back on all topics"
    if maps["lost_messages"]:
        yield f"{maps['lost_messages']} messages of the node did not arrive"
    if maps["foreign"]:
        yield f"{maps['foreign']} maps belong to no image, or came twice"


def _outages(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Judge what was said of unplugged cameras."""
    asked, outages = result["setting"]["outages"], result["outages"]
    if len(outages) != asked:
        yield f"{len(outages)} of {asked} times a camera was unplugged"
    for one in outages:
        where = f"camera {one['camera']}, unplugged at {one['at_s']:.0f} s"
        if one["out_s"] is None:
            yield f"{where}, did not come back"
        for key, limit, words in (
            ("named_s", limits.named_s, "called dead"),
            ("active_s", limits.active_s, "called active again"),
        ):
            after_s = one[key]
            if after_s is None and limit != float("inf"):
                yield f"{where}, was not {words} by the diagnostics"
            elif after_s is not None and after_s > limit:
                yield f"{where}, was {words} after {after_s:.1f} s, the limit is {limit:g} s"
