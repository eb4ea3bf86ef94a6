# SPDX-License-Identifier: Apache-2.0
"""A soak on one screen, at most 120 columns wide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.images.counts import DROP_REASONS
from shared_encoder_perception.soak.load import CAMERA, PROBE, SOAK
from shared_encoder_perception.soak.records import STAGES, TOLD_STAGES
from shared_encoder_perception.soak.resources import EXECUTOR, INFERENCE, MIDDLEWARE

POINTS: Final = ("p50", "p95", "p99", "max")
ROWS: Final = {
    "latency": "camera to last output received",
    "array": "camera to array received",
    "overhead": "latency beyond inference",
    "node_overhead": "  of it inside the node",
    "transport": "  on the way to and from it",
    "queued": "age beyond two inferences",
    **{stage: f"stage {stage}" for stage in STAGES[:-1]},
    **{stage: f"stage {stage}, by diagnostics" for stage in TOLD_STAGES},
    STAGES[-1]: "all stages but sending the array",
}
"""What is shown, in this order, and what it is called."""

CPU: Final = {
    "node": "the node",
    INFERENCE: "  inference thread and engine",
    EXECUTOR: "  executor: receiving, services",
    MIDDLEWARE: "  DDS",
    CAMERA: "the camera, or cameras",
    PROBE: "the probe: a subscriber for each output",
    SOAK: "this command",
}
"""Whose CPU time is shown, and what it is called."""

UNTOLD: Final = (
    "no message of this model tells how long inference took: what is beyond it has no limit here"
)


def lines(result: Mapping[str, Any]) -> list[str]:
    """Render the result of ``run``."""
    times = table(result["times"], result["stages_told"])
    if not result["tells_inference"]:
        times.append(UNTOLD)
    parts = (_what(result), _images(result["images"]), times, resources(result))
    return [line for part in parts for line in ("", *part)][1:]


def title(result: Mapping[str, Any]) -> str:
    """Say in one line what ran, under what load."""
    setting = result["setting"]
    load = f"{setting['rate']:g} Hz of {_size(setting)} {setting['transport']}"
    return f"{model(result)}; {load}{', overload' if result['overload'] else ''}"


def model(result: Mapping[str, Any]) -> str:
    """Say which model ran, on what."""
    ran, slow_ms = result["model"], result.get("slow_model_ms")
    return (
        f"{ran['name']} {ran['version']}{f' slowed to {slow_ms:.0f} ms' if slow_ms else ''} on "
        f"{ran['backend']} {ran['backend_version']}, {ran['device']}, {ran['precision']}, "
        f"{ran['threads']} threads"
    )


def _size(setting: Mapping[str, Any]) -> str:
    """Write the size of the images."""
    return "x".join(map(str, setting["size"]))


def _what(result: Mapping[str, Any]) -> list[str]:
    """Say what ran."""
    setting = result["setting"]
    return [
        f"model      {model(result)}",
        f"images     {_size(setting)} {setting['transport']}, {setting['rate']:g} Hz asked for, "
        f"{result['rate']:.2f} Hz sent, {setting['seconds']:g} s",
    ]


def _images(images: Mapping[str, int]) -> list[str]:
    """Do the sum."""
    reasons = (f"{images[reason]} {reason}" for reason in DROP_REASONS if images[reason])
    why = f" ({', '.join(reasons)})" if images["dropped"] else ""
    return [
        f"in = out   {images['published']} published = {images['perceived']} perceived + "
        f"{images['dropped']} dropped{why} + {images['unaccounted']} unaccounted",
        f"messages   {images['whole']} images came back whole, {images['lost_messages']} messages "
        f"lost, {images['foreign']} foreign",
    ]


def table(
    times: Mapping[str, Mapping[str, float]], told: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Render the table of milliseconds."""
    if not times:
        return ["no image came back: there are no times"]
    rows, all_times = (
        [f"{'ms':<34}" + "".join(f"{point:>9}" for point in POINTS)],
        {**times, **told},
    )
    for name, words in ROWS.items():
        if not (spread := all_times.get(name, {})):
            continue
        numbers = (f"{spread[point]:9.2f}" if point in spread else f"{'-':>9}" for point in POINTS)
        rows.append(f"{words:<34}" + "".join(numbers))
    return rows


def resources(result: Mapping[str, Any], per: str = "an image") -> list[str]:
    """Say what the node held and used; ``per`` is what its CPU time is told of."""
    found, grown = result["resources"], result["resources"]["memory_growth"]
    cpu_ms = found["cpu_ms_per_image"]
    rows = [f"{words:<34}{cpu_ms[name]:9.2f}" for name, words in CPU.items() if name in cpu_ms]
    return [
        *([f"{f'CPU, ms {per}':<34}{'mean':>9}", *rows, ""] if rows else []),
        f"cores      the node used {found['cores']:.2f}, what is no part of this "
        f"{found['others_cores']:.2f}, of {result['machine']['cores']}",
        f"memory     {found['memory_mb']:.1f} MB, {found['private_mb']:.1f} MB of it private; "
        f"after the warm-up {grown['per_minute']:+.3f} MB a minute, {grown['percent']:+.2f} %",
        f"process    {found['threads']} threads ({found['new_threads']:+g} after the warm-up), "
        f"{found['files']} file descriptors ({found['new_files']:+g})",
    ]
