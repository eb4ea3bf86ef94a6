# SPDX-License-Identifier: Apache-2.0
"""A backend that answers one task perfectly, because it was told the labels."""

import numpy as np
from every_task import ideal_outputs

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.spec import ModelSpec, blocks

SIZE = (320, 800)


class PerfectBackend:
    """Says of image number i of a batch what its label asks for."""

    def __init__(self, name, labels, crops):
        self.spec = ModelSpec("perfect", "1", SIZE, tasks=blocks(name))
        self.info = BackendInfo("perfect", "1", "cpu", "fp32", 1, "labels", "0" * 64)
        transforms = [ImageTransform.fit(SIZE, SIZE, crop) for crop in crops]
        self._outputs = [
            ideal_outputs(name, label, transform)
            for label, transform in zip(labels, transforms, strict=True)
        ]

    def infer(self, inputs):
        assert len(inputs["image"]) == len(self._outputs)
        return {
            key: np.stack([outputs[key] for outputs in self._outputs]) for key in self._outputs[0]
        }

    def close(self):
        pass
