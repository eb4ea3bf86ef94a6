# SPDX-License-Identifier: Apache-2.0
"""A small sequence, and runs of it: written and learned once for each test file that asks.

What needs torch is imported where it is used: test files skip themselves where there is none.
"""

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sequence")


@pytest.fixture(scope="module")
def path(folder):
    from sequences import write_sequence

    return write_sequence(folder)


@pytest.fixture(scope="module")
def learned(path, folder):
    """Learn with some overrides, once; return the run's folder."""
    from sequences import sequence

    from shared_encoder_perception.continual.sequence import learn

    done = {}

    def with_overrides(*overrides):
        if overrides not in done:
            out = folder / f"run{len(done)}"
            done[overrides] = learn(sequence(path, *overrides, f"out={out}"))
        return done[overrides]

    return with_overrides
