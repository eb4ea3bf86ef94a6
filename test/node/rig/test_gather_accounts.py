# SPDX-License-Identifier: Apache-2.0
"""Whatever cameras and threads do, every image ends in exactly one number."""

from __future__ import annotations

from threading import Thread
from time import perf_counter

import numpy as np
import pytest
from patience import PATIENCE_S

from shared_encoder_perception.node.rig.camera_counts import OUTCOMES
from shared_encoder_perception.node.rig.gather import Gather
from shared_encoder_perception.node.rig.moment import Moment, Timing

NAMES = ("front", "left", "rear", "right")


@pytest.mark.parametrize("seed", range(8))
def test_every_image_is_in_exactly_one_number(seed: int) -> None:
    """Thousands of interleavings; stamps jump, repeat and are off, cameras die and come back."""
    rng = np.random.default_rng(seed)
    names = NAMES[: 1 + seed % 4]
    timing = Timing(min_cameras=int(rng.integers(1, len(names) + 1)))
    gather: Gather[int] = Gather(names, timing, now_s=0.0)
    now_s, number, jumped_s = 0.0, 0, 0.0
    sent = dict.fromkeys(names, 0)
    newest: dict[str, tuple[int, int, float]] = {}
    taken: set[int] = set()
    dead_until_s = dict.fromkeys(names, 0.0)
    moment: Moment[int] | None = None
    complete = partial = 0
    for _ in range(4000):
        now_s += float(rng.exponential(0.01))
        if rng.random() < 0.002:
            jumped_s -= float(rng.uniform(0, 20))
        name = names[rng.integers(len(names))]
        if rng.random() < 0.005:
            dead_until_s[name] = now_s + float(rng.uniform(0, 2))
        action = rng.random()
        if action < 0.6 and now_s >= dead_until_s[name]:
            number += 1
            stamp_s = np.round(now_s, 1) if rng.random() < 0.95 else now_s + rng.normal(0, 0.3)
            stamp_ns = round((1000 + jumped_s + stamp_s) * 1e9)
            before = gather.counts[name]
            gather.put(name, number, stamp_ns, now_s)
            sent[name] += 1
            if gather.counts[name].late == before.late:
                newest[name] = (number, stamp_ns, now_s)
        elif action < 0.62:
            gather.refuse(name, str(rng.choice(OUTCOMES[4:])))
            sent[name] += 1
        elif moment is not None:
            ends = {one: str(rng.choice(OUTCOMES[4:8] + ("used",) * 9)) for one in moment.images}
            assert gather.finish(ends)
            moment = None
        else:
            moment = gather.poll(now_s)
            if moment is not None:
                check(moment, gather, newest, taken)
                complete += not moment.missing
                partial += bool(moment.missing)
        for one, counts in gather.counts.items():
            assert counts.received == counts.accounted == sent[one]
    all_of_them = gather.timing.min_cameras == len(names)
    assert complete > 20 and (partial > 20 or all_of_them), "the test would show nothing"
    gather.close()
    if moment is not None and seed % 2:
        gather.give_up()
    elif moment is not None:
        gather.finish(dict.fromkeys(moment.images, "used"))
    for one, counts in gather.counts.items():
        assert counts.received == sum(counts.ended().values()) == sent[one]


def check(
    moment: Moment[int],
    gather: Gather[int],
    newest: dict[str, tuple[int, int, float]],
    taken: set[int],
) -> None:
    """Hold a moment to what is promised of it."""
    assert set(moment.images) | set(moment.missing) == set(gather.names)
    assert not set(moment.images) & set(moment.missing)
    assert next(iter(moment.images)) == moment.anchor and moment.skew_s(moment.anchor) == 0
    assert len(moment.images) >= gather.timing.min_cameras
    for name, one in moment.images.items():
        assert (one.item, one.stamp_ns, one.received_s) == newest[name], "the newest"
        assert abs(moment.skew_s(name)) <= gather.timing.max_skew_s
        assert one.item not in taken, "once"
        taken.add(one.item)


def test_threads_that_bring_images_at_once_lose_none() -> None:
    gather: Gather[int] = Gather(NAMES, Timing(wait_s=0.001, dead_s=0.01))
    used = dict.fromkeys(NAMES, 0)

    def bring(name: str) -> None:
        for index in range(2000):
            gather.put(name, index, (1 + index) * 1_000_000, perf_counter())

    def work() -> None:
        while (moment := gather.take()) is not None:
            for name in moment.images:
                used[name] += 1
            gather.finish(dict.fromkeys(moment.images, "used"))

    threads = [Thread(target=bring, args=(name,)) for name in NAMES]
    taker = Thread(target=work)
    for thread in (taker, *threads):
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    gather.close()
    taker.join(PATIENCE_S)
    for name, counts in gather.counts.items():
        assert counts.received == sum(counts.ended().values()) == 2000
        assert counts.used == used[name]
