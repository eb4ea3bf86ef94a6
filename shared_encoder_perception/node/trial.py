# SPDX-License-Identifier: Apache-2.0
"""Tries a model in a process of its own, before a node that perceives loads it beside the old one.

A load may never end, hold the interpreter, or take its process down. No thread can be kept from
that; a process can: it has the lowest priority, and is killed when its time is up.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.loading import load_predictor, source_of, too_long

COMMAND: Final = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from shared_encoder_perception.node.trial import main; main()"
)
"""Ctrl-C goes to all processes of a terminal; this one ends with its parent."""
LOWEST_PRIORITY: Final = 19
END_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
END_S: Final = 2.0
"""Longest wait for a process that was killed; it may hang in the kernel."""


class TrialError(RuntimeError):
    """A model that could not be loaded in a process of its own; the message says why."""


def try_model(settings: Mapping[str, Any], limit_s: float) -> str:
    """Load and warm up a model in another process.

    Args:
        settings: Values of ``loading.NAMES``.
        limit_s: Longest time in seconds; 0 = no limit.

    Returns:
        The sha256 of the model file.

    Raises:
        TimeoutError: It took longer.
        TrialError: It failed, or the process died of it.
    """
    # In our own session: the scheduler weighs priorities only among the processes of one.
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    task = json.dumps({"parent": os.getpid(), "settings": dict(settings)}).encode()
    source = source_of(settings.__getitem__)
    try:
        said, _ = child.communicate(task, timeout=limit_s or None)
    except subprocess.TimeoutExpired:
        raise too_long(source, limit_s) from None
    finally:
        child.kill()
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_S)
    try:
        answer = json.loads(said)
    except ValueError:
        raise TrialError(
            f"loading {source} ended the process that tried it ({_ended(child.returncode)}): the "
            "file is damaged, the engine does not bear it, or there is too little memory"
        ) from None
    if "problem" in answer:
        raise TrialError(answer["problem"])
    return str(answer["sha256"])


def _ended(status: int | None) -> str:
    """Say how a process ended."""
    if status is not None and status < 0:
        with suppress(ValueError):
            return signal.Signals(-status).name
    return f"exit status {status}"


def main() -> None:
    """Try what stdin says, and write what came of it to stdout; for ``try_model`` alone."""
    # Engines may print, too: to stderr, from now on.
    answers = os.dup(1)
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    with suppress(OSError, AttributeError):  # elsewhere than on Linux
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != task["parent"]:
        return
    os.nice(LOWEST_PRIORITY)
    try:
        predictor = load_predictor(task["settings"].__getitem__, load_backend)
        answer = {"sha256": predictor.backend.info.sha256}
    except Exception as error:  # engines raise unrelated types
        answer = {"problem": str(error) or type(error).__name__}
    os.write(answers, json.dumps(answer).encode())
    # Nothing is left to do, and closing some engines takes a process down.
    os._exit(0)
