# SPDX-License-Identifier: Apache-2.0
"""From the rows and samples of a soak to its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.benchmark.turns import summarise
from shared_encoder_perception.images.counts import DROP_REASONS
from shared_encoder_perception.soak.records import STAGES, TOLD_STAGES
from shared_encoder_perception.soak.resources import Sample, gain, growth

IN_ARRAY: Final = ("replaced", "rejected")
"""Reasons that the array names; the others are in the diagnostics."""


def fates(
    sent: NDArray[Any], answers: NDArray[Any], diagnosed: Mapping[str, int], outputs: int
) -> dict[str, int]:
    """Tell what became of every image.

    Args:
        sent: Rows of the camera.
        answers: Rows of the probe.
        diagnosed: The node's own counts from its diagnostics, as in ``counts.Counts``; empty where
            it does not tell them.
        outputs: Messages that one image gives.

    Returns:
        ``published``; ``received`` by the node; ``perceived``; ``dropped``, and of those the number
        for each of ``DROP_REASONS`` that the node names; ``unaccounted``, published images that
        were neither perceived nor dropped (below 0: the node counts images that were not sent);
        ``whole``, images that came back on all topics; ``lost_messages``, outputs of perceived
        images that did not arrive; ``foreign``, answers to no image of ours, or a second one to the
        same.
    """
    arrays = answers[answers["array_ns"] > 0]
    last = arrays[np.argmax(arrays["sequence"])] if len(arrays) else np.zeros((), answers.dtype)
    # Counts only rise, so the higher one is the newer: the last array told nothing of what came
    # after it, and the diagnostics come once a second.
    reasons = {
        reason: max(int(last[reason]) if reason in IN_ARRAY else 0, diagnosed.get(reason, 0))
        for reason in DROP_REASONS
    }
    perceived = max(int(last["sequence"]), diagnosed.get("perceived", 0))
    dropped = max(int(last["dropped"]), sum(reasons.values()))
    known = np.isin(answers["stamp_ns"], sent["stamp_ns"])
    return {
        "published": len(sent),
        "received": max(int(last["received"]), diagnosed.get("received", 0)),
        "perceived": perceived,
        "dropped": dropped,
        **reasons,
        "unaccounted": len(sent) - perceived - dropped,
        "whole": int(np.sum(known & (answers["outputs"] == outputs))),
        "lost_messages": perceived * outputs - int(answers["outputs"][known].sum()),
        "foreign": len(answers) - len(np.unique(answers["stamp_ns"][known])),
    }


def per_image(sent: NDArray[Any], answers: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Return the milliseconds of every image that has its array, in the order they were answered.

    Returns:
        ``latency`` from before the camera published to the last output received; ``array`` to the
        array received; ``overhead``, the latency without inference; its parts ``node_overhead``,
        inside the node, and ``transport``, on the way to it and from it; ``queued``, the age that
        exceeds the image's own inference and that of the one before; the stages that the array
        tells; and ``at_s``, seconds since the first image.
    """
    arrays = answers[(answers["array_ns"] > 0) & np.isin(answers["stamp_ns"], sent["stamp_ns"])]
    arrays = arrays[np.argsort(arrays["sequence"])]
    order = np.argsort(sent["stamp_ns"])
    places = order[np.searchsorted(sent["stamp_ns"], arrays["stamp_ns"], sorter=order)]
    sent_ns = sent["sent_ns"][places]
    stages = {stage: arrays[f"{stage}_ms"].astype(np.float64) for stage in STAGES}
    inference = stages["inference"]
    before = np.concatenate((inference[:1], inference[:-1]))
    latency = (arrays["last_ns"] - sent_ns) / 1e6
    return {
        "at_s": (sent_ns - (sent["sent_ns"][0] if len(sent) else 0)) / 1e9,
        "latency": latency,
        "array": (arrays["array_ns"] - sent_ns) / 1e6,
        "overhead": latency - inference,
        "node_overhead": stages["processing"] - inference,
        "transport": latency - stages["processing"],
        "queued": latency - inference - before,
        **stages,
    }


def stages_told(
    reports: Sequence[Mapping[str, str]], stages: Sequence[str] = TOLD_STAGES
) -> dict[str, dict[str, float]]:
    """Return ``p50``, ``p95`` and ``max`` in milliseconds of the stages that only diagnostics tell.

    Args:
        reports: Keys and values of the task ``processing``, one report after the other. Each tells
            of its last seconds, so of their medians and percentiles the medians are taken.
        stages: Their names.
    """
    found = {}
    for stage in stages if reports else ():
        points = {
            point: [float(report[f"{stage}_{point}_ms"]) for report in reports]
            for point in ("p50", "p95", "max")
        }
        medians = {point: float(np.median(points[point])) for point in ("p50", "p95")}
        found[stage] = {**medians, "max": max(points["max"])}
    return found


def while_sent(samples: Sequence[Sample], sent: NDArray[Any]) -> list[Sample]:
    """Return the samples that were taken before the last image was sent."""
    return [item for item in samples if item.at_s <= sent["sent_ns"].max() / 1e9]


def resources(samples: Sequence[Sample], answers: NDArray[Any]) -> dict[str, Any]:
    """Tell what the node's process held and used, and who else used the cores.

    Args:
        samples: One a second, while images were sent.
        answers: Rows of the probe.

    Returns:
        ``cpu_ms_per_image`` that came back (empty without one), of the ``node``, of its threads by
        group and of the other processes; ``cores``, mean number of cores that the node used, and
        ``others_cores``, that everything else on the machine used; the last ``memory_mb``,
        ``private_mb``, ``threads`` and ``files``; ``memory_growth``, see ``Growth``;
        ``new_threads`` and ``new_files`` since the warm-up.

    Raises:
        ValueError: Too few samples.
    """
    came_s = answers["last_ns"] / 1e9
    times = [item.at_s for item in samples]
    seconds = times[-1] - times[0] if samples else 0.0
    found: dict[str, Any] = {
        "memory_growth": asdict(growth(times, [item.memory_mb for item in samples])),
        "new_threads": gain(times, [item.threads for item in samples]),
        "new_files": gain(times, [item.files for item in samples]),
    }
    first, last = samples[0], samples[-1]
    images = int(np.sum((first.at_s < came_s) & (came_s <= last.at_s)))
    now, then = ({"node": at.cpu_s, **at.groups_cpu_s, **at.peers_cpu_s} for at in (last, first))
    found["cpu_ms_per_image"] = (
        {name: 1e3 * (now[name] - then[name]) / images for name in now} if images else {}
    )
    found["cores"] = (last.cpu_s - first.cpu_s) / seconds
    found["others_cores"] = (last.others_cpu_s - first.others_cpu_s) / seconds
    for name in ("memory_mb", "private_mb", "threads", "files"):
        found[name] = getattr(last, name)
    return found


def spreads(times: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, float]]:
    """Return ``p50``, ``p95``, ``p99``, ``mean`` and ``max`` of each of ``per_image``."""
    names = [name for name in times if name != "at_s"]
    columns = zip(*(times[name].tolist() for name in names), strict=True)
    found = summarise([dict(zip(names, row, strict=True)) for row in columns])
    for name in found:
        found[name]["max"] = float(times[name].max())
    return found
