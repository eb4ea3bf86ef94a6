# SPDX-License-Identifier: Apache-2.0
"""A whole task in two files: how bright is each cell of a grid of 8 x 8 over what the network sees?

It lives in no room of the package. ``tasks.ROOMS["brightness"] = "toy_task"`` is all that is needed
for it to be trained, exported, run on every engine, published, recorded, scored and drawn. Each
class stands for a file of a room; ``tasks/contract`` says what each of them holds. Those about
labels and learning are in ``toy_learning``.

    python test/tasks/toy_task.py predict --model toy.onnx --input pictures --out answers

runs a command of the package with this task in its table; ``node --ros-args ...`` the node.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from toy_learning import CELLS, head, labels, loss, metric, report, target  # noqa: F401

from shared_encoder_perception import tasks
from shared_encoder_perception.spec import Tensor, expect
from shared_encoder_perception.tasks.contract.runtime import Topic
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN, threshold

NAME = "brightness"


class spec:  # noqa: N801 - stands for the file spec.py
    """spec.py."""

    @dataclass(frozen=True)
    class Block:
        """``bright_from``: brightness from which a cell counts as bright, 0 to 1."""

        bright_from: float = 0.5

        def __post_init__(self):
            expect(0 <= self.bright_from <= 1, "bright_from", self.bright_from, "0 to 1")

        def outputs(self, input_size):
            return {"brightness": Tensor("float32", (CELLS, CELLS))}

        def inputs(self, input_size):
            return {}


class answer:  # noqa: N801
    """answer.py."""

    @dataclass(frozen=True, eq=False)
    class Answer:
        """``plane``: (H, W) float32, each pixel its cell's brightness; NaN where unseen."""

        plane: np.ndarray
        bright_from: float = 0.5

        def check(self, image_size):
            if self.plane.shape != tuple(image_size):
                raise ValueError(f"brightness is {self.plane.shape}, expected {image_size}")


class decode:  # noqa: N801
    """decode.py."""

    @dataclass(frozen=True)
    class Options:
        """``bright_from`` as of the block."""

        bright_from: float

        @classmethod
        def of(cls, block):
            return cls(block.bright_from)

    class Decoder:
        """Paints each cell where it was seen."""

        def __init__(self, block, input_size):
            self._size = input_size

        def __call__(self, outputs, transform, options):
            height, width = self._size
            grid = cv2.resize(
                outputs["brightness"], (width, height), interpolation=cv2.INTER_NEAREST
            )
            x, y, width, height = transform.content
            crop = transform.crop
            plane = np.full(transform.image_size, np.nan, np.float32)
            plane[crop.window] = cv2.resize(
                grid[y : y + height, x : x + width],
                (crop.width, crop.height),
                interpolation=cv2.INTER_NEAREST,
            )
            return answer.Answer(plane, options.bright_from)


class draw:  # noqa: N801
    """draw.py."""

    LAYER = 5

    @staticmethod
    def paint(canvas, said, scale):
        seen = np.isfinite(said.plane)
        canvas[seen] = canvas[seen] // 2 + (127 * said.plane[seen, None]).astype(np.uint8)

    @staticmethod
    def legend(said):
        return [(f"brightness {np.nanmean(said.plane):.2f}", (255, 255, 255))]

    @staticmethod
    def paint_label(canvas, label, scale):
        known = np.isfinite(label.plane)
        canvas[known] = (255 * label.plane[known, None]).astype(np.uint8)

    @staticmethod
    def outline_label(canvas, label):
        pass  # a brightness has no edge

    @staticmethod
    def resized(said, image_size, size):
        plane = cv2.resize(said.plane, size[::-1], interpolation=cv2.INTER_NEAREST)
        return answer.Answer(plane, said.bright_from)


class content:  # noqa: N801
    """content.py: each image's cells as a picture of 32-bit floats, NaN where nothing was seen."""

    TOPIC = "brightness/plane"
    KIND = "sensor_msgs/msg/Image"
    TOPICS = (Topic(TOPIC, KIND),)
    PARAMETERS = (threshold("brightness.bright_from", "Brightness of a bright cell."),)
    FOUND = ("bright",)

    @staticmethod
    def messages(said, context, new):
        def plane():
            message = new(content.KIND)
            message.header = context.header
            height, width = (int(side) for side in said.plane.shape)
            message.height, message.width, message.encoding = height, width, "32FC1"
            message.step = 4 * width
            message.data = pack(message.data, said.plane.astype("<f4").view(np.uint8), np.uint8)
            return message

        return {content.TOPIC: plane}

    @staticmethod
    def read(messages, image_size):
        if content.TOPIC not in messages:
            raise LookupError(f"there is no message on {content.TOPIC}")
        message = messages[content.TOPIC]
        plane = np.frombuffer(bytes(message.data), "<f4").reshape(message.height, message.width)
        said = answer.Answer(plane)
        said.check(image_size)
        return said

    @staticmethod
    def options(value, block):
        asked = value("brightness.bright_from")
        return decode.Options.of(block) if asked == MODEL_OWN else decode.Options(asked)

    @staticmethod
    def found(said):
        return content.FOUND if np.nanmax(said.plane) >= said.bright_from else ()

    @staticmethod
    def fill_info(message, block):
        pass  # ModelInfo has no field of ours


class record:  # noqa: N801
    """record.py."""

    FILES = {}  # noqa: RUF012
    DETECTABLE = ("bright",)

    @staticmethod
    def detected(said):
        return content.found(said)

    @staticmethod
    def prediction(said, out, picture):
        height, width = said.plane.shape
        rows, columns = (
            ((np.arange(CELLS) + 0.5) * side / CELLS).astype(int) for side in (height, width)
        )
        grid = said.plane[np.ix_(rows, columns)].astype(float).round(4)
        return {"brightness": [[None if np.isnan(v) else v for v in row] for row in grid.tolist()]}

    @staticmethod
    def result(said, crop):
        return {"brightness": round(float(np.nanmean(said.plane[crop.window])), 4)}

    @staticmethod
    def scores(counted):
        error = counted.compute()["brightness"]["error"]
        return {"brightness_error": None if np.isnan(error) else round(error, 4)}

    @staticmethod
    def different(line, said, crop):
        return (
            [] if record.result(said, crop)["brightness"] == line["brightness"] else ["brightness"]
        )


if __name__ == "__main__":
    from shared_encoder_perception.__main__ import main

    tasks.ROOMS[NAME] = Path(__file__).stem
    sys.path.insert(0, str(Path(__file__).parent))
    command, *arguments = sys.argv[1:]
    if command == "node":
        from shared_encoder_perception.node.perception_node import main as run_node

        sys.exit(run_node([command, *arguments]))
    sys.exit(main([command, *arguments]))
