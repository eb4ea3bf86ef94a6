# SPDX-License-Identifier: Apache-2.0
"""Put the node under steady load as real processes: camera -> node -> probe, over Fast DDS.

    python -m shared_encoder_perception soak                               a minute at 30 Hz
    python -m shared_encoder_perception soak --minutes 20 --plot soak.png
    python -m shared_encoder_perception soak --overload                    60 Hz, a slow model
    python -m shared_encoder_perception soak --rig four --model shipped:surround --unplug front

The latency is the time from before the camera publishes an image to the moment at which a Python
consumer holds the last of its outputs. Every image has to be perceived or counted as dropped, every
message to arrive. To that end the images are reliable and queued for the node, which still takes
the newest only; --own-qos leaves it its own QoS, with which the middleware may drop images that
nobody counts. Memory, threads and file descriptors of the node are looked at once a second and may
not grow after the first third of the run. Other load on the machine disturbs the times; it is
measured and said. With --rig the node for several cameras is soaked: see ``soak/rigs/run.py``.

Exit status: 0 when every limit was kept, 1 when one was not, 2 for a mistake or a failure.

JSON: {"setting", "slow_model_ms", "machine", "load_end", "model", "rate" (sent, Hz), "overload",
"images": {"published", "received", "perceived", "dropped", reason: number of those, "unaccounted",
"whole", "lost_messages", "foreign"}, "times": {what: {"p50", "p95", "p99", "mean", "max"}} in ms,
"stages_told": {stage: {"p50", "p95", "max"}} in ms, of those that only the diagnostics tell,
"resources": {"cpu_ms_per_image": {whose: mean}, "cores", "others_cores", "memory_mb", "private_mb",
"threads", "files", "memory_growth": {"start", "end", "per_minute", "percent"}, "new_threads",
"new_files"}, "broken": [limits that were broken]}
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.file import ArtifactError, read_artifact
from shared_encoder_perception.artifact.remote import StoreError
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.backends.options import add_engine_options
from shared_encoder_perception.benchmark import machine
from shared_encoder_perception.benchmark.combinations import parse_size
from shared_encoder_perception.demo.clip import synthetic_clip
from shared_encoder_perception.demo.drive import stop_on_signals
from shared_encoder_perception.demo.node_arguments import engine_parameters, ros_arguments
from shared_encoder_perception.demo.parked_clip import parked_clip
from shared_encoder_perception.files.safe_text import redact
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.soak import analysis, limits, report
from shared_encoder_perception.soak.load import SIZE, Record, Setting, put_under_load
from shared_encoder_perception.soak.rigs import run as rigs
from shared_encoder_perception.soak.slow_model import write_slow_model
from shared_encoder_perception.soak.verdict import check_files, judged, write_files
from shared_encoder_perception.spec import SpecError
from shared_encoder_perception.structures import Size

RATE_HZ: Final = 30.0
SECONDS: Final = 60.0
LEAST_SECONDS: Final = 5.0
"""Below it, too few samples are left after the warm-up."""
OVERLOAD_RATE_HZ: Final = 60.0
OVERLOAD_MODEL_MS: Final = 50.0
"""What --overload means, unless it is said otherwise: three times more than the node can do."""
SLOW_MODEL, ENGINES = "slow.onnx", "engines"
"""The slowed model and the engines built from it, in the folder of the logs."""
CLIP_CACHE: Final = Path("demo_output/cache")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=SECONDS, help="how long (%(default)g)")
    length.add_argument("--minutes", type=float, help="the same in minutes")
    rates = f"{RATE_HZ:g}, in an overload {OVERLOAD_RATE_HZ:g}, of a rig {rigs.RATE_HZ:g}"
    add("--rate", type=float, help=f"images a second ({rates})")
    add("--size", type=_size, default=SIZE, metavar="HxW", help="of the images")
    add("--transport", choices=(RAW, COMPRESSED), default=RAW)
    add("--images", type=Path, help="folder, frames.jsonl, video or bag (default: the demo's)")
    add("--params", type=Path, help="the node's parameters, a YAML file")
    add("--own-qos", action="store_true", help="leave the node its own QoS for images")
    add("--everything", action="store_true", help="listen to what is only made on demand, too")
    add("--overload", action="store_true", help="expect drops, bound the age instead")
    add(
        "--slow-model-ms",
        type=float,
        help=f"in an overload, slow the model down to this ({OVERLOAD_MODEL_MS:g}); "
        "0 = leave it as it is",
    )
    rigs.add_rig_options(parser)
    add("--json", type=Path, help="file to write everything to")
    add("--plot", type=Path, help="PNG to draw latency and memory to")
    add("--log", type=Path, help="folder for logs and raw records (default: kept if it fails)")
    add_engine_options(parser)
    limits.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Soak; 0 when every limit was kept."""
    if args.rig is not None:
        return rigs.run(args)
    rigs.check_none(args)
    setting = _setting(args)
    _check(args)
    stop_on_signals()
    source = args.images
    if source is None:
        beside = setting.beside
        source = parked_clip(CLIP_CACHE, beside) if beside else synthetic_clip(CLIP_CACHE)
    described = machine.describe()
    print("\n".join(machine.lines(described)))
    return judged(args, lambda folder: _soak(args, setting, source, folder, described))


def _soak(
    args: argparse.Namespace,
    setting: Setting,
    source: Path,
    folder: Path,
    described: dict[str, Any],
) -> dict[str, Any]:
    """Put the node under load, judge, print and write; return the result."""
    slow_ms = _slow_model_ms(args, folder)
    arguments = _node_arguments(args, folder, slow_ms is not None)
    record = put_under_load(folder, source, setting, arguments)
    result, times = summarise(setting, record, args.overload)
    result |= {"slow_model_ms": slow_ms, "machine": described, "load_end": machine.load()}
    result["broken"] = limits.broken(result, limits.from_options(args))
    print("\n" + "\n".join(report.lines(result)) + "\n")
    write_files(args, result, record, times, report.title(result))
    return result


def summarise(
    setting: Setting, record: Record, overload: bool
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Return the numbers of a run, as in the module's JSON, and the times of each image."""
    times = analysis.per_image(record.sent, record.answers)
    sent_s = np.ptp(record.sent["sent_ns"]) / 1e9
    result = {
        "setting": asdict(setting),
        "model": record.model,
        "rate": float((len(record.sent) - 1) / sent_s) if sent_s else 0.0,
        "overload": overload,
        "images": analysis.fates(record.sent, record.answers, record.counts, record.outputs),
        "times": analysis.spreads(times),
        "tells_inference": not len(times["inference"])
        or bool(np.isfinite(times["inference"]).any()),
        "stages_told": analysis.stages_told(record.stage_times),
        "resources": analysis.resources(
            analysis.while_sent(record.samples, record.sent), record.answers
        ),
    }
    return result, times


def _size(text: str) -> Size:
    """Read HxW; argparse tells the reason only of its own error."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _setting(args: argparse.Namespace) -> Setting:
    """Return what was asked for.

    Raises:
        ValueError: It is out of bounds.
    """
    seconds = args.seconds if args.minutes is None else 60.0 * args.minutes
    rate = args.rate
    if rate is None:
        rate = OVERLOAD_RATE_HZ if args.overload else RATE_HZ
    if not LEAST_SECONDS <= seconds < inf or not 0 < rate <= 1000:
        raise ValueError(
            f"{seconds:g} s at {rate:g} Hz: expected at least {LEAST_SECONDS:g} s, and a rate "
            "above 0 and up to 1000"
        )
    asked = (args.size, args.transport, rate, seconds, args.own_qos, args.everything)
    return Setting(*asked, _beside(args))


def _beside(args: argparse.Namespace) -> tuple[str, ...]:
    """Return what the model compares images with; of one that cannot be read the node will tell."""
    try:
        return read_artifact(fetch(args.model, args.sha256), args.sha256).spec.companions()
    except (ArtifactError, SpecError, StoreError):
        return ()


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot end well before anything is started."""
    if args.slow_model_ms is not None:
        if not args.overload:
            raise ValueError("--slow-model-ms is for an overload: add --overload")
        if not 0 <= args.slow_model_ms < inf:
            raise ValueError(f"--slow-model-ms is {args.slow_model_ms:g}, expected 0 or more")
    if args.images is not None:
        open_source(args.images)
    check_files(args)


def _slow_model_ms(args: argparse.Namespace, folder: Path) -> float | None:
    """Write the slow model, if one is to run, and return its inference time."""
    asked_ms = OVERLOAD_MODEL_MS if args.slow_model_ms is None else args.slow_model_ms
    if not args.overload or not asked_ms:
        return None
    options = BackendOptions(
        args.device, args.precision, args.threads, 1, folder / ENGINES, args.allow_fallback
    )
    found_ms = write_slow_model(
        read_artifact(fetch(args.model, args.sha256), args.sha256, redact(args.model)),
        asked_ms,
        lambda path: load_backend(path, args.backend, options),
        folder / SLOW_MODEL,
    )
    print(f"slow model {found_ms:.0f} ms for an inference, measured before the load")
    return found_ms


def _node_arguments(args: argparse.Namespace, folder: Path, slow: bool) -> list[str]:
    """Return the node's ROS arguments: what was asked for here goes before the file."""
    parameters = engine_parameters(args)
    if slow:
        parameters |= {"model.path": folder / SLOW_MODEL, "backend.cache": folder / ENGINES}
        parameters.pop("model.sha256", None)
    files = ["--params-file", str(args.params)] if args.params else []
    return [*files, *ros_arguments(parameters)]
