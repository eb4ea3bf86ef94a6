# SPDX-License-Identifier: Apache-2.0
"""What becomes of a launch when one of its processes fails: its exit code, and no orphan.

For our launch files alone: it needs ROS 2's ``launch``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from launch import LaunchContext, LaunchDescriptionEntity
from launch.action import Action
from launch.actions import EmitEvent, RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events import Shutdown
from launch.logging import get_logger

from shared_encoder_perception.node.given_parameters import argument_lines

CANNOT_START: Final = 1
KILLED: Final = 128
"""Added to the number of the signal that ended a process, as shells do."""
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def is_true(name: str, value: str) -> bool:
    """Whether the argument ``name`` says yes.

    Raises:
        ValueError: It says neither yes nor no.
    """
    if value.lower() not in (*YES, *NO):
        raise ValueError(f"{name}:={value}: expected true or false")
    return value.lower() in YES


def warn_of_unknown(
    file: str, known: Iterable[str], context: LaunchContext
) -> list[LaunchDescriptionEntity]:
    """Name what was given on the command line of ``ros2 launch`` and is no argument of the file.

    Args:
        file: Path of the launch file; one that another includes says nothing of the other's.
        known: Names of its arguments.
        context: Has the command line.
    """
    if any(Path(argument).name == Path(file).name for argument in sys.argv):
        for line in argument_lines(context.argv, known):
            get_logger("launch").warning(line)
    return []


class Outcome:
    """Ends a launch with the exit code of the first of its processes that failed.

    ``launch`` itself returns 0 whatever its processes return, and forgets those that it has just
    started when something else cannot be started.
    """

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._code = 0
        self._alive: set[Action] = set()
        self._vital: set[Action] = set()
        self._nodes: set[Action] = set()
        self._respawns = False

    def handlers(self) -> list[LaunchDescriptionEntity]:
        """Return what has to be in the launch description before all processes."""
        return [
            RegisterEventHandler(OnShutdown(on_shutdown=self._shut_down)),
            RegisterEventHandler(OnProcessExit(on_exit=self._ended)),
        ]

    def nodes(
        self, actions: Iterable[Action], respawns: bool = False
    ) -> list[LaunchDescriptionEntity]:
        """Return processes to start; when all of them have failed, the launch ends.

        One of several cameras that fails leaves the others running.

        Args:
            actions: What starts them.
            respawns: Whether they are started again when they have failed.
        """
        found = list(actions)
        self._nodes, self._respawns = set(found), respawns
        return [_Start(action, self) for action in found]

    def vital(self, action: Action) -> LaunchDescriptionEntity:
        """Return a process to start without which the others are in vain: its failure ends them."""
        self._vital.add(action)
        return _Start(action, self)

    def other(self, action: Action) -> LaunchDescriptionEntity:
        """Return a process to start whose failure shows in the exit code only."""
        return _Start(action, self)

    def cannot_start(self, error: Exception) -> list[LaunchDescriptionEntity]:
        """End all, because something cannot be started."""
        self._code = self._code or CANNOT_START
        get_logger("launch").error(f"cannot start: {error}")
        return [EmitEvent(event=Shutdown(reason=str(error)))]

    def begun(self, action: Action) -> None:
        """Note that a process will run."""
        self._alive.add(action)

    def _shut_down(self, *_: Any) -> None:
        """Have ``launch`` return what is not 0, whether or not it tells of another end.

        It is the last handler to hear of the end, because it was the first to be registered:
        before, the ROS nodes of ``launch`` itself would keep the process.
        """
        self._leave()
        if self._code:
            raise RuntimeError(f"a process failed: exit code {self._code}")

    def _ended(self, event: Any, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Note how a process ended, and end the others if they are in vain now."""
        action, code = event.action, event.returncode
        if context.is_shutdown:  # whoever is told to end may do so with any code
            self._alive.discard(action)
            self._leave()
            return []
        if self._respawns and action in self._nodes:
            return []
        self._alive.discard(action)
        if not code:
            return []
        self._code = self._code or (code if code > 0 else KILLED - code)
        self._nodes.discard(action)
        if self._alive and self._nodes and action not in self._vital:
            return []
        return [EmitEvent(event=Shutdown(reason=f"{event.process_name} failed"))]

    def _leave(self) -> None:
        """End with the code of what failed, when nothing runs any more."""
        if self._code and not self._alive:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.exit(self._code)


class _Start(Action):
    """Starts a process; one that cannot be started ends the launch in order."""

    def __init__(self, action: Action, outcome: Outcome) -> None:
        super().__init__()
        self._action, self._outcome = action, outcome

    def execute(self, context: LaunchContext) -> Any:
        """Start it."""
        try:
            parts = self._action.execute(context)
        except Exception as error:  # packages that are missing, names that ROS does not take
            return self._outcome.cannot_start(error)
        self._outcome.begun(self._action)
        return parts

    def get_asyncio_future(self) -> Any:
        """Return what is done when the process has ended."""
        return self._action.get_asyncio_future()
