# SPDX-License-Identifier: Apache-2.0
"""Servers of this computer's own, in processes of their own."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager

from patience import PATIENCE_S


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(*command):
    """Run a server on a port that is appended to the command; yield its address."""
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-m", *command, str(port)], **quiet) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None and time.monotonic() < deadline, "it did not start"
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
