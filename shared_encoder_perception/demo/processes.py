# SPDX-License-Identifier: Apache-2.0
"""Child processes that never outlive their parent."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final

from shared_encoder_perception.files.installed import PACKAGE, beside_the_code
from shared_encoder_perception.node.middleware import PROFILE, PROFILE_VARIABLE

STOP_TIMEOUT_S: Final = 10.0
TETHER: Final = f"{PACKAGE}.demo.tether"


def ros_environment(log: Path) -> dict[str, str]:
    """Return an environment in which processes find each other, and nobody else."""
    environment = {
        **os.environ,
        PROFILE_VARIABLE: str(beside_the_code(PROFILE)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 100)),
        "ROS_LOG_DIR": str(log),
    }
    environment.pop("RMW_IMPLEMENTATION", None)  # the profile is Fast DDS's
    return environment


class Processes:
    """Starts children, each with a log file, and stops them all at the end of the ``with``."""

    def __init__(self, log: Path) -> None:
        """Logs go to the folder ``log``."""
        self._log = log
        self._environment = ros_environment(log)
        self._children: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Processes:
        """Nothing runs yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop whatever still runs; a second Ctrl-C does it at once."""
        try:
            for name in reversed(list(self._children)):
                self.stop(name)
        finally:
            for child in self._children.values():
                _kill(child)

    def start(self, name: str, module: str, *arguments: str, visible: bool = False) -> None:
        """Run a module of ours in a process of its own.

        Args:
            name: For ``stop`` and the log file.
            module: Below our package.
            *arguments: Its command line.
            visible: Show its stderr instead of logging it.
        """
        with (self._log / f"{name}.log").open("w") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", TETHER, f"{PACKAGE}.{module}", *arguments],
                stdin=subprocess.PIPE,  # never written: its end tells the tether that we are gone
                stdout=subprocess.PIPE if visible else log,
                stderr=None if visible else log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C comes to us, and we stop them in order
                text=True,
            )

    @property
    def names(self) -> list[str]:
        """Those that were started and not stopped yet, in that order."""
        return list(self._children)

    def running(self, name: str) -> bool:
        """Whether a child still runs."""
        return self._children[name].poll() is None

    def output(self, name: str) -> str:
        """Return the stdout of an ended visible child."""
        stream = self._children[name].stdout
        return stream.read() if stream is not None else ""

    def last_words(self, name: str) -> str:
        """Return how a child ended, and its last error or else its last line."""
        lines = (self._log / f"{name}.log").read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line]
        said = [*lines, *errors][-1] if lines else "it said nothing"
        status = self._children[name].wait()
        ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return f"{ended}: {said}"

    def stop(self, name: str) -> int:
        """Ask a child to end, and insist if it does not; return its exit status."""
        child = self._children[name]
        if child.poll() is None:
            child.terminate()  # unlike SIGINT it is silent while Python still imports
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                _kill(child)
        del self._children[name]
        return child.returncode


def _kill(child: subprocess.Popen[str]) -> None:
    """End a child at once, with all that it may have started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
