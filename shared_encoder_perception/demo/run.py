"""Drive through a real node: player -> node -> recorder, then video and summary.

python -m shared_encoder_perception demo                       a synthetic drive
python -m shared_encoder_perception demo --video drive.mp4     your own

The results of an earlier drive in the same --out are replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from time import sleep
from typing import Final

from shared_encoder_perception.demo.clip import synthetic_clip
from shared_encoder_perception.demo.overlay import overlay_frames, write_video
from shared_encoder_perception.demo.processes import Processes
from shared_encoder_perception.demo.summary import DriveSummary, summarise
from shared_encoder_perception.sources import open_source

RATE_HZ: Final = 15.0
POLL_S: Final = 0.1
RESULTS: Final = ("bag", "recording", "log", "overlay.mp4", "summary.json")
MARKER: Final = ".shared_encoder_perception_demo"
"""In a folder that holds it, ``RESULTS`` are ours to replace."""
INCOMPLETE: Final = 1
COUNT_EVERY_IMAGE: Final = (
    *("-p", "qos_overrides./image.subscription.reliability:=reliable"),
    *("-p", "qos_overrides./image.subscription.depth:=50"),
)
"""With its own best effort and depth 1 the middleware may drop images before the node counts
them. Here every image has to be accounted for: all reach the node, which keeps the newest."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", type=Path, help="video file")
    source.add_argument("--images", type=Path, help="folder of images, or a frames.jsonl")
    source.add_argument("--bag", type=Path, help="rosbag2")
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--rate", type=float, default=RATE_HZ, help="images a second")
    parser.add_argument("--limit", type=int, help="stop after so many images")
    parser.add_argument("--model", type=Path, help="ONNX artifact (default: the shipped one)")
    parser.add_argument("--out", type=Path, default=Path("demo_output"))


def run(args: argparse.Namespace) -> int:
    """Drive; 0 when every image came back whole or was counted as dropped."""
    if not 0 < args.rate <= 1000:
        raise ValueError(f"--rate is {args.rate}, expected more than 0 and at most 1000")
    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit is {args.limit}, expected at least 1")
    source = args.video or args.images or args.bag
    if source is not None:
        open_source(source, args.topic)  # a mistake here must not cost the start of three processes
    clear(args.out, source)
    log, bag, recording = (args.out / name for name in ("log", "bag", "recording"))
    video, result = args.out / "overlay.mp4", args.out / "summary.json"
    log.mkdir()
    recording.mkdir()
    source = source or synthetic_clip(args.out / "cache")
    stop_on_signals()
    published = drive(args, source, log, recording / bag.name)
    os.replace(recording / bag.name, bag)
    recording.rmdir()
    summary = summarise(bag, published)
    part = result.with_name(result.name + ".part")
    part.write_text(json.dumps(summary.to_dict(), indent=2) + "\n")
    os.replace(part, result)
    frames = write_video(overlay_frames(bag), video, args.rate)
    print(f"\n{summary}\n")
    print(f"video    {video if frames else 'none: no image came back'}")
    print(f"bag      {bag}")
    print(f"summary  {result}")
    return verdict(summary)


def clear(out: Path, source: Path | None) -> None:
    """Make ``out`` ready: remove an earlier drive's results, and only those.

    Raises:
        ValueError: Something there is not ours to remove, or is the drive to be played.
    """
    marker, old = out / MARKER, [out / name for name in RESULTS if (out / name).exists()]
    if old and not marker.is_file():
        raise ValueError(
            f"{old[0]} was not written by this command and would be replaced: choose another --out"
        )
    for path in old:
        if source is not None and source.resolve().is_relative_to(path.resolve()):
            raise ValueError(
                f"{source} would be replaced by the new recording: choose another --out, or move it"
            )
    for path in old:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()


def stop_on_signals() -> None:
    """Let SIGTERM and a closed terminal stop the children as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, signal.default_int_handler)


def drive(args: argparse.Namespace, source: Path, log: Path, bag: Path) -> int:
    """Run the three processes.

    Returns:
        The number of images that the player published.

    Raises:
        RuntimeError: One of them failed.
    """
    node_arguments = ["--ros-args", *COUNT_EVERY_IMAGE]
    if args.model is not None:
        node_arguments += ["-p", f"model.path:={args.model.resolve()}"]
    player_arguments = ["--source", str(source), "--rate", str(args.rate)]
    if args.topic:
        player_arguments += ["--topic", args.topic]
    if args.limit:
        player_arguments += ["--limit", str(args.limit)]
    with Processes(log) as processes:
        print("starting recorder, node and player")
        processes.start("recorder", "demo.recorder", str(bag))
        processes.start("node", "node", *node_arguments)
        processes.start("player", "demo.player", *player_arguments, visible=True)
        while processes.running("player"):
            for name in ("node", "recorder"):
                if not processes.running(name):
                    raise RuntimeError(
                        f"the {name} stopped early, {processes.last_words(name)} "
                        f"(see {log / (name + '.log')})"
                    )
            sleep(POLL_S)
        output = processes.output("player")
        if processes.stop("player") != 0:
            raise RuntimeError(f"the player failed, see its message above and {log}")
        node, recorder = processes.stop("node"), processes.stop("recorder")
        if node != 0 or recorder != 0:
            raise RuntimeError(
                f"not all processes ended well: node {node}, recorder {recorder} (0 = well); "
                f"see {log}"
            )
        return int(json.loads(output)["published"])


def verdict(summary: DriveSummary) -> int:
    """Return the exit status, and say what is wrong if something is."""
    if summary.published == 0 or summary.complete == 0:
        print("error: no image came back", file=sys.stderr)
        return INCOMPLETE
    if summary.unexplained:
        print(
            f"error: {summary.unexplained} images neither came back nor were counted as dropped",
            file=sys.stderr,
        )
        return INCOMPLETE
    return 0
