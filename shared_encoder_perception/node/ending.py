# SPDX-License-Identifier: Apache-2.0
"""How the process is asked to end, and is made to when a load keeps the interpreter to itself.

Python runs its signal handlers only between two instructions of its own: native code that does not
return, and does not let go of the interpreter either, would keep SIGTERM waiting for ever.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""Both ask a process to end, and are treated alike."""
GRACE_S: Final = 3.0
"""Time in which a signal must have been noticed."""

asked_to_end = threading.Event()
"""Set when a signal asked this process to end."""

_MINDER: Final = """
import os, select, sys, time
parent, grace_s, limit_s = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
left = lambda: None if end_s is None else max(end_s - time.monotonic(), 0.0)
end_s = time.monotonic() + limit_s + grace_s if limit_s else None
why = "the limit of model.load_timeout_s is over"
while select.select([0], [], [], left())[0]:
    said = os.read(0, 64)
    if not said:
        sys.exit()
    if set(said) & set(map(int, sys.argv[4:])):
        end_s, why = min(left() or grace_s, grace_s) + time.monotonic(), "a signal asked it to end"
        sys.argv[4:] = []
print(f"loading keeps process {parent} from all else, and {why}: killed", file=sys.stderr)
os.kill(parent, 9)
"""


def on_signals(handler: Any) -> None:
    """Treat both signals that ask a process to end alike."""
    for number in SIGNALS:
        signal.signal(number, handler)


@contextmanager
def minded(limit_s: float) -> Iterator[None]:
    """Have another process kill this one if it does not notice a signal, or the limit.

    Nothing is done outside of the main thread, and where signals are left to Python.

    Args:
        limit_s: What is inside takes so many seconds at most; 0 = no limit.
    """
    if threading.current_thread() is not threading.main_thread() or _are_pythons_own():
        yield
        return
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    command = [sys.executable, "-I", "-S", "-c", _MINDER, str(os.getpid()), str(GRACE_S)]
    numbers = [str(int(number)) for number in SIGNALS]
    try:
        # In a session of its own: Ctrl-C goes to all processes of ours.
        minder = subprocess.Popen(
            [*command, str(limit_s), *numbers], stdin=ear, start_new_session=True
        )
    except OSError:  # no room for another process: a load is worth more than its minder
        os.close(mouth)
        yield
        return
    finally:
        os.close(ear)
    # Python writes the number of each signal to it before any Python code has to run.
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.close(mouth)
        minder.kill()
        minder.wait()


def _are_pythons_own() -> bool:
    """Whether nobody handles the signals: neither we nor a test's runner may be killed."""
    return signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, signal.SIG_IGN, None)
