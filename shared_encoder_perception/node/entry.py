# SPDX-License-Identifier: Apache-2.0
"""The start of a process that becomes a node: before anything heavy is imported."""

from __future__ import annotations

import signal
import sys
from importlib import import_module

from shared_encoder_perception import libraries
from shared_encoder_perception.files.installed import lacks_ros
from shared_encoder_perception.node.middleware import use_profile

USER_ERROR = 2


def start(module: str) -> int:
    """Run the ``main`` of a module, if the libraries do; one line says why not.

    Args:
        module: Its full name. It is imported when the libraries are known to do.
    """
    # While Python still imports, Ctrl-C would be a traceback; the node handles it from its start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        libraries.check()  # before the first import that fails of it
    except libraries.UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    if lacking := lacks_ros():
        print(f"error: the node needs {lacking}", file=sys.stderr)
        return USER_ERROR
    use_profile()
    status: int = import_module(module).main()
    return status
