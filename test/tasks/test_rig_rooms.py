# SPDX-License-Identifier: Apache-2.0
"""Questions asked of a whole rig have a table of their own, beside those asked of each image."""

from dataclasses import fields

import pytest

from shared_encoder_perception import tasks
from shared_encoder_perception.spec import ModelSpec, SpecError, blocks
from shared_encoder_perception.tasks.options import own_options

SIZE = (96, 256)
FILES = ("spec", "answer", "decode", "draw", "content", "record", "target", "metric", "baseline")
each_rig_task = pytest.mark.parametrize("name", tasks.RIG_ROOMS)


def test_no_task_is_in_both_tables():
    assert not set(tasks.ROOMS) & set(tasks.RIG_ROOMS)
    assert list(tasks.rooms()) == [*tasks.ROOMS, *tasks.RIG_ROOMS]
    assert [name for name in tasks.rooms() if tasks.is_rig(name)] == list(tasks.RIG_ROOMS)


@each_rig_task
def test_a_room_of_rigs_is_found_by_its_name(name):
    assert tasks.check([name, "lanes"]) == (name, "lanes")
    for file in FILES:
        assert tasks.part(name, file).__name__ == f"{tasks.RIG_ROOMS[name]}.{file}"
    assert tasks.find_part(name, "labels") is None


@each_rig_task
def test_whoever_goes_over_all_tasks_asks_single_images(name):
    for file in ("spec", "content", "draw", "metric"):
        assert list(tasks.parts(file)) == list(tasks.ROOMS)
        assert list(tasks.parts(file, [name, "lanes"])) == [name, "lanes"]


def test_a_name_that_is_nearly_that_of_a_rig_task_is_suggested():
    with pytest.raises(tasks.UnknownTaskError, match="no task 'suround'; did you mean 'surround'"):
        tasks.check(["suround"])


@each_rig_task
def test_a_model_may_answer_both_kinds_in_the_tables_order(name):
    spec = ModelSpec("m", "1", SIZE, tasks=blocks(name, "depth", "lanes"))
    assert list(spec.tasks) == ["lanes", "depth", name]
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert own_options(spec)[name] == tasks.part(name, "decode").Options.of(spec.tasks[name])


@each_rig_task
def test_tensors_of_rigs_are_told_from_those_of_images(name):
    spec = ModelSpec("m", "1", SIZE, tasks=blocks(name, "depth"))
    own = {*spec.tasks[name].inputs(SIZE), *spec.tasks[name].outputs(SIZE)}
    assert spec.of_rigs() == own
    shapes = spec.output_shapes(4)
    assert {found: shape[0] for found, shape in shapes.items()} == {
        found: 1 if found in own else 4 for found in shapes
    }
    assert not ModelSpec("m", "1", SIZE).of_rigs()


@each_rig_task
def test_pictures_beside_the_image_are_none_of_a_rigs_inputs(name):
    assert not ModelSpec("m", "1", SIZE, tasks=blocks(name)).companions()


@each_rig_task
def test_a_wrong_key_of_the_block_is_named(name):
    text = ModelSpec("m", "1", SIZE, tasks=blocks(name)).to_json()
    for field in fields(tasks.part(name, "spec").Block):
        with pytest.raises(SpecError, match=f"{name}.*{field.name}"):
            ModelSpec.from_json(text.replace(f'"{field.name}":', f'"{field.name}_":'))


@each_rig_task
def test_topics_and_parameters_are_its_own(name):
    room = tasks.part(name, "content")
    for kind in ("TOPICS", "PARAMETERS"):
        others = {
            item.name
            for other in tasks.rooms()
            if other != name
            for item in getattr(tasks.part(other, "content"), kind)
        }
        assert not others & {item.name for item in getattr(room, kind)}
    defaults = {one.name: one.default for one in room.PARAMETERS}
    block = blocks(name)[name]
    own = tasks.part(name, "decode").Options.of(block)
    assert room.options(defaults.__getitem__, block) == own
    changed = room.options({**defaults, room.PARAMETERS[0].name: 0.7}.__getitem__, block)
    assert changed != own
