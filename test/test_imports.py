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
OWN = ("backends", "predictor", "messages", "node")

RULES = [
    # module, top-level packages it must not bring along, modules of ours it must not bring along
    ("structures", (*ROS, *TORCH, "cv2", "onnxruntime"), ("spec", "preprocess", "predictor")),
    ("spec", (*ROS, *TORCH, "cv2", "onnxruntime"), ("preprocess", "predictor")),
    ("preprocess", (*ROS, *TORCH, "onnxruntime"), ("decode", "backends", "predictor")),
    ("curve", (*ROS, *TORCH, "cv2", "onnxruntime"), GROUND),
    ("keypoints", (*ROS, *TORCH, "cv2", "onnxruntime"), GROUND),
    ("confidence", (*ROS, *TORCH, "cv2", "onnxruntime"), ("preprocess", "decode", "predictor")),
    ("decode", (*ROS, *TORCH, "onnxruntime"), ("backends", "predictor", "messages")),
    ("image_msg", (*ROS, *TORCH, "onnxruntime"), ("decode", "backends", "predictor")),
    ("visualize", (*ROS, *TORCH, "onnxruntime"), ("backends", "predictor", "messages")),
    ("backends", (*ROS, *TORCH, "onnxruntime", "fsspec"), ("decode", "predictor", "preprocess")),
    ("artifact", (*ROS, *TORCH, "cv2", "onnxruntime"), ("backends", "predictor", "preprocess")),
    ("model_store", (*ROS, *TORCH, "cv2", "onnx", "fsspec"), ("backends", "artifact", "spec")),
    ("publish", (*ROS, *TORCH, "cv2", "onnxruntime", "fsspec"), ("backends", "predictor")),
    ("loading", (*ROS, *TORCH, "onnxruntime", "openvino"), ("node", "messages", "training")),
    ("engine_options", (*ROS, *TORCH, "onnxruntime", "openvino"), ("node", "training", "model")),
    ("backends.choice", (*ROS, *TORCH, "onnxruntime", "openvino"), ("predictor", "training")),
    ("backends.torch", (*ROS, "onnxruntime", "openvino"), ("training", "predictor", "evaluation")),
    ("backends.openvino", (*ROS, *TORCH, "onnxruntime"), ("decode", "predictor", "preprocess")),
    ("backends.onnxruntime", (*ROS, *TORCH), ("decode", "predictor", "preprocess")),
    ("predictor", (*ROS, *TORCH), ("messages", "node", "training", "evaluation", "model")),
    ("stamps", (*ROS, *TORCH, "cv2", "numpy"), ("preprocess", "worker")),
    ("counts", (*ROS, *TORCH, "cv2", "numpy"), ("worker", "predictor")),
    ("gate", (*ROS, *TORCH, "cv2", "onnxruntime"), ("worker",)),
    ("worker", (*ROS, *TORCH), ("node", "messages", "inputs")),
    ("health", (*ROS, *TORCH, "cv2", "onnxruntime"), ("worker", "predictor", "messages", "node")),
    ("input_health", (*ROS, *TORCH, "cv2"), ("backends", "worker")),
    ("watchdogs", (*ROS, *TORCH, "cv2"), ("backends", "worker")),
    ("lane_geometry", (*ROS, *TORCH, "cv2", "onnxruntime"), OWN),
    ("point_cloud", (*ROS, *TORCH, "cv2", "onnxruntime"), OWN),
    ("markers", (*ROS, *TORCH, "onnxruntime"), OWN),
    ("birds_eye", (*ROS, *TORCH, "onnxruntime"), OWN),
    ("debug_overlay", (*ROS, *TORCH, "onnxruntime"), OWN),
    ("ground.projector", (*ROS, *TORCH, "onnxruntime"), (*OWN, "tracking", "decode")),
    ("tracking.tracker", (*ROS, *TORCH, "cv2", "onnxruntime"), (*OWN, "ground", "decode")),
    ("refinement", (*TORCH, "onnxruntime"), OWN),
    ("node", TORCH, ("training", "evaluation", "model", "demo")),
    ("predict", (*ROS, *TORCH), ("node", "messages", "training", "model")),
    ("benchmark.run", (*ROS, *TORCH, "onnxruntime", "openvino"), ("node", "training", "model")),
    ("whole_file", (*ROS, *TORCH, "numpy"), (*GROUND, "sources", "backends", "training")),
    ("spread", (*ROS, *TORCH, "numpy"), (*GROUND, "sources", "backends", "training")),
    ("quantize", (*ROS, *TORCH, "onnxruntime", "openvino"), ("node", "model", "evaluation")),
    ("evaluation.differences", (*ROS, *TORCH, "onnxruntime", "yaml"), ("model", "sources")),
    ("evaluation.compare", (*ROS, *TORCH, "onnxruntime", "yaml"), ("node", "model", "messages")),
    ("evaluation.metrics", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("evaluation.calibration", (*ROS, *TORCH, "cv2", "matplotlib"), ("training", "backends")),
    ("evaluation.tusimple", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("evaluation.culane", (*ROS, *TORCH, "scipy"), ("training", "model", "backends")),
    ("evaluation.lateral", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("evaluation.boundary", (*ROS, *TORCH, "scipy"), ("training", "model", "backends")),
    ("evaluation.temporal", (*ROS, *TORCH, "cv2"), ("training", "model", "backends")),
    ("evaluation.baselines", (*ROS, *TORCH), ("training", "model", "backends")),
    ("evaluation.reliability", (*ROS, *TORCH, "matplotlib"), ("training", "model", "backends")),
    ("evaluation.report.document", (*ROS, *TORCH, "matplotlib", "jinja2"), ("training",)),
    ("evaluation.report.charts", (*ROS, *TORCH, "matplotlib"), ("training", "model", "backends")),
    ("evaluation.frame_counts", (*ROS, *TORCH, "scipy"), ("model", "backends")),
    ("evaluation.range_bins", (*ROS, *TORCH, "cv2"), ("training", "backends")),
    ("evaluation.scorer", (*ROS, *TORCH, "matplotlib"), ("model", "backends", "predictor")),
    ("evaluation.evaluate", (*ROS, *TORCH, "matplotlib"), ("node", "messages", "model")),
    ("topics", (*ROS, *TORCH, "cv2", "onnxruntime"), ("messages", "outputs", "node")),
    ("message_content", (*ROS, *TORCH, "onnxruntime"), ("messages", "outputs", "node")),
    ("replay.run", (*ROS, *TORCH, "matplotlib", "jinja2", "ray"), ("node", "messages", "model")),
    ("evaluation.diff.run", (*ROS, *TORCH, "matplotlib", "jinja2"), ("node", "messages", "model")),
    ("evaluation.diff.bootstrap", (*ROS, *TORCH, "cv2"), ("structures", "predictor", "training")),
    ("mining.run", (*ROS, *TORCH, "matplotlib"), ("node", "messages", "model")),
    ("mining.choose", (*ROS, *TORCH, "onnxruntime"), ("node", "messages", "model", "backends")),
    ("soak.analysis", (*ROS, *TORCH, "matplotlib"), ("node", "messages", "training")),
    ("training.synthetic", (*ROS, *TORCH), ("backends", "predictor", "model", "evaluation")),
    ("training.datasets.native", (*ROS, *TORCH, "onnxruntime"), ("model", "evaluation", "decode")),
    ("training.datasets.formats", (*ROS, *TORCH, "onnxruntime"), ("model", "evaluation")),
    ("training.targets", (*ROS, *TORCH, "cv2"), ("backends", "predictor", "model", "evaluation")),
    ("training.losses", (*ROS, "lightning"), ("node", "messages", "predictor", "backends")),
    ("training.module", ROS, ("node", "messages", "predictor", "backends")),
    ("training.train", ROS, ("node", "messages", "predictor", "backends")),
    ("model.network", (*ROS, "lightning"), ("training", "evaluation", "predictor", "node")),
    ("__main__", (*ROS, *TORCH, "cv2", "onnxruntime"), ("node", "predict", "demo")),
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
    found = violations("predictor", ("numpy",), ("decode",))
    assert found == {"numpy", f"{PACKAGE}.decode"}
