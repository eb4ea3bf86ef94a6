# SPDX-License-Identifier: Apache-2.0
"""The three processes of a soak: camera -> node -> probe, started, watched and ended."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.demo.node_arguments import count_every_image, ros_arguments
from shared_encoder_perception.demo.processes import Processes
from shared_encoder_perception.soak.records import (
    ANSWER,
    ANSWER_FILE,
    COUNTS_FILE,
    EVERYTHING,
    MODEL_FILE,
    OUTPUTS,
    SENT,
    SENT_FILE,
    STAGE_TIMES_FILE,
    read,
)
from shared_encoder_perception.soak.resources import Sample, sample
from shared_encoder_perception.structures import Size

NODE, PROBE, CAMERA, SOAK = "node", "probe", "camera", "soak"
"""The processes; the last is the one that starts the others."""
SIZE: Final = (320, 800)
"""Of the images of one camera, unless it is said otherwise."""
START_TIMEOUT_S: Final = 300.0
"""For the node to become active; an engine may have to be built."""
FIRST_IMAGE_TIMEOUT_S: Final = 60.0
ANSWER_TIMEOUT_S: Final = 10.0
"""For the last answer, after the last image."""
DIAGNOSTICS_S: Final = 2.2
"""After it, for diagnostics that count everything: two periods and a bit."""
POLL_S: Final = 0.1
SAMPLE_S: Final = 1.0


@dataclass(frozen=True)
class Setting:
    """What the node is put under.

    Attributes:
        size: ``(height, width)`` of the images.
        transport: ``raw`` or ``compressed``.
        rate: Images a second.
        seconds: How long.
        own_qos: Whether the node keeps its own QoS for images.
        everything: Whether somebody listens to what is only made for who does.
        beside: Names of the pictures that the model compares images with.
    """

    size: Size
    transport: str
    rate: float
    seconds: float
    own_qos: bool = False
    everything: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Record:
    """What was seen.

    Attributes:
        sent: Rows of kind ``records.SENT``, or ``SENT_BY`` of several cameras.
        answers: Rows of kind ``records.ANSWER``.
        model: What ran.
        outputs: Messages that one image gives.
        counts: What the node counts by its diagnostics, as the probe wrote it; empty where it does
            not tell it.
        stage_times: What its diagnostics said about the times of its stages, one after the other.
        samples: Of the processes, one a second.
    """

    sent: NDArray[Any]
    answers: NDArray[Any]
    model: dict[str, Any]
    outputs: int
    counts: dict[str, Any]
    stage_times: list[dict[str, str]]
    samples: list[Sample]


class _WatchedProcesses(Processes):
    """Processes whose resources can be looked at."""

    def pid(self, name: str) -> int:
        """Return the process id of a child."""
        return self._children[name].pid

    def check(self, *names: str) -> None:
        """Check that children run.

        Raises:
            RuntimeError: One has ended.
        """
        for name in names:
            if not self.running(name):
                raise RuntimeError(
                    f"the {name} stopped early, {self.last_words(name)} "
                    f"(see {self._log / (name + '.log')})"
                )


@dataclass(frozen=True)
class Commands:
    """What the three processes run: a module of ours, and its arguments.

    Attributes:
        probe: Hears what the node says, and notes it in the folder; writes ``MODEL_FILE`` when the
            node is active.
        node: Is put under load.
        camera: Sends the images, of which it notes rows of ``sent``, and ends.
        sent: Kind of these rows, with the fields of ``records.SENT`` first.
    """

    probe: Sequence[str]
    node: Sequence[str]
    camera: Sequence[str]
    sent: np.dtype = SENT


def put_under_load(
    folder: Path, source: Path, setting: Setting, node_arguments: Sequence[str]
) -> Record:
    """Put the node for one camera under load.

    Args:
        folder: For logs and rows; empty.
        source: What ``sources.open_source`` opens.
        setting: See there.
        node_arguments: ROS arguments for the node.

    Raises:
        RuntimeError: One of the processes failed.
    """
    height, width = setting.size
    camera = [
        *("soak.camera", str(folder), "--source", str(source), "--size", f"{height}x{width}"),
        *("--rate", str(setting.rate), "--seconds", str(setting.seconds)),
        *("--transport", setting.transport),
    ]
    if setting.beside:
        camera += ["--beside", *setting.beside]
    probe = ["soak.probe", str(folder), *([EVERYTHING] if setting.everything else [])]
    node = ["node", "--ros-args", *node_arguments, *_input_arguments(setting)]
    return run_under_load(folder, Commands(probe, node, camera), setting.seconds)


def run_under_load(folder: Path, commands: Commands, seconds: float) -> Record:
    """Run the three processes from the first image to the last answer.

    Args:
        folder: For logs and rows; empty.
        commands: What they run.
        seconds: How long there will be images.

    Raises:
        RuntimeError: One of them failed.
    """
    processes = _WatchedProcesses(folder)
    with processes:
        print("\nstarting probe, node and camera")
        processes.start(PROBE, *commands.probe)
        processes.start(NODE, *commands.node)
        _wait_for_node(processes, folder)
        processes.start(CAMERA, *commands.camera)
        samples = _watch(processes, folder, commands.sent, seconds)
        _wait_for_answers(processes, folder, commands.sent)
        for name in (PROBE, NODE):
            if status := processes.stop(name):
                raise RuntimeError(f"the {name} ended with exit status {status}: see {folder}")
    model = json.loads((folder / MODEL_FILE).read_text())
    outputs = model.pop(OUTPUTS)
    counts, stage_times = folder / COUNTS_FILE, folder / STAGE_TIMES_FILE
    return Record(
        read(folder / SENT_FILE, commands.sent),
        read(folder / ANSWER_FILE, ANSWER),
        model,
        outputs,
        json.loads(counts.read_text()) if counts.exists() else {},
        [json.loads(line) for line in stage_times.read_text().splitlines()]
        if stage_times.exists()
        else [],
        samples,
    )


def _input_arguments(setting: Setting) -> list[str]:
    """Return the node's parameters about its input."""
    if setting.own_qos:
        return ros_arguments({"input.transport": setting.transport})
    return ros_arguments(count_every_image(setting.transport))


def _wait_for_node(processes: _WatchedProcesses, folder: Path) -> None:
    """Wait until the probe hears every output of an active node."""
    deadline_s = monotonic() + START_TIMEOUT_S
    while not (folder / MODEL_FILE).exists():
        processes.check(NODE, PROBE)
        if monotonic() > deadline_s:
            raise RuntimeError(
                f"the node did not become active within {START_TIMEOUT_S:g} s: see "
                f"{folder / 'node.log'}"
            )
        sleep(POLL_S)


def _watch(
    processes: _WatchedProcesses, folder: Path, kind: np.dtype, seconds: float
) -> list[Sample]:
    """Sample the processes once a second while the camera runs."""
    deadline_s = monotonic() + FIRST_IMAGE_TIMEOUT_S
    while not len(read(folder / SENT_FILE, kind)):
        processes.check(CAMERA, NODE, PROBE)
        if monotonic() > deadline_s:
            raise RuntimeError(f"the camera sent no image: see {folder / 'camera.log'}")
        sleep(POLL_S)
    node = processes.pid(NODE)
    peers = {CAMERA: processes.pid(CAMERA), PROBE: processes.pid(PROBE), SOAK: os.getpid()}
    samples = [sample(node, peers)]
    layout = "{desc}: {percentage:3.0f}%|{bar:20}| {n:.0f}/{total:.0f} s [{remaining}{postfix}]"
    with tqdm(total=seconds, desc="under load", bar_format=layout) as bar:
        while processes.running(CAMERA):
            due_s = samples[0].at_s + len(samples) * SAMPLE_S
            sleep(max(due_s - monotonic(), 0.0))
            processes.check(NODE, PROBE)
            # A child that has ended is gone from /proc only once its status was asked for.
            samples.append(sample(node, peers))
            bar.set_postfix_str(_progress(folder, samples[-1]), refresh=False)
            bar.update(min(samples[-1].at_s - samples[0].at_s, seconds) - bar.n)
    words = processes.last_words(CAMERA)
    if processes.stop(CAMERA):
        raise RuntimeError(f"the camera failed, {words}")
    return samples


def _wait_for_answers(processes: _WatchedProcesses, folder: Path, kind: np.dtype) -> None:
    """Wait for the answer to the last image, and for diagnostics that count it."""
    sent = read(folder / SENT_FILE, kind)
    last = last_of_each(sent)["stamp_ns"]
    outputs = json.loads((folder / MODEL_FILE).read_text())[OUTPUTS]
    deadline_s = monotonic() + ANSWER_TIMEOUT_S
    while monotonic() < deadline_s:
        processes.check(NODE, PROBE)
        newest = read(folder / ANSWER_FILE, ANSWER, 1)
        if len(newest) and newest["stamp_ns"] in last and newest["outputs"] == outputs:
            break
        sleep(POLL_S)
    sleep(DIAGNOSTICS_S)
    processes.check(NODE, PROBE)


def last_of_each(sent: NDArray[Any]) -> NDArray[Any]:
    """Return the row of the last image; of several cameras, of each its last."""
    if "camera" not in (sent.dtype.names or ()):
        return sent[-1:]
    _, from_end = np.unique(sent["camera"][::-1], return_index=True)
    return sent[::-1][from_end]


def _progress(folder: Path, now: Sample) -> str:
    """Say how it goes."""
    newest = read(folder / ANSWER_FILE, ANSWER, 1)
    if not len(newest):
        return "no image came back so far"
    took_ms = newest["processing_ms"][0]
    told = "" if np.isnan(took_ms) else f"{newest['dropped'][0]} dropped, {took_ms:.0f} ms, "
    return f"{newest['sequence'][0]} perceived, {told}{now.memory_mb:.0f} MB, {now.threads} threads"
