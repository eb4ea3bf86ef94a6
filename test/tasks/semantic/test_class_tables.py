# SPDX-License-Identifier: Apache-2.0
"""Tables of classes: what is refused, what survives, what two of them have in common."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from shared_encoder_perception.tasks.semantic.classes import (
    MOST_CLASSES,
    UNLABELLED,
    SemanticClass,
    TableError,
    checked,
    from_text,
    read_table,
    to_json,
    translation,
)
from shared_encoder_perception.tasks.semantic.tables import (
    CITYSCAPES_19,
    CITYSCAPES_34,
    TABLES,
    WORLD,
    table_of,
)
from shared_encoder_perception.world.classes import CLASSES


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_sound_and_survives_json(name):
    table = TABLES[name]
    assert checked(table) == table == table_of(name)
    assert from_text(to_json(table), "table") == table == table_of(to_json(table))
    assert translation(table, table)[: len(table)] == bytes(range(len(table)))


def test_the_world_has_the_renderers_classes():
    assert tuple(one.name for one in WORLD) == CLASSES
    assert {one.name for one in WORLD if one.drivable} == {"road", "marking"}


def test_cityscapes_trains_on_nineteen_of_its_classes():
    """Ids and order of the benchmark's train ids, road first and bicycle last."""
    assert len(CITYSCAPES_34) == 34 and len(CITYSCAPES_19) == 19
    ids = {one.name: one.id for one in CITYSCAPES_34}
    assert [ids[one.name] for one in CITYSCAPES_19] == [
        *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    ]


def test_classes_of_two_tables_are_the_same_where_their_names_are():
    values = translation(CITYSCAPES_34, WORLD)
    ids = {one.name: one.id for one in WORLD}
    assert values[7] == ids["road"] and values[11] == ids["building"] and values[23] == ids["sky"]
    assert values[26] == UNLABELLED, "a car is no class of the world's table: vehicle is"
    assert values[UNLABELLED] == UNLABELLED


def changed(index, **values):
    rows = [asdict(one) for one in WORLD]
    rows[index] |= values
    return json.dumps(rows)


ONE = '[{"id": 0, "name": "road", "colour": [1, 2, 3]}]'
BAD = {
    "no JSON": ("{", "is no JSON, expected a list of classes"),
    "no list": ("{}", "is dict, expected a list"),
    "nothing": ("[]", "0 classes, expected 1 to 254"),
    "an id twice": (changed(1, id=0), "the id 0 is there twice"),
    "a name twice": (changed(1, name="road"), "the name 'road' is there twice"),
    "no name": (changed(3, name=" "), "the class 3 has no name"),
    "a gap": (changed(12, id=40), "the id 40, expected 0 to 12"),
    "no colour": (changed(2, colour=[0, 0, 300]), "the colour of 'pavement'"),
    "two channels": (changed(2, colour=[0, 0]), "colour has 2 items, expected 3"),
    "a key missing": ('[{"id": 0, "name": "road"}]', "class 0 lacks the key 'colour'"),
    "a key too many": (changed(0, color=[1, 2, 3]), "unknown key 'color'"),
    "a text for an id": (changed(0, id="0"), "id is '0', expected"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_table_is_refused_with_the_reason(what):
    text, reason = BAD[what]
    with pytest.raises(TableError, match=f"^table.*{reason}"):
        from_text(text, "table")


def test_too_many_classes_are_refused():
    rows = [replace(WORLD[0], id=index, name=str(index)) for index in range(MOST_CLASSES + 1)]
    assert len(checked(rows[:-1])) == MOST_CLASSES
    with pytest.raises(TableError, match="255 classes, expected 1 to 254"):
        checked(rows)


@pytest.mark.parametrize("said", ["0", "300", "1" * 5000])
def test_a_number_of_classes_that_cannot_be_is_refused_as_it_was_given(said):
    with pytest.raises(TableError, match=rf"^classes: {said[:12]} classes, expected 1 to 254$"):
        table_of(said)


def test_category_and_drivable_may_be_left_out(tmp_path):
    (tmp_path / "mine.json").write_text(ONE)
    expected = (SemanticClass(0, "road", "", (1, 2, 3), drivable=False),)
    assert table_of(str(tmp_path / "mine.json")) == read_table(tmp_path / "mine.json") == expected


def test_an_unknown_table_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(TableError, match="no table of classes 'camvid': expected one of world, "):
        table_of("camvid")
    with pytest.raises(TableError, match="cannot read the table of classes"):
        table_of(str(tmp_path / "missing.json"))
