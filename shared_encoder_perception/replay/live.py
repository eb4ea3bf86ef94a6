# SPDX-License-Identifier: Apache-2.0
"""A bag through the real node in real time, held against the same bag replayed offline.

Two sources of difference remain: which images the node had no time for, and nothing else. So every
image that came back has to be what the offline replay says of it, to the last digit that is kept.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.demo.drive import drive, stop_on_signals
from shared_encoder_perception.demo.node_arguments import engine_parameters, image_topic
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.images.bags import is_bag, open_bag
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.replay.live_report import to_text, write_report
from shared_encoder_perception.replay.live_result import compare
from shared_encoder_perception.replay.recorder import RESULTS
from shared_encoder_perception.replay.summary import to_json
from shared_encoder_perception.tasks.options import FOCAL, HEIGHT

LIVE: Final = "live"
"""Folder of the live run, in that of the offline replay."""
BAG, LOG, SUMMARY, REPORT = "bag", "log", "summary.json", "report.html"
DIFFERENT: Final = 1


def check(args: argparse.Namespace) -> None:
    """Refuse options that a live replay cannot take, before the work.

    Raises:
        ValueError: With what to change.
    """
    if len(args.bags) > 1:
        raise ValueError(f"--live plays one bag at a time, not {len(args.bags)}")
    if not is_bag(args.bags[0]):
        raise ValueError(f"--live: {args.bags[0]} is no rosbag2")
    if args.tracking or args.crop:
        raise ValueError("--live compares images one by one: leave out --tracking and --crop")
    if not 0 < args.live_rate <= 100:
        raise ValueError(f"--live-rate is {args.live_rate:g}, expected above 0 and at most 100")


def play_live(bag: Path, out: Path, args: argparse.Namespace) -> int:
    """Play the bag to a node of its own and compare what comes back with ``out``'s results.

    Args:
        bag: The rosbag2.
        out: With the finished offline replay; gets a folder ``live``.
        args: As ``run.add_arguments`` declares them.

    Returns:
        Exit status: 0 if all images are accounted for and equal, else 1.

    Raises:
        RuntimeError: A process failed.
        ValueError: The bag cannot be played.
    """
    with (out / RESULTS).open() as file:
        conditions: dict[str, Any] = parse_json(next(file), str(out / RESULTS))["conditions"]
    topic = conditions["topic"]
    with open_bag(bag) as reader:
        kinds = {c.msgtype for c in reader.connections if c.topic == topic}
    transport = COMPRESSED if "sensor_msgs/msg/CompressedImage" in kinds else RAW
    folder = out / LIVE
    if folder.exists():
        shutil.rmtree(folder)
    (folder / LOG).mkdir(parents=True)
    arguments = [*("--bag", str(bag), "--topic", topic, "--transport", transport)]
    arguments += ["--rate", str(args.live_rate)]
    if args.limit:
        arguments += ["--limit", str(args.limit)]
    beside, given = _companions(bag, conditions, args.background)
    arguments += beside
    if args.focal_px is None:
        arguments.append("--camera-info")
    else:
        given[FOCAL] = args.focal_px
    if args.camera_height_m is not None:
        given[HEIGHT] = args.camera_height_m
    # The engine of the offline replay, whatever chose it.
    parameters = {
        **engine_parameters(args),
        **given,
        "backend.name": conditions["backend"],
        "backend.precision": conditions["precision"],
    }
    stop_on_signals()
    print(f"\nlive: {bag} at {args.live_rate:g} times its pace")
    played = drive(
        folder / LOG, folder / BAG, parameters, "replay.live_player", arguments, transport
    )
    result = compare(out / RESULTS, folder / BAG, f"/{image_topic(transport)}", played.published)
    result["conditions"] = {**conditions, "rate": args.live_rate}
    if not args.no_report:
        write_report(folder / REPORT, result)
    latencies = result.pop("latencies_ms")
    result["latency_ms"]["images"] = len(latencies)
    write_text(folder / SUMMARY, to_json(result))
    print(to_text(result))
    print(f"live      {folder}")
    if result["unaccounted"] or result["different"] or not result["perceived"]:
        print(
            f"error: {result['unaccounted']} images unaccounted for, {len(result['different'])} "
            f"answers differ from the offline replay, {result['perceived']} perceived",
            file=sys.stderr,
        )
        return DIFFERENT
    return 0


def _companions(
    bag: Path, conditions: Mapping[str, Any], file: Path | None
) -> tuple[list[str], dict[str, Any]]:
    """Return what player and node are told of the pictures that images are compared with.

    Args:
        bag: The rosbag2.
        conditions: Of the offline replay.
        file: Of the background, where it is not the bag's.
    """
    if file is not None:
        return [], {"background.file": str(file.resolve())}
    arguments, parameters = [], dict[str, Any]()
    for name, topic in conditions.get("companions", {}).items():
        if not topic:
            continue
        with open_bag(bag) as reader:
            kinds = {one.msgtype for one in reader.connections if one.topic == topic}
        transport = COMPRESSED if "sensor_msgs/msg/CompressedImage" in kinds else RAW
        arguments += ["--beside", name, topic, transport]
        parameters["background.transport"] = transport
    return arguments, parameters
