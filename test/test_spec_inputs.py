# SPDX-License-Identifier: Apache-2.0
"""Tensors of a spec: what tasks take beside the image, and what they give."""

from dataclasses import dataclass
from types import ModuleType

import pytest

from shared_encoder_perception import tasks
from shared_encoder_perception.spec import ModelSpec, SpecError, Tensor, blocks


@dataclass(frozen=True)
class Block:
    """A task that takes what it is told to, and gives as much."""

    takes: str = "background"
    gives: str = "changes"

    def outputs(self, input_size):
        return {self.gives: Tensor("float32", input_size)}

    def inputs(self, input_size):
        return {self.takes: Tensor("uint8", (*input_size, 3))}


@pytest.fixture
def changes(monkeypatch):
    """A task with an input of its own in the table."""
    room = ModuleType("changes_room")
    room.spec = ModuleType("spec")
    room.spec.Block = Block
    monkeypatch.setitem(__import__("sys").modules, "changes_room", room)
    monkeypatch.setitem(tasks.ROOMS, "changes", "changes_room")


def test_what_a_task_takes_comes_after_the_image(changes):
    spec = ModelSpec("m", "1", (64, 96), blocks("changes", "lanes"))
    assert list(spec.input_tensors()) == ["image", "background"]
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_tasks_stand_in_the_tables_order_whatever_order_they_came_in(changes):
    for names in (("changes", "lanes"), ("lanes", "changes")):
        spec = ModelSpec("m", "1", (64, 96), blocks(*names))
        assert list(spec.output_tensors()) == ["lanes", "changes"]
        assert list(ModelSpec.from_json(spec.to_json()).tasks) == ["lanes", "changes"]


def test_a_task_that_is_none_is_not_left_out_silently():
    with pytest.raises(ValueError, match="there is no task 'lane'; did you mean 'lanes'"):
        ModelSpec("m", "1", tasks={**blocks("lanes"), "lane": Block()})


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Block(takes="image"), "inputs is .*'image'.*, expected a name of its own for each"),
        (Block(gives="lanes"), "outputs is .*'lanes'.*, expected a name of its own for each"),
    ],
)
def test_tensors_of_one_name_are_refused(changes, block, message):
    with pytest.raises(SpecError, match=message):
        ModelSpec("m", "1", tasks={**blocks("lanes"), "changes": block})
