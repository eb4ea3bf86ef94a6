# SPDX-License-Identifier: Apache-2.0
"""Every command line of the pages: which tests run it, or why none does; ``docs/commands.md``.

After a change of the tables, or of the pages' commands:

    PYTHONPATH=test python test/docs/documented_commands.py > docs/commands.md
"""

from __future__ import annotations

import ast
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from doc_pages import PAGES, ROOT, shell_commands

from shared_encoder_perception.__main__ import COMMANDS, PACKAGE, main

HERE: Final = "commands.md"
TOUR: Final = "tour.md"
CHEAP: Final = "test/docs/test_cheap_commands.py"
"""Runs what is quick and no other test runs."""

NOT_RUN: Final = {
    r"(cd|source|touch) |git clone |python3 -m venv |rosdep |colcon ": (
        "sets up a workspace of ROS 2, which the tests' machine does not have"
    ),
    r"pip install ": (
        "changes the reader's environment; the locks in `requirements/` are installed by `make "
        "setup` and `make test`"
    ),
    r"ros2 launch ": (
        "needs ROS 2's `launch`, which has no wheels: where it is installed, "
        "`test/node/test_launch.py`, `test/node/test_ros2_cli.py` and "
        "`test/node/rig/test_surround_launch.py` take the same files"
    ),
    r"ros2 service call ": (
        "needs the ROS 2 command line; `test/node/test_node_background.py` calls the same service"
    ),
    r"make (check-)?package": (
        "takes minutes, and the network: `test/test_packaging.py` builds both packages and "
        "looks into them"
    ),
    r"make setup": "`make demo` and `make test` begin with it",
    r"make test-tensorrt": "downloads 225 MB more",
    r"make docs": (
        "downloads a site generator; what it stages, and what it calls a dead link, is tested "
        "in `test/docs/test_site.py`"
    ),
    r"torchrun |srun ": (
        "needs several GPUs or machines: `test/training/test_train.py` trains with the same "
        "strategy in two processes on one"
    ),
    r"train ": (
        "takes minutes (`smoke.yaml`) to days: its config and keys are loaded and checked, and "
        "`test/training/test_training_commands.py` trains for three steps"
    ),
    r"continual config/": (
        "takes minutes (`continual_smoke.yaml`) to days: `test/training/test_chosen_sets.py` "
        "reads the configs, and `test/continual/test_sequence.py` learns a sequence in a few "
        "steps"
    ),
    r"export runs/(?!default )": (
        "exports a run that takes hours to train: `test/training/test_kept.py`, "
        "`test/training/test_rig_training.py` and `test/training/test_training_commands.py` "
        "export small ones"
    ),
    r"throughput config/": (
        "takes minutes: `test/training/test_training_commands.py` measures a smaller one"
    ),
    r"benchmark --nvtx": "needs an NVIDIA GPU and its profiler",
}
"""How a line begins that no test runs -> the reason."""

RUN: Final = {
    "adapt": ("adapt/test_adapt_command",),
    "python -m shared_encoder_perception.adapt.rendered_drive": (CHEAP,),
    "benchmark": (
        *("benchmark/test_benchmark", "benchmark/test_operators", "benchmark/test_benchmark_rigs"),
    ),
    "build": (CHEAP,),
    "calibrate": ("training/test_calibrate_command",),
    "compare": ("evaluation/test_compare",),
    "continual": (CHEAP,),
    "dataset compose": ("cutouts", "labels/test_composites", "labels/test_composites_refused"),
    "dataset convert camvid": ("tasks/semantic/test_mappings",),
    "dataset convert carla": ("labels/test_rigs_carla",),
    "dataset convert coco": ("labels/test_export_round_trip", "labels/test_export_corrections"),
    "dataset convert cvat": ("labels/test_export_round_trip", "labels/test_export_corrections"),
    "dataset convert idd": ("labels/test_dataset_masks", "tasks/semantic/test_mappings"),
    "dataset convert masks": ("labels/test_own_masks",),
    "dataset convert nuscenes": ("labels/test_rigs_nuscenes",),
    "dataset convert tusimple": ("labels/test_bad_pictures", "labels/test_paths_of_converted"),
    "dataset cut": ("labels/test_cut",),
    "dataset export": ("labels/test_export_round_trip",),
    "dataset label": ("labels/test_dataset_label", "labels/test_mask_values"),
    "dataset merge": ("labels/test_dataset",),
    "dataset render": (
        *("labels/test_chosen_worlds", "labels/test_cut", "labels/test_pair_sets"),
        "labels/test_rigs_render",
    ),
    "dataset split": ("labels/test_split",),
    "dataset stats": ("labels/test_dataset", "labels/test_rigs_render"),
    "dataset validate": ("labels/test_dataset", "labels/test_rigs_render"),
    "dataset view": ("labels/test_dataset", "labels/test_rigs_render"),
    "diff": ("evaluation/test_diff",),
    "evaluate": ("evaluation/test_evaluate_command", "evaluation/test_rigs_command", "test_tta"),
    "export runs/default": ("training/test_training_commands",),
    "make demo": (
        *("demo/test_demo", "demo/test_demo_other_model", "demo/test_demo_rigs"),
        "demo/test_demo_vehicle",
    ),
    "make test": (".ci/run",),
    "mine": ("mining/test_mine",),
    "models": (CHEAP,),
    "paint": ("replay/test_paint_bag", "replay/test_paint_kitti"),
    "predict": (
        *("predict/test_predict", "predict/test_predict_video", "predict/test_predict_rig"),
        *("predict/test_predict_background", "predict/test_predict_depth", "rig_drive"),
    ),
    "publish": ("artifact/test_model_store",),
    "python examples/camera.py": ("test_example",),
    "python examples/world_model.py": ("test_example",),
    "python -m shared_encoder_perception.node --ros-args": ("node_processes",),
    "python -m shared_encoder_perception.node.parameters markdown": ("node/test_parameters",),
    "python -m shared_encoder_perception.node.parameters yaml": ("node/test_parameters",),
    "quantize": ("artifact/test_quantize", "evaluation/test_compare"),
    "replay": (
        *("replay_bags", "replay/test_replay_labels", "replay/test_replay_live"),
        *("replay/test_replay_scale", "replay/test_replay_rigs", "replay/test_replay_rigs_account"),
    ),
    "rig check": ("rig/checked_rig", "rig/test_check"),
    "sheet": (CHEAP, "training/test_training_commands"),
    "soak": ("soak/test_soak", "soak/test_soak_rigs"),
}
"""How a line begins -> the files of tests that run that command with each of its options."""


class Line(NamedTuple):
    """A command line of a page."""

    page: str
    text: str
    words: list[str]
    """Without the interpreter where the command is the package's."""


class Shown(NamedTuple):
    """A row of ``RUN``, and what of it stands on pages."""

    options: set[str]
    pages: set[str]


def lines() -> list[Line]:
    """Return every command line of the pages, in their order.

    But of ``docs/commands.md``, and of the tour, which is written by running them.
    """
    found = []
    for page in PAGES:
        if page.name not in (HERE, TOUR):
            for words in shell_commands(page.read_text()):
                if words[:3] == ["python", "-m", PACKAGE]:
                    words = words[3:]
                found.append(Line(page.name, shlex.join(words), words))
    return found


def reason(line: Line) -> str:
    """Return why a line is run by no test, or ""."""
    return next((NOT_RUN[one] for one in NOT_RUN if re.match(one, line.text)), "")


def command_of(line: Line) -> str:
    """Return the row of ``RUN`` for a line, the longest that fits, or ""."""
    fit = [one for one in RUN if f"{line.text} ".startswith(f"{one} ")]
    return max(fit, key=len, default="")


def told(line: Line, command: str) -> set[str]:
    """Return what tests of a line must say: the words of the command, and every option."""
    words = {word for word in command.split() if not word.startswith("runs/")}
    if command == "make demo":  # VIDEO=x is --video x
        given = [word.partition("=")[0] for word in line.words if "=" in word]
        return {"demo", *(f"--{name.lower()}" for name in given)}
    if command.startswith("python -m "):
        words = set(command.rpartition(".")[2].split())
    elif command.startswith("python "):
        words = {command.rpartition("/")[2]}
    return words | {word for word in line.words if word.startswith("--")}


def file_of(name: str) -> Path:
    """Return the path of a file of ``RUN``."""
    return ROOT / (name if "." in name else f"test/{name}.py")


@cache
def said(name: str) -> set[str]:
    """Return the words of all strings in a file, and the names that it imports."""
    path = file_of(name)
    if path.suffix != ".py":
        return set(path.read_text().split())
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, *node.value.split()}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").rpartition(".")[2], *(one.name for one in node.names)}
    return found


def page() -> str:
    """Return ``docs/commands.md``."""
    run: dict[str, Shown] = {}
    for line in lines():
        if not reason(line):
            shown = run.setdefault(command_of(line), Shown(set(), set()))
            shown.options.update(word for word in line.words if word.startswith("--"))
            shown.pages.add(line.page)
    return _TEXT.format(help=_help(), run="\n".join(_rows(run)), not_run="\n".join(_reasons()))


def _rows(run: dict[str, Shown]) -> Iterator[str]:
    """Yield the rows of the table of what is run."""
    for command in RUN:
        if shown := run.get(command):
            told = " ".join([command.removeprefix(f"python -m {PACKAGE}."), *sorted(shown.options)])
            files = ", ".join(f"`{file_of(one).relative_to(ROOT)}`" for one in RUN[command])
            yield f"| `{told}` | {_links(shown.pages)} | {files} |"


def _reasons() -> Iterator[str]:
    """Yield each reason with its lines, and the pages that show them."""
    for why in NOT_RUN.values():
        left = [line for line in lines() if reason(line) == why]
        if left:
            yield f"It {why} ({_links({line.page for line in left})}):\n\n```bash"
            yield from dict.fromkeys(_shell(line.words) for line in left)
            yield "```\n"


def _shell(words: list[str]) -> str:
    """Return a line as one types it."""
    words = [f"'{word}'" if re.search(r"[\s\[{]", word) else word for word in words]
    ours = words[0] in COMMANDS
    return " ".join([f"python -m {PACKAGE}", *words] if ours else words)


def _links(pages: set[str]) -> str:
    places = {name: f"../{name}" if name == "README.md" else name for name in pages}
    return ", ".join(f"[{name.removesuffix('.md')}]({places[name]})" for name in sorted(pages))


def _help() -> str:
    """Return what ``--help`` prints."""
    with redirect_stdout(io.StringIO()) as printed:
        main(["--help"])
    return printed.getvalue().rstrip()


_TEXT: Final = """# Commands

All commands of the package, and which of the command lines on these pages are run by tests. The
page is written by `python test/docs/documented_commands.py`; a test holds it against the others.

```bash
python -m shared_encoder_perception --help
```

```
{help}
```

With `--help` after its name each command tells its options, and their defaults.

## Run by tests

The tests run each command, and every option that the pages show of it, with small files and numbers
of their own in place of the reader's; not every combination of them. That a line's options exist,
and take such values, is checked line by line.

| command | shown in | run by |
|---|---|---|
{run}

## Not run

{not_run}"""

if __name__ == "__main__":
    print(page(), end="")
