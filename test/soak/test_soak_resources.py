# SPDX-License-Identifier: Apache-2.0
"""Soaks: growth of a process is seen, and noise is not."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from shared_encoder_perception.soak import resources


def test_growth_is_the_slope_after_the_warm_up():
    times = np.arange(31.0)
    values = np.where(times < 10, 50.0 * times, 1000.0 + 2.0 * (times - 10))
    grown = resources.growth(times, values)
    assert grown.per_minute == pytest.approx(120.0)
    assert (grown.start, grown.end) == pytest.approx((1000.0, 1040.0))
    assert grown.percent == pytest.approx(4.0)


def test_one_more_after_the_warm_up_is_a_gain_even_if_it_goes_again():
    times, threads = range(9), [1, 9, 4, 4, 4, 5, 4, 4, 4]
    assert resources.gain(times, threads) == 1
    assert resources.gain(times, threads[:5] + [4, 4, 4, 4]) == 0


def test_a_run_too_short_for_growth_is_refused():
    with pytest.raises(ValueError, match="fewer than three"):
        resources.growth([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])


def test_a_process_that_takes_more_is_seen():
    code = (
        "import sys, threading\n"
        "for line in sys.stdin:\n"
        "    kept = [open('/dev/null') for _ in range(3)] + [bytes(range(256)) * 80_000]\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "    print(flush=True)\n"
        "    sum(range(3_000_000))\n"
        "    print(flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-uc", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        time.sleep(0.3)
        before = resources.sample(child.pid, {"test": os.getpid()})
        child.stdin.write("more\n")
        child.stdin.flush()
        assert child.stdout.readline() and child.stdout.readline()
        after = resources.sample(child.pid, {"test": os.getpid()})
        child.stdin.close()
        child.wait(10)
        with pytest.raises(RuntimeError, match="has it ended"):
            resources.sample(child.pid, {})
    assert after.threads == before.threads + 1
    assert after.files == before.files + 3
    assert 20 < after.memory_mb - before.memory_mb < 30
    assert after.cpu_s > before.cpu_s
    assert after.at_s > before.at_s
    assert after.peers_cpu_s["test"] > 0
    # What the main thread did is the executor's, where a node is looked at.
    main = after.groups_cpu_s[resources.EXECUTOR] - before.groups_cpu_s[resources.EXECUTOR]
    assert main == pytest.approx(after.cpu_s - before.cpu_s, abs=0.02)


def test_threads_are_told_apart_by_their_names():
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "def work(name):\n"
        "    Path('/proc/thread-self/comm').write_text(name)\n"
        "    sum(range(12_000_000))\n"
        "    print(flush=True)\n"
        "    threading.Event().wait()\n"
        "for name in ('dds.shm.7411', 'python'):\n"
        "    threading.Thread(target=work, args=(name,), daemon=True).start()\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() and child.stdout.readline()
        found = resources.sample(child.pid, {})
        child.stdin.close()
        child.wait(10)
    assert found.groups_cpu_s[resources.MIDDLEWARE] > 0.02
    assert found.groups_cpu_s[resources.INFERENCE] > 0.02
    assert sum(found.groups_cpu_s.values()) == pytest.approx(found.cpu_s, abs=0.05)
