# SPDX-License-Identifier: Apache-2.0
"""A model file that takes a millisecond, for tests of everything around the network.

Its answer depends on the image, so that images cannot be mixed up unnoticed: the mask is the green
channel, and all five lanes shift sideways with the mean brightness; a pixel's class is a twentieth
of the red channel, or the blue one itself, and how sure it is the green one.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from specs import spec_of

from shared_encoder_perception.spec import METADATA_KEY, ModelSpec

SPEC = ModelSpec("tiny", "1.2.3", scores={"synthetic/mask_iou": 0.5}, training_data="nothing")


def write_tiny_model(
    path: Path,
    spec: ModelSpec | None = SPEC,
    aside: float = 0.0,
    sureness: float = 0.8,
    blue_is_class: bool = False,
) -> Path:
    """Write the model.

    Args:
        path: Of the file.
        spec: Its metadata; without, it lacks them.
        aside: How far all lanes stand to the right of where they usually do, cells.
        sureness: Of the lanes, 0 to 1.
        blue_is_class: Classes are the blue channel, so that a picture can say any.
    """
    promised = spec or SPEC
    height, width = promised.input_size
    nodes, outputs, constants = [], [], _constants(aside, sureness)
    mask_shape = ["N", height, width]
    if "lanes" in promised.tasks:
        outputs.append(helper.make_tensor_value_info("lanes", TensorProto.FLOAT, _shape(promised)))
        nodes += [
            helper.make_node("Cast", ["image"], ["float_image"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["float_image", "axes"], ["mean"], keepdims=1),
            helper.make_node("Unsqueeze", ["mean", "last_axis"], ["mean5"]),
            helper.make_node("Mul", ["mean5", "shift"], ["shifted"]),
            helper.make_node("Add", ["shifted", "maps"], ["lanes"]),
        ]
    if "drivable_surface" in promised.tasks:
        mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, mask_shape)
        outputs.append(mask)
        nodes.append(helper.make_node("Gather", ["image", "green"], ["mask"], axis=3))
    if "semantic" in promised.tasks:
        for name in ("semantic", "semantic_confidence"):
            outputs.append(helper.make_tensor_value_info(name, TensorProto.UINT8, mask_shape))
        nodes += [helper.make_node("Gather", ["image", "green"], ["semantic_confidence"], axis=3)]
        nodes += (
            [helper.make_node("Gather", ["image", "blue"], ["semantic"], axis=3)]
            if blue_is_class
            else [
                helper.make_node("Gather", ["image", "red"], ["reds"], axis=3),
                helper.make_node("Cast", ["reds"], ["float_reds"], to=TensorProto.FLOAT),
                helper.make_node("Mul", ["float_reds", "classes_per_red"], ["float_ids"]),
                helper.make_node("Cast", ["float_ids"], ["semantic"], to=TensorProto.UINT8),
            ]
        )
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", height, width, 3])
    graph = helper.make_graph(nodes, "tiny", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if spec is not None:
        helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)
    return path


def write_models(folder: Path) -> SimpleNamespace:
    """Write a good model, ``tiny``, and two that cannot be used, ``no_spec`` and ``lanes_only``."""
    lanes_only = spec_of("half", "1", tasks=("lanes",))
    return SimpleNamespace(
        tiny=write_tiny_model(folder / "tiny.onnx"),
        no_spec=write_tiny_model(folder / "no_spec.onnx", spec=None),
        lanes_only=write_tiny_model(folder / "lanes_only.onnx", lanes_only),
    )


def random_image(seed: int, size: tuple[int, int] = (320, 800)) -> np.ndarray:
    """Return (H, W, 3) uint8 noise whose brightness depends on the seed."""
    top = 60 + 20 * (seed % 10)
    return np.random.default_rng(seed).integers(0, top, (*size, 3), dtype=np.uint8)


def _shape(spec: ModelSpec) -> list[int | str]:
    """Return the shape of the lane maps with a free batch axis."""
    return ["N", *spec.output_shapes()["lanes"][1:]]


def _constants(aside: float, sureness: float) -> list[TensorProto]:
    """Return five straight lanes, and how brightness moves them."""
    maps = np.zeros(SPEC.output_shapes()["lanes"], np.float32)
    shift = np.zeros_like(maps)
    for lane, start in enumerate((50, 20, 80, 42, 58)):
        rows = np.arange(8, 39)
        columns = np.round(50 + (start - 50) * (rows - 4) / 34).astype(int)
        maps[0, lane, 0, rows, columns] = sureness
        maps[0, lane, 1, rows, columns] = start - columns
        maps[0, lane, 2, rows, columns] = 38 - rows
        maps[0, lane, 3, rows, columns] = aside
        shift[0, lane, 3, rows, columns] = 1 / 255
    arrays = {
        "maps": maps,
        "shift": shift,
        "axes": np.array([1, 2, 3]),
        "last_axis": np.array([4]),
        "green": np.array(1),
        "blue": np.array(0),
        "red": np.array(2),
        "classes_per_red": np.array(1 / 20, np.float32),  # 255 is class 12, the last
    }
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]
