# SPDX-License-Identifier: Apache-2.0
"""``soak --rig``: N cameras at a steady rate, some of them unplugged and back, and their maps.

    soak --rig four --model shipped:surround --minutes 20 --unplug front

Every image of every camera has to be in exactly one of the node's numbers, and every map that it
made has to arrive. In the middle of each two minutes (of a shorter soak: once) a camera of --unplug
sends nothing for ten seconds; the diagnostics have to call it dead, and active when it is back.

JSON: {"setting": {"rig", "rate", "seconds", "unplug", "outages", "sizes"}, "machine", "load_end",
"model", "rate", "cameras": {name: {"published", "received", outcome: number of images,
"unaccounted"}}, "maps": {"made", "partial", "without_map", "whole", "lost_messages", "foreign"},
"excused": images that may be dropped around the unplugging, "outages": [{"camera", "at_s", "out_s",
"named_s", "active_s"}], and as of one camera: "times", of which "latency" is from the image whose
stamp the map has, "stages_told", "resources", whose images are maps, and "broken"}.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.benchmark import machine
from shared_encoder_perception.demo.drive import stop_on_signals
from shared_encoder_perception.demo.node_arguments import engine_parameters, ros_arguments
from shared_encoder_perception.demo.rigs.topics import QUEUED
from shared_encoder_perception.node.parameter_groups.images import RAW
from shared_encoder_perception.node.rig.parameters import FILE, TIMING
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.soak import limits
from shared_encoder_perception.soak.analysis import (
    per_image,
    resources,
    spreads,
    stages_told,
    while_sent,
)
from shared_encoder_perception.soak.load import SIZE, Commands, Record, run_under_load
from shared_encoder_perception.soak.records import EVERYTHING, SENT_BY, read
from shared_encoder_perception.soak.rigs import analysis, report, verdict
from shared_encoder_perception.soak.rigs.outages import planned
from shared_encoder_perception.soak.rigs.records import EVENT, EVENTS_FILE, STATES_FILE
from shared_encoder_perception.soak.rigs.source import FOUR, RigSource, check_rig, rig_source
from shared_encoder_perception.soak.verdict import check_files, judged, write_files

RATE_HZ: Final = 10.0
LEAST_SECONDS: Final = 5.0
STAGES: Final = ("waiting", "conversion", "preprocess", "inference", "decode", "publish")
"""Whose milliseconds the diagnostics tell."""
CACHE: Final = Path("demo_output/cache")
OTHERWISE: Final = {
    "size": (SIZE, "the rig.yaml and --images say how large the pictures are"),
    "transport": (RAW, "the rig.yaml says it of each camera"),
    "overload": (False, "raise --rate, and lift --max-dropped"),
    "slow_model_ms": (None, "raise --rate, and lift --max-dropped"),
}
"""Options of one camera: what they are by default, and what there is instead."""


def add_rig_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--rig",
        metavar="rig.yaml",
        help=f"soak the node for several cameras: a rig.yaml, or {FOUR} for the demo's; --images "
        "is then a folder with one for each camera (default: rendered)",
    )
    parser.add_argument(
        "--unplug", nargs="+", default=[], metavar="CAMERA", help="of --rig: for a while, in turn"
    )


def check_none(args: argparse.Namespace) -> None:
    """Refuse what is for rigs only.

    Raises:
        ValueError: It is given.
    """
    if args.unplug:
        raise ValueError("--unplug is for --rig, which is not given")


def run(args: argparse.Namespace) -> int:
    """Soak; 0 when every limit was kept."""
    seconds = args.seconds if args.minutes is None else 60.0 * args.minutes
    rate = RATE_HZ if args.rate is None else args.rate
    _check(args, seconds, rate)
    stop_on_signals()
    described = machine.describe()
    print("\n".join(machine.lines(described)))
    return judged(args, lambda folder: _soak(args, seconds, rate, folder, described))


def _check(args: argparse.Namespace, seconds: float, rate: float) -> None:
    """Refuse what cannot end well before anything is started."""
    for name, (usual, instead) in OTHERWISE.items():
        if getattr(args, name) != usual:
            raise ValueError(f"--{name.replace('_', '-')} is for one camera: {instead}")
    if not LEAST_SECONDS <= seconds < inf or not 0 < rate <= 1000:
        raise ValueError(
            f"{seconds:g} s at {rate:g} Hz: expected at least {LEAST_SECONDS:g} s, and a rate "
            "above 0 and up to 1000"
        )
    check_rig(args.rig)
    if args.images is not None and not args.images.is_dir():
        raise ValueError(f"--images {args.images} is no folder with one for each camera")
    check_files(args)


def _soak(
    args: argparse.Namespace, seconds: float, rate: float, folder: Path, described: dict[str, Any]
) -> dict[str, Any]:
    """Put the node under load, judge, print and write; return the result."""
    source = rig_source(args.rig, args.images, folder, CACHE)
    if strange := [name for name in args.unplug if name not in source.sizes]:
        there = ", ".join(source.sizes)
        raise ValueError(f"--unplug {strange[0]}: the rig has no such camera, but {there}")
    setting = {
        "rig": args.rig,
        "rate": rate,
        "seconds": seconds,
        "unplug": args.unplug,
        "outages": len(list(planned(args.unplug, seconds))),
        "sizes": {name: list(size) for name, size in source.sizes.items()},
    }
    record = run_under_load(folder, _commands(args, setting, source, folder), seconds)
    result, times = summarise(setting, record, folder)
    result |= {"machine": described, "load_end": machine.load()}
    result["broken"] = verdict.broken(result, limits.from_options(args))
    print("\n" + "\n".join(report.lines(result)) + "\n")
    shaded = [
        (one["at_s"], one["at_s"] + (one["out_s"] or seconds - one["at_s"]), one["camera"])
        for one in result["outages"]
    ]
    write_files(args, result, record, times, report.title(result), shaded)
    return result


def summarise(
    setting: dict[str, Any], record: Record, folder: Path
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Return the numbers of a run, as in the module's JSON, and the times of each map.

    Args:
        setting: What was asked for.
        record: What was seen.
        folder: With the other files of probe and cameras.
    """
    names: Sequence[str] = tuple(setting["sizes"])
    sent, answers, counts = record.sent, record.answers, record.counts
    states = [json.loads(line) for line in (folder / STATES_FILE).read_text().splitlines()]
    times = per_image(sent, answers)
    told = {"at_s": times["at_s"], "latency": times["latency"], "inference": times["inference"]}
    result = {
        "setting": setting,
        "model": record.model,
        "rate": analysis.rate_hz(sent),
        "cameras": analysis.fates(sent, names, counts.get("cameras", {})),
        "maps": analysis.maps(sent, answers, counts, record.outputs),
        "excused": verdict.excused(len(names), setting["outages"], setting["rate"], TIMING.dead_s),
        "outages": analysis.outages(sent, read(folder / EVENTS_FILE, EVENT), names, states),
        "times": spreads({name: told[name] for name in ("at_s", "latency")}),
        "stages_told": stages_told(record.stage_times, STAGES),
        "resources": resources(while_sent(record.samples, sent), answers),
    }
    return result, told


def _commands(
    args: argparse.Namespace, setting: dict[str, Any], source: RigSource, folder: Path
) -> Commands:
    """Return what the processes run."""
    parameters: dict[str, Any] = {FILE: source.file.resolve(), **engine_parameters(args)}
    for entry in read_rig(source.file).entries if not args.own_qos else ():
        # Every image reaches the node, and is counted.
        topic = f"qos_overrides./{entry.image_topic.lstrip('/')}.subscription"
        parameters |= {f"{topic}.reliability": "reliable", f"{topic}.depth": QUEUED}
    given = ["--params-file", str(args.params)] if args.params else []
    cameras = [
        *("soak.rigs.cameras", str(folder), "--rig", str(source.file)),
        *("--pictures", str(source.pictures)),
        *("--rate", str(setting["rate"]), "--seconds", str(setting["seconds"])),
    ]
    if setting["unplug"]:
        cameras += ["--unplug", *setting["unplug"]]
    probe = ["soak.rigs.probe", str(folder), *([EVERYTHING] if args.everything else [])]
    node = ["node.rig", "--ros-args", *given, *ros_arguments(parameters)]
    return Commands(probe, node, cameras, SENT_BY)
