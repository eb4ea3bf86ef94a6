"""Imports go one way: each row imports one module in a fresh process and looks at what comes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

PACKAGE = "shared_encoder_perception"
ROS = ("rclpy", "sensor_msgs", "std_msgs")
TORCH = ("torch", "timm", "lightning", "torchvision")
GROUND = ("structures", "spec")
OWN = ("backends", "predictor", "node.messages", "node.perception_node")

RULES = [
    # module, top-level packages it must not bring along, modules of ours it must not bring along
    (
        "structures",
        (*ROS, *TORCH, "cv2", "onnxruntime"),
        ("spec", "images.preprocess", "predictor"),
    ),
    ("spec", (*ROS, *TORCH, "cv2", "onnxruntime"), ("images.preprocess", "predictor")),
    (
        "images.preprocess",
        (*ROS, *TORCH, "onnxruntime"),
        ("tasks.lanes.decode", "backends", "predictor"),
    ),
    ("tasks.lanes.curve", (*ROS, *TORCH, "cv2", "onnxruntime"), GROUND),
    ("tasks.lanes.keypoints", (*ROS, *TORCH, "cv2", "onnxruntime"), GROUND),
    (
        "tasks.lanes.confidence",
        (*ROS, *TORCH, "cv2", "onnxruntime"),
        ("images.preprocess", "tasks.lanes.decode", "predictor"),
    ),
    (
        "tasks.lanes.decode",
        (*ROS, *TORCH, "onnxruntime"),
        ("backends", "predictor", "node.messages"),
    ),
    (
        "images.image_msg",
        (*ROS, *TORCH, "onnxruntime"),
        ("tasks.lanes.decode", "backends", "predictor"),
    ),
    (
        "drawing.visualize",
        (*ROS, *TORCH, "onnxruntime"),
        ("backends", "predictor", "node.messages"),
    ),
    (
        "backends",
        (*ROS, *TORCH, "onnxruntime", "fsspec"),
        ("tasks.lanes.decode", "predictor", "images.preprocess"),
    ),
    (
        "artifact.file",
        (*ROS, *TORCH, "cv2", "onnxruntime"),
        ("backends", "predictor", "images.preprocess"),
    ),
    (
        "artifact.store",
        (*ROS, *TORCH, "cv2", "onnx", "fsspec"),
        ("backends", "artifact.file", "spec"),
    ),
    ("artifact.publish", (*ROS, *TORCH, "cv2", "onnxruntime", "fsspec"), ("backends", "predictor")),
    (
        "node.loading",
        (*ROS, *TORCH, "onnxruntime", "openvino"),
        ("node.perception_node", "node.messages", "training"),
    ),
    (
        "backends.options",
        (*ROS, *TORCH, "onnxruntime", "openvino"),
        ("node.perception_node", "training", "model"),
    ),
    ("backends.choice", (*ROS, *TORCH, "onnxruntime", "openvino"), ("predictor", "training")),
    ("backends.torch", (*ROS, "onnxruntime", "openvino"), ("training", "predictor", "evaluation")),
    (
        "backends.openvino",
        (*ROS, *TORCH, "onnxruntime"),
        ("tasks.lanes.decode", "predictor", "images.preprocess"),
    ),
    (
        "backends.onnxruntime",
        (*ROS, *TORCH),
        ("tasks.lanes.decode", "predictor", "images.preprocess"),
    ),
    (
        "predictor",
        (*ROS, *TORCH),
        ("node.messages", "node.perception_node", "training", "evaluation", "model"),
    ),
    ("images.stamps", (*ROS, *TORCH, "cv2", "numpy"), ("images.preprocess", "node.worker")),
    ("images.counts", (*ROS, *TORCH, "cv2", "numpy"), ("node.worker", "predictor")),
    ("node.gate", (*ROS, *TORCH, "cv2", "onnxruntime"), ("node.worker",)),
    ("node.worker", (*ROS, *TORCH), ("node.perception_node", "node.messages", "node.inputs")),
    (
        "node.health",
        (*ROS, *TORCH, "cv2", "onnxruntime"),
        ("node.worker", "predictor", "node.messages", "node.perception_node"),
    ),
    ("node.input_health", (*ROS, *TORCH, "cv2"), ("backends", "node.worker")),
    ("node.watchdogs", (*ROS, *TORCH, "cv2"), ("backends", "node.worker")),
    ("tasks.lanes.lane_geometry", (*ROS, *TORCH, "cv2", "onnxruntime"), OWN),
    ("tasks.lanes.point_cloud", (*ROS, *TORCH, "cv2", "onnxruntime"), OWN),
    ("tasks.lanes.markers", (*ROS, *TORCH, "onnxruntime"), OWN),
    ("tasks.lanes.birds_eye", (*ROS, *TORCH, "onnxruntime"), OWN),
    ("node.debug_overlay", (*ROS, *TORCH, "onnxruntime"), OWN),
    (
        "tasks.lanes.ground.projector",
        (*ROS, *TORCH, "onnxruntime"),
        (*OWN, "tasks.lanes.tracking", "tasks.lanes.decode"),
    ),
    (
        "tasks.lanes.tracking.tracker",
        (*ROS, *TORCH, "cv2", "onnxruntime"),
        (*OWN, "ground", "tasks.lanes.decode"),
    ),
    ("node.refinement", (*TORCH, "onnxruntime"), OWN),
    ("node.perception_node", TORCH, ("training", "evaluation", "model", "demo")),
    ("predict", (*ROS, *TORCH), ("node.perception_node", "node.messages", "training", "model")),
    (
        "benchmark.run",
        (*ROS, *TORCH, "onnxruntime", "openvino"),
        ("node.perception_node", "training", "model"),
    ),
    ("whole_file", (*ROS, *TORCH, "numpy"), (*GROUND, "images.sources", "backends", "training")),
    ("images.spread", (*ROS, *TORCH, "numpy"), (*GROUND, "images.sources", "backends", "training")),
    (
        "artifact.quantize",
        (*ROS, *TORCH, "onnxruntime", "openvino"),
        ("node.perception_node", "model", "evaluation"),
    ),
    ("evaluation.differences", (*ROS, *TORCH, "onnxruntime", "yaml"), ("model", "images.sources")),
    (
        "evaluation.compare",
        (*ROS, *TORCH, "onnxruntime", "yaml"),
        ("node.perception_node", "model", "node.messages"),
    ),
    ("evaluation.metrics", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("evaluation.calibration", (*ROS, *TORCH, "cv2", "matplotlib"), ("training", "backends")),
    ("tasks.lanes.metrics.tusimple", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("tasks.lanes.metrics.culane", (*ROS, *TORCH, "scipy"), ("training", "model", "backends")),
    ("tasks.lanes.metrics.lateral", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("tasks.drivable.boundary", (*ROS, *TORCH, "scipy"), ("training", "model", "backends")),
    ("tasks.lanes.metrics.temporal", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("evaluation.baselines", (*ROS, *TORCH), ("training", "model", "backends")),
    ("evaluation.reliability", (*ROS, *TORCH, "matplotlib"), ("training", "model", "backends")),
    ("evaluation.report.document", (*ROS, *TORCH, "matplotlib", "jinja2"), ("training",)),
    ("evaluation.report.charts", (*ROS, *TORCH, "matplotlib"), ("training", "model", "backends")),
    ("evaluation.frame_counts", (*ROS, *TORCH, "scipy"), ("model", "backends")),
    ("tasks.lanes.metrics.range_bins", (*ROS, *TORCH, "cv2"), ("training", "backends")),
    ("evaluation.scorer", (*ROS, *TORCH, "matplotlib"), ("model", "backends", "predictor")),
    (
        "evaluation.evaluate",
        (*ROS, *TORCH, "matplotlib"),
        ("node.perception_node", "node.messages", "model"),
    ),
    (
        "node.topics",
        (*ROS, *TORCH, "cv2", "onnxruntime"),
        ("node.messages", "node.outputs", "node.perception_node"),
    ),
    (
        "tasks.lanes.content",
        (*ROS, *TORCH, "onnxruntime"),
        ("node.messages", "node.outputs", "node.perception_node"),
    ),
    (
        "replay.run",
        (*ROS, *TORCH, "matplotlib", "jinja2", "ray"),
        ("node.perception_node", "node.messages", "model"),
    ),
    (
        "evaluation.diff.run",
        (*ROS, *TORCH, "matplotlib", "jinja2"),
        ("node.perception_node", "node.messages", "model"),
    ),
    ("evaluation.diff.bootstrap", (*ROS, *TORCH, "cv2"), ("structures", "predictor", "training")),
    (
        "mining.run",
        (*ROS, *TORCH, "matplotlib"),
        ("node.perception_node", "node.messages", "model"),
    ),
    (
        "mining.choose",
        (*ROS, *TORCH, "onnxruntime"),
        ("node.perception_node", "node.messages", "model", "backends"),
    ),
    (
        "soak.analysis",
        (*ROS, *TORCH, "matplotlib"),
        ("node.perception_node", "node.messages", "training"),
    ),
    ("world.synthetic", (*ROS, *TORCH), ("backends", "predictor", "model", "evaluation")),
    ("labels.native", (*ROS, *TORCH, "onnxruntime"), ("model", "evaluation", "tasks.lanes.decode")),
    ("labels.formats", (*ROS, *TORCH, "onnxruntime"), ("model", "evaluation")),
    ("tasks.lanes.target", (*ROS, *TORCH, "cv2"), ("backends", "predictor", "model", "evaluation")),
    (
        "training.losses",
        (*ROS, "lightning"),
        ("node.perception_node", "node.messages", "predictor", "backends"),
    ),
    ("training.module", ROS, ("node.perception_node", "node.messages", "predictor", "backends")),
    ("training.train", ROS, ("node.perception_node", "node.messages", "predictor", "backends")),
    (
        "model.network",
        (*ROS, "lightning"),
        ("training", "evaluation", "predictor", "node.perception_node"),
    ),
    ("__main__", (*ROS, *TORCH, "cv2", "onnxruntime"), ("node.perception_node", "predict", "demo")),
]


@cache
def imports() -> dict[str, subprocess.CompletedProcess[str]]:
    """Import the module of every row in a process of its own, two at a time."""
    modules = [rule[0] for rule in RULES]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(modules, pool.map(import_alone, modules), strict=True))


def import_alone(module: str) -> subprocess.CompletedProcess[str]:
    """Import a module of ours in a fresh process, which prints ``sys.modules``."""
    code = f"import sys, {PACKAGE}.{module}; print('\\n'.join(sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def violations(module: str, foreign: tuple[str, ...], own: tuple[str, ...]) -> set[str]:
    """Return what ``module`` brings along although it must not."""
    result = imports()[module]
    if "ModuleNotFoundError" in result.stderr and PACKAGE not in result.stderr.splitlines()[-1]:
        pytest.skip(f"{module} needs what is not installed: {result.stderr.splitlines()[-1]}")
    assert result.returncode == 0, result.stderr
    forbidden = {*foreign, *(f"{PACKAGE}.{name}" for name in own)}
    return forbidden & set(result.stdout.split())


@pytest.mark.parametrize(("module", "foreign", "own"), RULES, ids=[rule[0] for rule in RULES])
def test_boundary(module, foreign, own):
    assert violations(module, foreign, own) == set()


def test_the_boundary_test_can_fail():
    """The predictor does import decode and numpy: a rule against it must catch both."""
    found = violations("predictor", ("numpy",), ("tasks.lanes.decode",))
    assert found == {"numpy", f"{PACKAGE}.tasks.lanes.decode"}
