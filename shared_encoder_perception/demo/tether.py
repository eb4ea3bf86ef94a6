# SPDX-License-Identifier: Apache-2.0
"""Runs a module as a child that ends when its parent does, however that comes about.

The parent holds the other end of our stdin and never writes: its end of file means that the parent
is gone, even when it was killed and could stop nobody.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from threading import Thread
from time import sleep
from typing import Final

PATIENCE_S: Final = 10.0
"""Time to end in good order, before the hard way."""

INTERRUPTED: Final = 130


def _quit(*_: object) -> None:
    """End at once: until the module is loaded and handles signals itself, nothing needs an end.

    An exception would be lost, and printed, where Python can raise none, as in the callbacks of
    weak references by which it cleans up after each import.
    """
    os._exit(INTERRUPTED)


def _follow_parent() -> None:
    """Wait for the parent's end, then end this process."""
    while os.read(0, 1):  # not sys.stdin: its lock would be held when the interpreter exits
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(PATIENCE_S)
    os._exit(1)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _quit)
    Thread(target=_follow_parent, name="tether", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
