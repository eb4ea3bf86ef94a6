# SPDX-License-Identifier: Apache-2.0
"""Libraries that are there, as if they were not."""

import sys


def hide(monkeypatch, *names):
    """Let every import of these packages fail, until the test ends."""
    for module in list(sys.modules):
        if module.partition(".")[0] in names:
            monkeypatch.delitem(sys.modules, module)
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)
