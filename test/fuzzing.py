# SPDX-License-Identifier: Apache-2.0
"""Random cases for what reads other people's data: few in the tests, many by ``make fuzz``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import HealthCheck, Phase, given, settings


def fuzz(cases: int, check: Callable[..., None], **strategies: Any) -> None:
    """Run ``check`` on drawn arguments, the same in every run.

    Args:
        cases: How many; the environment variable ``FUZZ_CASES`` overrules it.
        check: Raises where a case is handled badly.
        strategies: Of hypothesis, by the name of the argument.
    """
    run = settings(
        max_examples=int(os.environ.get("FUZZ_CASES", cases)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    run(given(**strategies)(check))()
