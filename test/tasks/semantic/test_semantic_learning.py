# SPDX-License-Identifier: Apache-2.0
"""What classes are taught by: losses by identity and limit, a teacher by identity."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from torch.nn import functional

from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork, promised
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, TableError, to_json
from shared_encoder_perception.tasks.semantic.distill import Config as Taught
from shared_encoder_perception.tasks.semantic.distill import make_distill, pair_wise, pixel_wise
from shared_encoder_perception.tasks.semantic.head import FEATURES, LOGITS, finish
from shared_encoder_perception.tasks.semantic.loss import Config, make_loss, on_grid, rarity
from shared_encoder_perception.tasks.semantic.spec import Block
from shared_encoder_perception.tasks.semantic.tables import CAMVID_11
from shared_encoder_perception.training.config import ConfigError, load_config

SIZE = (16, 40)
CLASSES = 13


def targets(batch=2, seed=0, unlabelled=0.2):
    rng = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, CLASSES, (batch, *SIZE), generator=rng, dtype=torch.uint8)
    ids[torch.rand((batch, *SIZE), generator=rng) < unlabelled] = UNLABELLED
    return {"ids": ids, "class_weight": torch.where(ids == UNLABELLED, 0, 255).to(torch.uint8)}


def ideal(truth, sureness=30.0):
    known = truth["ids"].long() * (truth["ids"] != UNLABELLED)
    return sureness * functional.one_hot(known, CLASSES).movedim(-1, 1).float()


def losses(logits, truth, **options):
    return make_loss(Config(**options))({LOGITS: logits}, truth)


def test_the_right_answer_costs_nothing_and_a_wrong_one_much():
    truth = targets()
    right, wrong = losses(ideal(truth), truth), losses(ideal(truth).roll(1, dims=1), truth)
    assert all(float(value) < 1e-3 for value in right.values())
    assert wrong["class_ce"] > 20 and wrong["class_region"] > 0.9


def test_what_is_not_labelled_teaches_nothing():
    truth = targets()
    logits = torch.zeros(2, CLASSES, *SIZE, requires_grad=True)
    sum(losses(logits, truth).values()).backward()
    unknown = (truth["ids"] == UNLABELLED)[:, None].expand_as(logits)
    assert not logits.grad[unknown].any() and logits.grad[~unknown].any()


def test_cross_entropy_is_torchs():
    truth, logits = targets(), torch.randn(2, CLASSES, *SIZE)
    expected = functional.cross_entropy(logits, truth["ids"].long(), ignore_index=UNLABELLED)
    assert losses(logits, truth)["class_ce"] == pytest.approx(float(expected), rel=1e-5)


def test_a_batch_twice_costs_the_same():
    truth, logits = targets(), torch.randn(2, CLASSES, *SIZE)
    twice = {name: torch.cat((plane, plane)) for name, plane in truth.items()}
    for options in ({}, {"class_weights": "inverse_log"}, {"class_region": "none"}):
        once = losses(logits, truth, **options)
        again = losses(torch.cat((logits, logits)), twice, **options)
        for name, value in once.items():
            # The Dice loss adds 1 to both of its sums, so that nothing of nothing is right.
            assert float(again[name]) == pytest.approx(float(value), rel=1e-2), name


def test_a_rare_class_counts_more():
    ids = torch.zeros(1, *SIZE, dtype=torch.long)
    ids[0, 0, 0] = 5
    weights = rarity(ids, torch.ones(1, *SIZE), CLASSES)
    assert weights[5] > 30 * weights[0] and weights.max() <= 51


def test_a_coarser_grid_is_asked_for_the_middle_of_its_cells():
    truth = targets()
    truth["ids"][:, 2::4, 2::4] = 7
    truth["class_weight"][:, 2::4, 2::4] = 255
    ids, weight = on_grid(truth, torch.zeros(2, CLASSES, 4, 10))
    assert (ids == 7).all() and (weight == 1).all()


def test_the_graph_says_the_most_probable_class_and_its_probability():
    logits = torch.randn(2, CLASSES, *SIZE)
    said = finish({LOGITS: logits}, SIZE, Block())
    probability, ids = torch.softmax(logits, 1).max(1)
    assert torch.equal(said["semantic"].long(), ids)
    assert (said["semantic_confidence"].float() - 255 * probability).abs().max() <= 0.5 + 1e-4


# ---- a teacher ----------------------------------------------------------------------------------


def test_a_student_that_says_the_same_learns_nothing():
    logits = torch.randn(2, CLASSES, *SIZE, requires_grad=True)
    features = torch.randn(2, 6, 8, 20, requires_grad=True)
    loss = pixel_wise(logits, logits.detach()) + pair_wise(features, features.detach())
    loss.backward()
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert logits.grad.abs().max() <= 1e-6 and features.grad.abs().max() <= 1e-6


def test_a_batch_twice_teaches_the_same():
    student, teacher = torch.randn(2, 2, CLASSES, *SIZE)
    for loss in (pixel_wise, pair_wise):
        twice = loss(torch.cat((student, student)), torch.cat((teacher, teacher)))
        assert float(twice) == pytest.approx(float(loss(student, teacher)), rel=1e-5)


def test_pairs_are_compared_not_channels():
    """A teacher may have more channels; which is which, and how strong, is of no importance."""
    student, teacher = torch.rand(2, 6, 8, 20), torch.rand(2, 24, 8, 20)
    assert pair_wise(student, teacher) > 0
    same = torch.cat((student.flip(1), torch.zeros(2, 3, 8, 20)), dim=1) * 5
    assert float(pair_wise(student, same)) == pytest.approx(0, abs=1e-9)


def test_a_weight_of_nothing_is_no_part():
    logits = {LOGITS: torch.randn(1, CLASSES, *SIZE), FEATURES: torch.rand(1, 6, 8, 20)}
    assert make_distill(Taught(class_pixel=0))(logits, logits, {}) == {}
    both = make_distill(Taught(class_pair=2.0))(logits, logits, {})
    assert set(both) == {"distill_class_pixel", "distill_class_pair"}


# ---- configs ------------------------------------------------------------------------------------

DATA = ["data.train=[{path: synthetic}]", "data.val=[{path: synthetic, count: 1}]"]
TASKS = "network.tasks=[semantic]"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("loss.class_weights=median", r"class_weights is 'median', expected one of .*inverse_log"),
        ("loss.class_region=lovasz", "class_region is 'lovasz', expected one of .*dice"),
        ("distill.class_pair=-1", "class_pair is -1.0, expected 0 or more"),
        ("network.classes=camvid", "network: there is no table of classes 'camvid'"),
    ],
)
def test_what_nobody_knows_is_refused(option, reason):
    with pytest.raises((ConfigError, ValueError), match=reason):
        load_config(None, [*DATA, TASKS, option])


def test_a_networks_classes_are_those_of_its_config(tmp_path):
    network = PerceptionNetwork(
        NetworkConfig("test_resnet", channels=16, tasks=["semantic"], classes="camvid11")
    )
    assert promised(network.config, (64, 160))["semantic"].classes == CAMVID_11
    logits = network(torch.zeros(1, 64, 160, 3, dtype=torch.uint8))
    assert logits[LOGITS].shape[1] == 11
    with pytest.raises(TableError, match="no table of classes"):
        PerceptionNetwork(NetworkConfig("test_resnet", tasks=["semantic"], classes="roads"))


def test_a_table_in_a_file_is_written_into_the_network(tmp_path):
    """A checkpoint must not depend on a file that may be elsewhere tomorrow."""
    path = tmp_path / "mine.json"
    path.write_text(to_json(CAMVID_11[:3]))
    config = load_config(None, [*DATA, TASKS, f"network.classes={path}"])
    path.unlink()
    assert config.network.classes == to_json(CAMVID_11[:3])
    assert len(promised(config.network, (64, 160))["semantic"].classes) == 3
