# SPDX-License-Identifier: Apache-2.0
"""The command line: ``python -m shared_encoder_perception <command> --help``.

Commands are imported when they are chosen, so that none pays for another's libraries.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from traceback import clear_frames
from typing import Any, Final, NoReturn

from shared_encoder_perception import libraries
from shared_encoder_perception.files.installed import ROS, VERSION, lacks_ros
from shared_encoder_perception.files.safe_text import ListedError, printable, without_secrets

COMMANDS: Final = {
    "demo": ("demo.run", "drive through a real ROS 2 node and show the result"),
    "predict": ("predict.run", "perceive images, a video or a bag; no ROS needed"),
    "replay": ("replay.run", "replay bags through a model: results, bag, video, report"),
    "paint": ("replay.paint", "give a lidar's points the classes of the pixels that show them"),
    "evaluate": ("evaluation.evaluate", "score a model on labelled images"),
    "diff": ("evaluation.diff.run", "hold version B of a model against A: what changed, may it"),
    "mine": ("mining.run", "find the frames of a drive most worth labelling, with pre-labels"),
    "benchmark": ("benchmark.run", "measure engines, models and the node on this machine"),
    "build": ("artifact.build", "build and cache an engine ahead of time"),
    "soak": ("soak.run", "put the node under steady load: latency, losses, growth"),
    "compare": ("evaluation.compare", "hold engines and precisions against one another"),
    "quantize": ("artifact.quantize", "make an int8 model of an fp32 one"),
    "card": ("evaluation.card", "measure a model and fill in the tables of its card"),
    "publish": ("artifact.publish", "put a model with its card and checksum into a store"),
    "dataset": ("labels.dataset", "convert, check, merge, count and view data sets"),
    "rig": ("labels.rig_command", "check a rig of cameras: do they agree on the ground"),
    "sheet": ("training.sheet", "draw what training sees: rendered worlds, or a config's samples"),
    "train": ("training.train", "train the network"),
    "continual": ("continual.run", "learn a sequence of places, and measure what is forgotten"),
    "adapt": ("adapt.run", "learn from where a vehicle drove, if nothing is forgotten by it"),
    "throughput": ("training.throughput", "measure how fast a training config runs"),
    "models": ("training.models", "compare networks: size, work, latency, scores"),
    "export": ("training.export", "turn a checkpoint into an ONNX artifact"),
    "calibrate": ("training.calibrated_artifact", "fit an artifact's confidence again"),
}
"""Name -> (module, what it does). A module has ``add_arguments(parser)`` and ``run(args)``."""

GROUPS: Final = {
    "perceive": ("demo", "predict", "replay", "paint"),
    "judge": ("evaluate", "diff", "compare", "card"),
    "measure": ("benchmark", "soak"),
    "data sets": ("dataset", "mine", "rig", "sheet"),
    "train": ("train", "continual", "adapt", "throughput", "models", "export", "calibrate"),
    "model files": ("quantize", "build", "publish"),
}
"""How ``--help`` lists them."""

PACKAGE: Final = "shared_encoder_perception"
HERE: Final = f"{Path(__file__).parent}/"
MESSAGES: Final = f"{PACKAGE}.msg"
TRAINING: Final = "pip install '.[train]', or `make test`, in the source tree"
REMEDIES: Final = {
    **dict.fromkeys(("torch", "torchvision", "timm", "lightning", "kornia", "omegaconf"), TRAINING),
    **dict.fromkeys(("onnxscript", "tensorboard"), TRAINING),
}
"""Missing library -> what to do, where ``libraries`` does not know; ``ROS`` for all others."""

TRAINING_ENVIRONMENT: Final = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For commands that train on the CPU while other processes load data: torch's threads then sleep
while they wait for each other, instead of holding the core that a loading process needs. It must be
set before torch is imported."""
NODE_COMMANDS: Final = ("demo", "soak")
"""Start a node in a process of its own: what that lacks is said before, not by its end."""
TRAINING_COMMANDS: Final = ("train", "continual", "adapt", "throughput")

LOG_PROGRESS_S: Final = "2"
"""Seconds between progress lines that go to a file instead of a terminal."""
USER_ERROR: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The command's exit status; 2 for a mistake of the user, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] not in COMMANDS:
        return _usage(arguments)
    name, *rest = arguments
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", LOG_PROGRESS_S)  # child processes inherit it
    if name in TRAINING_COMMANDS:
        for key, value in TRAINING_ENVIRONMENT.items():
            os.environ.setdefault(key, value)
    module_name, purpose = COMMANDS[name]
    try:
        libraries.check()  # before the first import that fails of it
        module = import_module(f"{PACKAGE}.{module_name}")
    except ImportError as error:
        return _fail(_what_is_missing(name, error))
    parser = _Parser(
        prog=f"shared_encoder_perception {name}",
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=module.__doc__,
    )
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    module.add_arguments(parser)
    args = _parse(parser, rest)
    _write_safely()
    if name in NODE_COMMANDS and (lacking := lacks_ros()):
        return _fail(f"`{name}` needs {lacking}")
    logging.getLogger(PACKAGE).setLevel(logging.INFO)
    if progress := sys.modules.get("tqdm"):
        # Its first bar would make it, and take so long that Ctrl-C meets a half-made bar, which
        # complains with a traceback.
        progress.tqdm.get_lock()
    try:
        return int(module.run(args))
    except KeyboardInterrupt as stop:
        clear_frames(stop.__traceback__)  # ends progress bars that they hold, before the last word
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except ImportError as error:  # of what is imported when it is needed
        if args.debug:
            raise
        return _fail(_what_is_missing(name, error))
    except (ValueError, OSError, RuntimeError) as error:
        if args.debug:
            raise
        clear_frames(error.__traceback__)
        told = [error.head, *error.lines] if isinstance(error, ListedError) else [_message(error)]
        return _fail("\n  ".join(without_secrets(line, *arguments) for line in told))


def _what_is_missing(command: str, error: ImportError) -> str:
    """Say which library a command needs, and what to do.

    Raises:
        ImportError: The same, if it is of this package.
    """
    name = error.name or ""
    if isinstance(error, libraries.UnfitError):
        return str(error)
    if not isinstance(error, ModuleNotFoundError):
        if name.startswith(PACKAGE):
            raise error
        return f"`{command}` needs {name or 'a library'!r}, which cannot be loaded: {error}"
    if not name or (name.startswith(f"{PACKAGE}.") and name != MESSAGES):
        raise error
    package = libraries.package_of(name)
    remedy = libraries.advice(package) if package else REMEDIES.get(name.partition(".")[0], ROS)
    return f"`{command}` needs {name!r}, which is not installed: {remedy}"


class _Help(argparse.RawDescriptionHelpFormatter):
    """Tells the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text, default = action.help or "", action.default
        switch = action.nargs == 0 or isinstance(default, bool)
        if switch or default in (None, [], (), "", argparse.SUPPRESS) or "(default" in text:
            return text
        values = default if isinstance(default, (list, tuple)) else [default]
        joint = "x" if action.metavar == "HxW" else " "
        told = joint.join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
        text = text.removesuffix(f"({told})").rstrip()  # some say it so
        told = told.replace(HERE, "the shipped ").replace("%", "%%")
        return f"{text} (default: {told})".lstrip()


class _OneLine(logging.Formatter):
    """Writes a record on one line, without what steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(super().format(record))


def _write_safely() -> None:
    """Let names of files that are no UTF-8, or hold ESC, do no harm where they are printed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_OneLine("%(message)s"))
        logging.basicConfig(handlers=[handler])


class _Parser(argparse.ArgumentParser):
    """Tells defaults, and repeats no secret of a URL that stands where it should not."""

    def __init__(self, **options: Any) -> None:
        """Make a parser as argparse does; those of sub-commands are of the same kind."""
        super().__init__(**{"formatter_class": _Help, **options})

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and end."""
        super().error(without_secrets(message))


def _parse(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
    """Parse with options and positional arguments in any order, as far as argparse can."""
    try:
        return parser.parse_intermixed_args(arguments)
    except TypeError:  # it refuses parsers that have sub-commands
        return parser.parse_args(arguments)


def _message(error: Exception) -> str:
    """One line for people."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _fail(reason: str) -> int:
    """Print what is wrong and return the status of a user's mistake."""
    print(f"error: {reason}", file=sys.stderr)
    return USER_ERROR


def _usage(arguments: Sequence[str]) -> int:
    """Print the commands; an unknown one is an error."""
    given = arguments[0] if arguments else None
    if given == "--version":
        print(f"{PACKAGE} {VERSION}")
        return 0
    asked = given in ("-h", "--help", "help")
    stream = sys.stdout if asked else sys.stderr
    if given is not None and not asked:
        near = get_close_matches(given.lower(), COMMANDS, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        print(f"error: unknown command {printable(given)!r}{hint}", file=stream)
    print("usage: python -m shared_encoder_perception <command> [--help]", file=stream)
    for group, names in GROUPS.items():
        print(f"\n{group}", file=stream)
        for name in names:
            print(f"  {name:<10} {COMMANDS[name][1]}", file=stream)
    print("\n--version says which release this is", file=stream)
    return 0 if asked else USER_ERROR


if __name__ == "__main__":
    sys.exit(main())
