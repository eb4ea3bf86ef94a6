# SPDX-License-Identifier: Apache-2.0
"""What a soak has to keep, and what it broke."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, Final


@dataclass(frozen=True)
class Limits:
    """The limits; infinity takes one away. That nothing is unaccounted or lost has none.

    Attributes:
        late_percent: Images fewer than the camera was asked for, because it could not keep up.
        overhead_ms: Median of the latency beyond inference. Not in an overload.
        overhead_p99_ms: Its 99th percentile. Not in an overload.
        dropped: Images that the node dropped. Not in an overload, which consists of them.
        queued_p99_ms: 99th percentile of the age beyond two inferences, the image's own and the one
            that was in work when it came. Only in an overload.
        memory_percent: Growth of the resident memory after the warm-up.
        new_threads: Threads that were added after it.
        new_files: File descriptors that were added after it.
        named_s: Of a rig: seconds until the diagnostics call an unplugged camera dead.
        active_s: Of a rig: seconds from its first image until they call it active again.
    """

    late_percent: float = 2.0
    overhead_ms: float = 4.0
    overhead_p99_ms: float = 12.0
    dropped: float = 0.0
    queued_p99_ms: float = 12.0
    memory_percent: float = 1.0
    new_threads: float = 0.0
    new_files: float = 0.0
    named_s: float = 4.0
    active_s: float = 10.0


WORDS: Final = {
    "late_percent": "images fewer than asked for, because the camera could not keep up, %%",
    "overhead_ms": "median latency beyond inference, ms",
    "overhead_p99_ms": "its 99th percentile, ms",
    "dropped": "images that the node may drop",
    "queued_p99_ms": "in an overload, 99th percentile of the age beyond two inferences, ms",
    "memory_percent": "growth of the memory after the warm-up, %%",
    "new_threads": "threads added after the warm-up",
    "new_files": "file descriptors added after the warm-up",
    "named_s": "of a rig, until the diagnostics call an unplugged camera dead, s",
    "active_s": "of a rig, until they call a camera that is back active, s",
}
"""What each limit is about, for the command's help."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare one option for each limit."""
    group = parser.add_argument_group("limits (exit status 1 beyond them; inf takes one away)")
    for name, words in WORDS.items():
        default = getattr(Limits(), name)
        option = f"--max-{name.replace('_', '-')}"
        group.add_argument(
            option, type=_limit, default=default, metavar="LIMIT", help=f"{words} ({default:g})"
        )


def from_options(args: argparse.Namespace) -> Limits:
    """Read the options of ``add_options``."""
    return Limits(**{name: getattr(args, f"max_{name}") for name in WORDS})


def broken(result: Mapping[str, Any], limits: Limits) -> list[str]:
    """Say which limits a soak broke, one line each.

    Args:
        result: As ``run`` makes it.
        limits: What it had to keep.
    """
    return [
        *_images(result, limits),
        *of_load(result, limits),
        *_times(result, limits),
        *of_resources(result, limits),
    ]


def _limit(text: str) -> float:
    """Read a number to compare with; everything is below what is none."""
    value = float(text)
    if isnan(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text}: expected a number from 0, or inf")
    return value


def _images(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Judge the images' fates."""
    images = result["images"]
    if not images["whole"]:
        yield "no image came back on all topics"
    if images["unaccounted"]:
        yield (
            f"{images['unaccounted']} of {images['published']} images are unaccounted for: neither "
            f"perceived nor counted as dropped; {images['received']} reached the node"
        )
    if images["lost_messages"]:
        yield f"{images['lost_messages']} messages of the node did not arrive"
    if images["foreign"]:
        yield f"{images['foreign']} answers belong to no image, or came twice"
    if images["dropped"] > limits.dropped and not result["overload"]:
        yield f"{images['dropped']} images dropped, the limit is {limits.dropped:g}"


def of_load(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Judge the load itself."""
    asked, sent = result["setting"]["rate"], result["rate"]
    late = 100.0 * (1.0 - sent / asked)
    if not late <= limits.late_percent:
        yield (
            f"the camera sent {sent:.2f} Hz, {asked:g} were asked for, the limit is "
            f"{limits.late_percent:g} % fewer: this machine cannot keep up, or does something else"
        )


def _times(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Judge the latency."""
    times = result["times"]
    if not times or not result["tells_inference"]:  # nothing to be held against
        return
    checks = [
        ("overhead", "p50", limits.overhead_ms, "latency beyond inference"),
        ("overhead", "p99", limits.overhead_p99_ms, "latency beyond inference"),
    ]
    if result["overload"]:
        checks = [("queued", "p99", limits.queued_p99_ms, "age beyond two inferences")]
    for name, point, limit, words in checks:
        if not times[name][point] <= limit:  # also where it is no number
            yield f"{words}, {point}: {times[name][point]:.1f} ms, the limit is {limit:g} ms"


def of_resources(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Judge memory, threads and files."""
    found, grown = result["resources"], result["resources"]["memory_growth"]
    if not grown["percent"] <= limits.memory_percent:
        yield (
            f"memory grew by {grown['percent']:.2f} % after the warm-up, from {grown['start']:.1f} "
            f"to {grown['end']:.1f} MB, the limit is {limits.memory_percent:g} %"
        )
    for name, limit, words in (
        ("new_threads", limits.new_threads, "threads"),
        ("new_files", limits.new_files, "file descriptors"),
    ):
        if found[name] > limit:
            yield f"{found[name]:g} {words} added after the warm-up, the limit is {limit:g}"
