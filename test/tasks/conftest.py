# SPDX-License-Identifier: Apache-2.0
"""The toy task, in the table while a test runs."""

import pytest
import toy_task

from shared_encoder_perception import tasks


@pytest.fixture
def toy_in_table(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, toy_task.NAME, toy_task.__name__)
