# SPDX-License-Identifier: Apache-2.0
"""Models of a few hand-made nodes, with their spec, as files."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.spec import METADATA_KEY


def write_graph(path, spec, nodes, arrays):
    """Write nodes that make ``spec``'s outputs of its image and of arrays by name.

    Returns:
        The path.
    """
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *spec.input_size, 3])
    outputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), ["N", *tensor.shape]
        )
        for name, tensor in spec.output_tensors().items()
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "hand_made", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)
    return path
