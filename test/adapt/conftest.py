# SPDX-License-Identifier: Apache-2.0
"""One small drive for all tests of ``adapt``."""

import pytest


@pytest.fixture(scope="session")
def driven(tmp_path_factory):
    """Return a bag of 100 m, an image each 2 m."""
    pytest.importorskip("rosbags")
    from driven_bags import bag_of

    return bag_of(tmp_path_factory.mktemp("driven"))
