# SPDX-License-Identifier: Apache-2.0
"""From parameters to a predictor: which models the node takes."""

from types import SimpleNamespace

import changes_task
import pytest
from changes_task import changes_spec

from shared_encoder_perception import tasks
from shared_encoder_perception.node.loaded_model import _check_tasks
from shared_encoder_perception.node.loading import load_predictor
from shared_encoder_perception.node.parameters import all_parameters
from shared_encoder_perception.spec import SpecError


def test_a_model_that_takes_more_than_the_image_is_refused_at_once(monkeypatch):
    """It would load, warm up, and then fail on every image."""
    monkeypatch.setitem(tasks.ROOMS, changes_task.NAME, changes_task.__name__)
    closed = []
    backend = SimpleNamespace(
        spec=changes_spec(),
        info=SimpleNamespace(source="changes.onnx"),
        close=lambda: closed.append(True),
    )
    monkeypatch.delitem(tasks.ROOMS, changes_task.NAME)  # it has no parameters
    defaults = {name: parameter.default for name, parameter in all_parameters().items()}
    with pytest.raises(SpecError, match=r"changes.onnx takes gain beside the image"):
        load_predictor(defaults.__getitem__, lambda *_: backend)
    assert closed


def test_a_model_that_compares_with_other_pictures_is_no_successor():
    """Topics and services are those of the first one's."""
    spec, info = SimpleNamespace(tasks=("a",)), SimpleNamespace(source="new.onnx")
    old, new = (
        SimpleNamespace(spec=spec, companions=names, backend=SimpleNamespace(info=info))
        for names in (("background",), ())
    )
    _check_tasks(old, old)
    with pytest.raises(SpecError, match=r"new.onnx answers a, the one that runs a by a background"):
        _check_tasks(new, old)
