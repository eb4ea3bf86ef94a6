# SPDX-License-Identifier: Apache-2.0
"""Distillation: a student is pulled to its teacher in all that both answer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from batches import batch_of

from shared_encoder_perception import tasks
from shared_encoder_perception.model.checkpoint import save_network
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.distill import Distiller, distill_config

SIZE = (64, 96)
NAMES = list(tasks.ROOMS)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "network.pt"
    save_network(PerceptionNetwork(NetworkConfig()), path)
    return path


def batch():
    return batch_of({}, {}, size=SIZE)


def answer(distiller, images):
    with torch.no_grad():
        return distiller._teacher(images)


def test_a_student_that_agrees_has_nothing_to_learn(teacher):
    distiller, one = Distiller(distill_config(teacher=str(teacher)), NAMES), batch()
    logits = {
        name: value.clone().requires_grad_()
        for name, value in answer(distiller, one.images).items()
    }
    torch.stack(list(distiller(logits, one).values())).sum().backward()
    for value in logits.values():
        assert value.grad.abs().max() < 1e-6


def test_disagreement_costs_in_every_task(teacher):
    distiller, one = Distiller(distill_config(teacher=str(teacher)), NAMES), batch()
    logits = {
        name: (value + 2).requires_grad_() for name, value in answer(distiller, one.images).items()
    }
    torch.stack(list(distiller(logits, one).values())).sum().backward()
    for value in logits.values():
        assert value.grad.abs().max() > 0


@pytest.mark.parametrize("name", tasks.DEFAULT)
def test_a_student_of_one_task_learns_that_one(teacher, name):
    whole, part = (
        Distiller(distill_config(teacher=str(teacher)), names) for names in (NAMES, [name])
    )
    one = batch_of({}, size=SIZE, tasks=[name])
    logits = answer(part, one.images)
    found = part(logits, one)
    assert 0 < len(found) < len(whole(logits, batch_of({}, size=SIZE)))
    assert all(part.startswith("distill_") for part in found)


def test_a_teacher_of_other_tasks_is_refused(tmp_path):
    path = tmp_path / "network.pt"
    one, other = tasks.DEFAULT
    save_network(PerceptionNetwork(NetworkConfig(tasks=[one])), path)
    with pytest.raises(ValueError, match=rf"answers {one}, of which a student of {other}"):
        Distiller(distill_config(teacher=str(path)), [other])


def test_the_teacher_is_neither_trained_nor_saved(teacher):
    from shared_encoder_perception.training.module import StageTraining

    config = load_config(
        None,
        [
            f"distill.teacher={teacher}",
            "stages=[{size: [64, 96], steps: 1, batch_size: 2}]",
            "data.val=[{path: synthetic, count: 1}]",
        ],
    )
    student = PerceptionNetwork(config.network)
    module = StageTraining(config, 0, student)
    own = {id(p) for p in student.parameters()}
    assert {id(p) for p in module.parameters()} == own
    assert not any("teacher" in name for name in module.state_dict())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["distill.heat=-1"], "distill.heat is -1.0, expected 0 or more"),
        (["distill.mask=-2"], "distill.mask is -2.0, expected 0 or more"),
        (["distill.teacher=t.pt", "loss.weighting=pcgrad"], "no place for a teacher"),
    ],
)
def test_configs_that_cannot_work_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(None, overrides)


def test_a_missing_teacher_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read the checkpoint .*nobody\.pt"):
        Distiller(distill_config(teacher=str(tmp_path / "nobody.pt")), NAMES)


def test_teacher_images_stay_as_they_are(teacher):
    one = batch()
    before = one.images.clone()
    distiller = Distiller(distill_config(teacher=str(teacher)), NAMES)
    distiller(answer(distiller, one.images), one)
    assert np.array_equal(before, one.images)


def test_a_teacher_that_answers_on_another_grid_is_refused(teacher):
    """As 0.5.0 does beside a student of light_fpn: told, not resized or broadcast."""
    student = PerceptionNetwork(NetworkConfig("test_resnet", architecture="light_fpn")).eval()
    one = batch()
    with torch.no_grad():
        logits = student(one.images)
    with pytest.raises(ValueError, match=r"grid of 8x12 cells, the student on 16x24: .* --model"):
        Distiller(distill_config(teacher=str(teacher)), NAMES)(logits, one)
