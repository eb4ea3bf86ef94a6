"""Distillation: a student is pulled to its teacher, as far as the teacher is to be believed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.model.architectures import LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.model.checkpoint import save_network
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.distill import DistillConfig, Distiller, soft_heat_loss
from shared_encoder_perception.training.losses import Batch

SIZE = (64, 96)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "network.pt"
    save_network(PerceptionNetwork(NetworkConfig()), path)
    return path


def batch(known=1.0, weight=255):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (2, *SIZE, 3), generator=generator, dtype=torch.uint8)
    return Batch(
        images,
        torch.zeros(2, 5, 5, 8, 12),
        torch.zeros(2, 5, 8, 12, dtype=torch.bool),
        torch.full((2, 5), known),
        torch.zeros(2, *SIZE, dtype=torch.uint8),
        torch.full((2, *SIZE), weight, dtype=torch.uint8),
    )


def answer(distiller, images):
    with torch.no_grad():
        return distiller._teacher(images)


def test_a_student_that_agrees_has_nothing_to_learn(teacher):
    distiller, one = Distiller(DistillConfig(str(teacher))), batch()
    logits = {
        name: value.clone().requires_grad_()
        for name, value in answer(distiller, one.images).items()
    }
    losses = distiller(logits, one)
    assert losses["distill_heat"].item() == pytest.approx(0, abs=1e-6)
    assert losses["distill_vectors"].item() == 0
    torch.stack(list(losses.values())).sum().backward()
    for value in logits.values():  # the mask's loss is the teacher's own entropy: least, not zero
        assert value.grad.abs().max() < 1e-6


@pytest.mark.parametrize(("name", "part"), [(LANE_LOGITS, "heat"), (MASK_LOGITS, "mask")])
def test_disagreement_costs_and_its_weight_scales_it(teacher, name, part):
    one = batch()
    losses = []
    for weight in (1.0, 2.0):
        distiller = Distiller(DistillConfig(str(teacher), **{part: weight}))
        logits = answer(distiller, one.images)
        same = distiller(logits, one)[f"distill_{part}"]
        logits[name] = logits[name] + 2
        losses.append((distiller(logits, one)[f"distill_{part}"] - same / weight * weight).item())
    assert losses[0] > 0
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-4)


def test_an_unlabelled_head_is_believed_as_far_as_the_teacher_sees_a_lane(teacher):
    distiller = Distiller(DistillConfig(str(teacher)))
    logits = answer(distiller, batch().images)
    peak = torch.sigmoid(logits[LANE_LOGITS][:, :, 0]).amax().item()
    shifted = {**logits, LANE_LOGITS: logits[LANE_LOGITS] + 2}
    sure = distiller(shifted, batch(known=1.0))["distill_heat"].item()
    unlabelled = distiller(shifted, batch(known=0.0))["distill_heat"].item()
    assert 0 < unlabelled <= peak * sure * 1.001
    assert peak < 0.9  # else the line above shows nothing


def test_a_pixel_nobody_labelled_counts_as_far_as_the_teacher_is_sure(teacher):
    distiller = Distiller(DistillConfig(str(teacher)))
    images = batch().images
    logits = answer(distiller, images)
    opposite = {**logits, MASK_LOGITS: -logits[MASK_LOGITS]}
    probability = torch.sigmoid(logits[MASK_LOGITS])
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        opposite[MASK_LOGITS], probability, reduction="none"
    )
    weight = (2 * probability - 1).abs()
    expected = (entropy * weight).sum() / weight.sum()
    found = distiller(opposite, batch(weight=0))["distill_mask"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    labelled = distiller(opposite, batch(weight=255))["distill_mask"]
    assert labelled.item() == pytest.approx(entropy.mean().item(), rel=1e-4)


def test_the_soft_loss_is_least_at_the_target():
    target = torch.rand(1, 5, 8, 12, generator=torch.Generator().manual_seed(2)) * 0.98 + 0.01
    one = torch.ones(1, 5, 1, 1)
    at = torch.logit(target)
    assert soft_heat_loss(at, target, one).item() == pytest.approx(0, abs=1e-7)
    costs = [soft_heat_loss(at + shift, target, one).item() for shift in (0.5, 1.0, 2.0, 4.0)]
    assert costs == sorted(costs)
    assert costs[0] > 0


def test_the_teacher_is_neither_trained_nor_saved(teacher, tmp_path):
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
        (["distill.teacher=t.pt", "loss.weighting=pcgrad"], "no place for a teacher"),
    ],
)
def test_configs_that_cannot_work_are_refused(overrides, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        load_config(None, overrides)


def test_a_missing_teacher_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read the checkpoint .*nobody\.pt"):
        Distiller(DistillConfig(str(tmp_path / "nobody.pt")))


def test_teacher_images_stay_as_they_are(teacher):
    one = batch()
    before = one.images.clone()
    distiller = Distiller(DistillConfig(str(teacher)))
    distiller(answer(distiller, one.images), one)
    assert np.array_equal(before, one.images)
