# SPDX-License-Identifier: Apache-2.0
"""The node in a process of its own; ``ros_harness`` sets what it finds in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from patience import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent


class NodeProcess:
    """The node in a process of its own, started as its users start it."""

    COMMAND = ("-m", "shared_encoder_perception.node")

    def __init__(
        self, folder: Path, namespace: str, *ros_arguments: str, log_folder: Path | None = None
    ) -> None:
        """Start ``python -m shared_encoder_perception.node``; its output goes to ``folder``.

        Its ROS log goes there too, or to ``log_folder``.
        """
        self._log_path = folder / "node.log"
        command = [sys.executable, *self.COMMAND, "--ros-args"]
        command += ["-r", f"__ns:={namespace}", *ros_arguments]
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={
                    **os.environ,
                    "ROS_LOG_DIR": str(log_folder or folder),
                    "PYTHONUNBUFFERED": "1",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        """Everything the process has printed."""
        return self._log_path.read_text(errors="replace")

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(PATIENCE_S)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds it took."""
        start = monotonic()
        self.process.send_signal(number)
        return self.wait(), monotonic() - start

    def kill(self) -> None:
        """Make sure that nothing is left."""
        if self.is_alive:
            self.process.kill()
            self.process.wait()


@contextmanager
def node_process(folder: Path, namespace: str, *ros_arguments: str) -> Iterator[NodeProcess]:
    """Start the node and make sure that it ends."""
    node = NodeProcess(folder, namespace, *ros_arguments)
    try:
        yield node
    finally:
        node.kill()
