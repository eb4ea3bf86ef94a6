# SPDX-License-Identifier: Apache-2.0
"""The three processes of a drive: player -> node -> recorder, started, watched and ended."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Any, Final, NamedTuple

from shared_encoder_perception.demo.node_arguments import count_every_image, ros_arguments
from shared_encoder_perception.demo.processes import Processes
from shared_encoder_perception.node.parameter_groups.images import RAW

POLL_S: Final = 0.1


class Played(NamedTuple):
    """What a player did.

    Attributes:
        published: Images that it sent.
        left_out: Things that are wrong with its source, which it has told.
    """

    published: int
    left_out: int


def drive(
    log: Path,
    bag: Path,
    parameters: Mapping[str, Any],
    player: str,
    player_arguments: Sequence[str],
    transport: str = RAW,
    beside: Sequence[str] = (),
) -> Played:
    """Run the three processes until the player has published everything.

    Args:
        log: Folder for their logs.
        bag: For the recorder; must not exist.
        parameters: Of the node, beside those by which it counts every image.
        player: Module of ours; prints ``{"published": n, "left_out": n}`` at its end.
        player_arguments: Its command line.
        transport: Of the images: raw or compressed.
        beside: Topics of pictures, raw and latched, that are recorded, too.

    Returns:
        What the player published.

    Raises:
        RuntimeError: One of them failed.
    """
    parameters = {**count_every_image(transport), **parameters}
    with Processes(log) as processes:
        print("starting recorder, node and player")
        processes.start("recorder", "demo.recorder", str(bag), transport, *beside)
        processes.start("node", "node", "--ros-args", *ros_arguments(parameters))
        processes.start("player", player, *player_arguments, visible=True)
        told = played_out(processes, log)
        return Played(int(told["published"]), int(told["left_out"]))


def played_out(processes: Processes, log: Path) -> dict[str, Any]:
    """Wait until the player has published everything, end the others, return what it told.

    Args:
        processes: All that are needed, started; among them ``player``. Whoever was started first is
            ended last.
        log: Folder of their logs.

    Raises:
        RuntimeError: One of them failed.
    """
    others = [name for name in processes.names if name != "player"]
    while processes.running("player"):
        for name in others:
            if not processes.running(name):
                raise RuntimeError(
                    f"the {name} stopped early, {processes.last_words(name)} "
                    f"(see {log / (name + '.log')})"
                )
        sleep(POLL_S)
    output = processes.output("player")
    if processes.stop("player") != 0:
        raise RuntimeError(f"the player failed, see its message above and {log}")
    ends = {name: processes.stop(name) for name in reversed(others)}
    if any(ends.values()):
        told = ", ".join(f"{name} {status}" for name, status in ends.items())
        raise RuntimeError(f"not all processes ended well: {told} (0 = well); see {log}")
    said: dict[str, Any] = json.loads(output)
    return said


def stop_on_signals() -> None:
    """Let SIGTERM and a closed terminal stop the children as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, signal.default_int_handler)
