# SPDX-License-Identifier: Apache-2.0
"""The rules of the house: rooms, one-way imports, tasks known by the table alone.

Each rule has a row that must fail.
"""

import ast
import subprocess
import sys

import pytest
from house import PACKAGE, ROOT, brings, imports, modules, tree

from shared_encoder_perception import tasks

ENTRIES = {
    *("__init__.py", "__main__.py", "structures.py", "spec.py", "libraries.py", "files"),
    *("images", "tasks", "layers", "backends", "artifact", "predictor.py", "predict", "ground"),
    *("drawing", "node", "labels", "world", "model", "models", "training", "evaluation"),
    *("replay", "mining", "benchmark", "soak", "demo", "rig", "rig_predictor.py", "continual"),
    "adapt",
}
"""The top floor; ``docs/house.md`` shows it in the order of the flow."""

FLOORS = (
    ("structures", "libraries", "files", ""),
    ("tasks",),
    ("spec",),
    ("images",),
    ("ground", "layers", "drawing"),
    ("rig",),
    ("tasks.*",),
    ("tasks.ROOM",),
    ("drawing.overlay", "drawing.moment"),
    tuple(f"artifact.{name}" for name in ("file", "graph", "halves", "remote", "store", "tensors"))
    + ("artifact",),
    ("model",),
    ("backends",),
    ("artifact.*", "predictor"),
    ("rig_predictor",),
    ("labels.sample", "labels.record_faults"),
    ("world",),
    ("labels",),
    ("predict",),
    ("evaluation",),
    ("training", "node"),
    ("demo",),
    ("benchmark",),
    ("replay", "soak"),
    ("mining", "adapt"),
    ("continual",),
    ("__main__",),
)
"""Rooms from the ground up: imports go down, or stay in the room. ``tasks`` is the table alone,
``tasks.*`` what rooms of tasks have in common, ``tasks.ROOM`` those rooms; ``artifact`` has a lower
half, that engines read, and an upper one, that runs them."""

ROS = ("rclpy", "sensor_msgs", "std_msgs", f"{PACKAGE}.msg")
TORCH = ("torch", "timm", "lightning", "torchvision", "kornia")
RULES = [
    # room or module, top-level packages that it must not bring along
    ("structures", (*ROS, *TORCH, "cv2", "onnx", "onnxruntime")),
    ("spec", (*ROS, *TORCH, "cv2", "numpy.random", "onnx", "onnxruntime")),
    ("tasks", (*ROS, *TORCH, "numpy", "cv2")),
    ("files", (*ROS, *TORCH, "numpy", "cv2")),
    ("images", (*ROS, *TORCH, "onnxruntime")),
    ("ground", (*ROS, *TORCH, "onnxruntime")),
    ("rig", (*ROS, *TORCH, "onnxruntime", "matplotlib")),
    ("drawing", (*ROS, *TORCH, "onnxruntime", "matplotlib")),
    ("artifact", (*ROS, *TORCH, "fsspec", "onnxruntime", "openvino")),
    ("backends.onnxruntime", (*ROS, *TORCH, "openvino")),
    ("backends.openvino", (*ROS, *TORCH, "onnxruntime")),
    ("backends.tensorrt", (*ROS, *TORCH, "onnxruntime")),
    ("backends.choice", (*ROS, *TORCH, "onnxruntime", "openvino", "tensorrt")),
    ("predictor", (*ROS, *TORCH, "onnxruntime", "openvino", "matplotlib", "rosbags", "av")),
    ("predict", (*ROS, *TORCH, "onnxruntime", "openvino", "matplotlib", "rosbags", "av")),
    ("node", (*TORCH, "onnxruntime", "openvino", "matplotlib", "lightning")),
    ("world", (*ROS, *TORCH, "onnxruntime", "matplotlib")),
    ("labels", (*ROS, *TORCH, "onnxruntime", "matplotlib")),
    ("evaluation", (*ROS, *TORCH, "onnxruntime", "matplotlib", "jinja2", "rosbags", "av")),
    ("mining", (*ROS, *TORCH, "onnxruntime", "matplotlib", "jinja2")),
    ("model", (*ROS, "lightning", "onnxruntime", "openvino")),
    ("layers", (*ROS, "lightning", "onnxruntime", "openvino")),
    ("training", (*ROS, "onnxruntime", "openvino")),
    ("continual", (*ROS, "onnxruntime", "openvino", "ray")),
    ("adapt", (*ROS, "onnxruntime", "openvino", "ray", "matplotlib", "jinja2")),
    ("replay.run", (*ROS, *TORCH, "onnxruntime", "matplotlib", "jinja2", "ray")),
    ("__main__", (*ROS, *TORCH, "numpy", "cv2", "onnx", "onnxruntime")),
]
LIGHT_FILES = {
    "spec": (*ROS, *TORCH, "cv2", "onnx"),
    "answer": (*ROS, *TORCH, "cv2", "onnx"),
    "metric": (*ROS, *TORCH, "onnx", "matplotlib"),
    "decode": (*ROS, *TORCH, "onnx"),
    "draw": (*ROS, *TORCH, "onnx"),
    "content": (*ROS, *TORCH),
    "labels": (*ROS, *TORCH, "onnx"),
    "target": (*ROS, *TORCH, "onnx"),
    "head": (*ROS, "lightning"),
    "loss": (*ROS, "lightning"),
}
"""File of a task's room -> what it must not bring along."""

WITHOUT_LABELS = {name.removeprefix(f"{PACKAGE}.") for name in tasks.RIG_ROOMS.values()}
"""Rooms of tasks of whole rigs: their label is the ground's, which belongs to no task."""
ROOMS = {name.removeprefix(f"{PACKAGE}.") for name in tasks.rooms().values()}
TABLE = set(tasks.rooms())


def floor_of(module):
    """Return the number of a module's floor, and its room."""
    room = ".".join(module.split(".")[:2])
    names = [module, room]
    if room in ROOMS:
        names = ["tasks.ROOM"]
    elif module.startswith("tasks."):
        names = ["tasks.*"]
    elif module.startswith("artifact."):
        names = [module, "artifact.*"]
    elif "." in module:
        names.append(module.split(".")[0])
    for name in names:
        for number, rooms in enumerate(FLOORS):
            if name in rooms:
                return number, room if name == "tasks.ROOM" else module.split(".")[0]
    raise AssertionError(f"{module} is on no floor: add its room to FLOORS")


def upward(module, source=None):
    """Return what a module imports from above, or from beside its room."""
    floor, room = floor_of(module)
    found = []
    for kind, target in imports(module, source):
        if kind == "ours":
            other, its = floor_of(target)
            if other > floor or (other == floor and its != room):
                found.append(target)
    return found


def insides(module, source=None):
    """Return the rooms of tasks that a module outside of them knows the insides of."""
    return [
        target
        for kind, target in imports(module, source)
        if kind == "ours" and ".".join(target.split(".")[:2]) in ROOMS
    ]


def names_of_tasks(module, source=None):
    """Return the lines of a module where a task's name is written down."""
    top = tree(module) if source is None else ast.parse(source)
    return [
        node.lineno
        for node in ast.walk(top)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TABLE
    ]


def outside():
    """Yield every module but the table and the rooms of tasks."""
    for module in modules():
        if module != "tasks" and ".".join(module.split(".")[:2]) not in ROOMS:
            yield module


def test_the_top_floor_is_the_flow():
    there = {path.name for path in ROOT.iterdir() if path.name not in ("__pycache__", "msg")}
    assert there == ENTRIES


def test_imports_go_down():
    assert not {module: found for module in modules() if (found := upward(module))}


def test_the_rule_of_floors_can_fail():
    assert upward("images.preprocess", f"from {PACKAGE}.node import worker") == ["node.worker"]
    assert upward("layers.neck", f"from {PACKAGE}.ground import view") == ["ground.view"]
    room = "tasks.lanes.decode"
    assert upward(room, f"from {PACKAGE}.tasks.drivable import decode") == ["tasks.drivable.decode"]
    assert not upward(room, f"from {PACKAGE}.tasks.lanes import curve")


def test_only_its_room_knows_a_task():
    assert not {module: found for module in outside() if (found := insides(module))}
    ours = [name for name in outside() if not name.startswith("labels.adapters.")]  # others' keys
    assert not {module: found for module in ours if (found := names_of_tasks(module))}


def test_the_rule_of_tasks_can_fail():
    source = f'from {PACKAGE}.tasks.lanes import curve\nif task == "lanes":\n    pass\n'
    assert insides("replay.run", source) == ["tasks.lanes.curve"]
    assert names_of_tasks("replay.run", source) == [2]
    source = f'from {PACKAGE}.tasks.surround import decode\nASKED = ("surround",)\n'
    assert insides("predictor", source) == ["tasks.surround.decode"]
    assert names_of_tasks("predictor", source) == [2]


@pytest.mark.parametrize(("room", "foreign"), RULES, ids=[rule[0] for rule in RULES])
def test_a_room_brings_no_library_that_it_does_without(room, foreign):
    own = [name for name in modules() if name == room or name.startswith(f"{room}.")]
    own = own if room not in ("tasks", "artifact", "drawing") else [room]
    assert own
    assert not {name: found for name in own if (found := forbidden(name, foreign))}


@pytest.mark.parametrize("room", sorted(ROOMS))
@pytest.mark.parametrize("file", LIGHT_FILES)
def test_a_file_of_a_tasks_room_is_as_light_as_it_says(room, file):
    module = f"{room}.{file}"
    if room in WITHOUT_LABELS and file == "labels":
        assert module not in modules()
        return
    assert module in modules()
    assert not forbidden(module, LIGHT_FILES[file])


def forbidden(module, foreign):
    """Return which of some packages a module brings along."""
    return {f"+{name}" for name in foreign} & brings(module)


def test_the_rule_of_libraries_can_fail():
    assert forbidden("predictor", ("numpy", "torch")) == {"+numpy"}


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        ("predictor", (*ROS, *TORCH, "rosbags", "av")),
        ("predict.run", (*ROS, *TORCH, "rosbags", "ruamel", "av", "matplotlib", "jinja2")),
        ("__main__", (*ROS, *TORCH, "numpy")),
        ("tasks.lanes.content", (*ROS, *TORCH)),
        ("evaluation.evaluate", (*ROS, *TORCH, "matplotlib")),
        ("replay.run", (*ROS, *TORCH, "matplotlib", "ray")),
        ("node.perception_node", TORCH),
    ],
)
def test_what_python_really_imports(module, foreign):
    """The same in a fresh process: what libraries import of each other counts too."""
    code = f"import sys, {PACKAGE}.{module}; print('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if "ModuleNotFoundError" in result.stderr and PACKAGE not in result.stderr.splitlines()[-1]:
        pytest.skip(f"{module} needs what is not installed: {result.stderr.splitlines()[-1]}")
    assert result.returncode == 0, result.stderr
    assert not set(foreign) & set(result.stdout.split())
