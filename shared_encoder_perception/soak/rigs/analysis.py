# SPDX-License-Identifier: Apache-2.0
"""From the rows and diagnostics of a rig's soak to its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.node.input_health import ACTIVE
from shared_encoder_perception.node.rig.camera_counts import OUTCOMES, USED
from shared_encoder_perception.node.rig.moment import DEAD


def fates(
    sent: NDArray[Any], names: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Tell what became of every image of every camera.

    Args:
        sent: Rows of kind ``SENT_BY``.
        names: Of the cameras, by their numbers.
        counts: The node's own, by camera, as in ``CameraCounts``.

    Returns:
        By camera: ``published``; ``received`` by the node; each of ``OUTCOMES``, ``waiting`` and
        ``in_work``; ``unaccounted``, published images in none of these numbers (below 0: in more
        than one, or counted though they were not sent).
    """
    found = {}
    for number, name in enumerate(names):
        told = counts.get(name, {})
        ends = {end: told.get(end, 0) for end in (*OUTCOMES, "waiting", "in_work")}
        published = int(np.sum(sent["camera"] == number))
        found[name] = {
            "published": published,
            "received": told.get("received", 0),
            **ends,
            "unaccounted": published - sum(ends.values()),
        }
    return found


def maps(
    sent: NDArray[Any], answers: NDArray[Any], told: Mapping[str, int], outputs: int
) -> dict[str, int]:
    """Tell what came back.

    Args:
        sent: Rows of kind ``SENT_BY``.
        answers: Rows of the probe.
        told: The node's own counts of ``maps`` and those ``partial`` and ``without_map``.
        outputs: Messages that one map gives.

    Returns:
        ``made`` by the node, of which ``partial`` lack a camera; ``without_map``, moments that gave
        none; ``whole``, maps that came back on all topics; ``lost_messages``; ``foreign``, maps
        with the stamp of no image, or a second one with the same.
    """
    known = np.isin(answers["stamp_ns"], sent["stamp_ns"])
    made = told.get("maps", 0)
    return {
        "made": made,
        "partial": told.get("partial", 0),
        "without_map": told.get("without_map", 0),
        "whole": int(np.sum(known & (answers["outputs"] == outputs))),
        "lost_messages": made * outputs - int(answers["outputs"][known].sum()),
        "foreign": len(answers) - len(np.unique(answers["stamp_ns"][known])),
    }


def outages(
    sent: NDArray[Any],
    events: NDArray[Any],
    names: Sequence[str],
    states: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Tell what the diagnostics said of cameras that were unplugged.

    Args:
        sent: Rows of kind ``SENT_BY``.
        events: Rows of kind ``EVENT``.
        names: Of the cameras, by their numbers.
        states: Lines of ``STATES_FILE``, in their order.

    Returns:
        Of each outage ``camera``; ``at_s``, since the first image; ``out_s``, until the camera
        sent its first image again; ``named_s``, from the image that did not come until it was
        called dead; ``active_s``, from its first image until it was called active again. ``None``
        for what did not come to be.
    """
    told = [(line["at_ns"], line["cameras"]) for line in states]
    first_ns = int(sent["sent_ns"][0]) if len(sent) else 0

    def seconds(name: str, state: str, from_ns: int, to_ns: int) -> float | None:
        """How long it took until a camera was called so."""
        times = (
            at for at, said in told if from_ns <= at < (to_ns or at + 1) and said.get(name) == state
        )
        found = next(times, None)
        return None if found is None else (found - from_ns) / 1e9

    found = []
    for index, event in enumerate(events):
        number, gone, back = (int(event[key]) for key in ("camera", "gone_ns", "back_ns"))
        again = (int(one["gone_ns"]) for one in events[index + 1 :] if one["camera"] == number)
        name = names[number]
        found.append(
            {
                "camera": name,
                "at_s": (gone - first_ns) / 1e9,
                "out_s": (back - gone) / 1e9 if back else None,
                "named_s": seconds(name, DEAD, gone, back),
                "active_s": seconds(name, ACTIVE, back, next(again, 0)) if back else None,
            }
        )
    return found


def rate_hz(sent: NDArray[Any]) -> float:
    """Return the rate of the camera that sent most."""
    if not len(sent):
        return 0.0
    numbers, counts = np.unique(sent["camera"], return_counts=True)
    times_s = sent["sent_ns"][sent["camera"] == numbers[np.argmax(counts)]] / 1e9
    middle = np.median(np.diff(times_s)) if len(numbers) == 1 and len(times_s) > 1 else 0.0
    if middle:  # the only camera may have been unplugged
        return float(1.0 / middle)
    return float((len(times_s) - 1) / np.ptp(times_s)) if len(times_s) > 1 else 0.0


def dropped(images: Mapping[str, Mapping[str, int]]) -> int:
    """Return how many images of all cameras are in no map, and do not wait for one."""
    return sum(one[end] for one in images.values() for end in OUTCOMES if end != USED)
