# SPDX-License-Identifier: Apache-2.0
"""Run one of the measurements that need a process of their own, and take its answer as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numpy's and torch's libraries look at, once, when they are loaded."""
TIMEOUT_S: Final = 1800.0
"""An engine for a GPU may have to be built."""


def ask(module: str, request: dict[str, Any], threads: int = 0) -> dict[str, Any]:
    """Run ``module`` in a fresh interpreter.

    Args:
        module: Full name; it calls ``answer`` when it is run.
        request: Plain data for it.
        threads: Limit for libraries that only look at the environment; 0 for none.

    Returns:
        What the module's function returned.

    Raises:
        RuntimeError: It failed; with the last line that it wrote, or took longer than 30 minutes.
    """
    limit = dict.fromkeys(THREAD_VARIABLES, str(threads)) if threads else {}
    command = [sys.executable, "-m", module, json.dumps(request)]
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, **limit},
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{module} did not end within {TIMEOUT_S:.0f} s") from None
    answers = result.stdout.strip().splitlines()
    if result.returncode != 0 or not answers:
        reasons = result.stderr.strip().splitlines()
        raise RuntimeError(reasons[-1] if reasons else f"exit status {result.returncode}")
    return dict(json.loads(answers[-1]))


def answer(function: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Be the other side of ``ask``: the last line on standard output is the answer."""
    print(json.dumps(function(json.loads(sys.argv[1]))))
