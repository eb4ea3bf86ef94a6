# SPDX-License-Identifier: Apache-2.0
"""What surround is taught by: each part by its definition, and nothing where nothing is known."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="losses are of torch: make test")

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import (
    NO,
    NOT_KNOWN,
    YES,
    GroundLabel,
    GroundMap,
    drivable_map,
)
from shared_encoder_perception.tasks.surround.head import LOGITS
from shared_encoder_perception.tasks.surround.loss import (
    PARTS,
    Config,
    balanced_error,
    make_loss,
    positive_bce,
    way_error,
)
from shared_encoder_perception.tasks.surround.spec import Block
from shared_encoder_perception.tasks.surround.target import encode, truth
from shared_encoder_perception.training.config import ConfigError, load_config, loss_config
from shared_encoder_perception.training.losses import Criterion
from shared_encoder_perception.training.weighting import make_weighting

GRID = BevGrid(-8.0, -8.0, 32, 32, 0.5)
BLOCK = Block(GRID.x_min_m, GRID.y_min_m, GRID.cells_x, GRID.cells_y, GRID.cell_m)
CAR = Box("vehicle", 3.1, -2.0, 0.8, 4.4, 1.8, 1.6, 0.4)
ROAD = drivable_map([np.array([(-8.0, -4.0), (8.0, -4.0), (8.0, 4.0), (-8.0, 4.0)])], GRID)


def some_truth(*objects, seen=None):
    everywhere = np.ones(GRID.shape, bool)
    return truth(GroundLabel(objects, ROAD), GRID, everywhere if seen is None else seen)


def batch(*truths):
    made = [encode(one, (64, 160), BLOCK) for one in truths]
    return {name: torch.from_numpy(np.stack([one[name] for one in made])) for name in made[0]}


def some_logits(rigs=1, seed=0):
    made = torch.randn((rigs, 5, *GRID.shape), generator=torch.Generator().manual_seed(seed))
    return made.requires_grad_()


def losses(logits, targets, config=None):
    return make_loss(config or Config())({LOGITS: logits}, targets)


def test_parts_are_those_that_weightings_balance_each_alone():
    found = losses(some_logits(), batch(some_truth(CAR)))
    assert set(found) == {part for parts in PARTS.values() for part in parts}
    assert [len(parts) for parts in PARTS.values()] == [1, 1, 1, 1]
    assert all(value > 0 for value in found.values())


def test_a_perfect_answer_costs_nothing():
    targets = batch(some_truth(CAR))
    said = torch.zeros((1, 5, *GRID.shape))
    for plane, name in enumerate(("surround_vehicle", "surround_drivable")):
        said[:, plane] = (targets[name] == YES).float() * 40 - 20
    said[:, 2] = torch.logit(targets["surround_centre"].clamp(1e-7, 1 - 1e-7))
    said[:, 3:] = targets["surround_offset"]
    assert all(value < 1e-3 for value in losses(said, targets).values())
    said[:, 3] += 0.25
    assert losses(said, targets)["offset"] == pytest.approx(0.25)


def test_of_cells_that_are_not_known_nothing_is_learned():
    seen = np.ones(GRID.shape, bool)
    seen[:, 20:] = False
    logits = some_logits()
    sum(losses(logits, batch(some_truth(CAR, seen=seen))).values()).backward()
    assert (logits.grad[..., 20:] == 0).all()
    assert (logits.grad[:, :3, :, :20] != 0).all()


def test_a_rig_without_labels_costs_nothing_and_dilutes_nothing():
    nothing = losses(some_logits(), batch(None))
    assert all(value == 0 for value in nothing.values())
    logits = some_logits()
    sum(losses(logits, batch(None)).values()).backward()
    assert (logits.grad == 0).all()
    alone = losses(some_logits(2)[:1], batch(some_truth(CAR)))
    beside = losses(some_logits(2), batch(some_truth(CAR), None))
    for name, value in alone.items():
        assert value.item() == pytest.approx(beside[name].item(), rel=1e-5), name


def test_without_vehicles_there_is_no_way_to_learn():
    found = losses(some_logits(), batch(some_truth()))
    assert found["offset"] == 0
    assert found["vehicle"] > 0 and found["centre"] > 0


def test_cross_entropy_counts_vehicles_by_their_weight_and_divides_by_cells():
    logits, cells = torch.tensor([[0.3, -1.2, 2.0, 0.0]]), torch.tensor([[YES, NO, NO, NOT_KNOWN]])
    said = torch.sigmoid(logits)[0]
    expected = -(2.13 * said[0].log() + (1 - said[1]).log() + (1 - said[2]).log()) / 3
    found = positive_bce(logits, cells == YES, cells != NOT_KNOWN, 2.13)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_weight_of_vehicles_moves_the_best_answer_by_its_logarithm():
    """Where one cell in twenty has a vehicle, and none can be told from another."""
    cells = torch.arange(20)[None] == 0
    logit = torch.zeros((), requires_grad=True, dtype=torch.float64)
    for positive in (1.0, 2.13):
        best = math.log(1 / 19) + math.log(positive)
        logit.data.fill_(best)
        logit.grad = None
        positive_bce(logit.expand(1, 20), cells, torch.ones_like(cells), positive).backward()
        assert abs(logit.grad.item()) < 1e-7


def test_bumps_and_the_rest_weigh_the_same_however_few_cells_bumps_have():
    truth_ = torch.tensor([[1.0, 0.8, 0.4, 0.0, 0.0, 0.0, 0.0, 0.9]])
    said = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0]])
    known = torch.tensor([[True] * 7 + [False]])
    bump = (0.5**2 + 0.3**2) / 2
    rest = (0.1**2 + 0.5**2) / 5
    assert balanced_error(said, truth_, known).item() == pytest.approx((bump + rest) / 2)


def test_saying_nowhere_is_no_way_out_of_the_balanced_error():
    """By the plain mean it would cost next to nothing: bumps are few."""
    targets = batch(some_truth(CAR))
    centre, known = targets["surround_centre"], torch.ones((1, *GRID.shape), dtype=torch.bool)
    nowhere = torch.zeros_like(centre)
    assert (centre**2).mean() < 0.03
    assert balanced_error(nowhere, centre, known) > 0.25


def test_ways_are_compared_in_metres_on_vehicles_alone():
    said, there = torch.zeros((1, 2, 1, 3)), torch.tensor([[[True, True, False]]])
    way = torch.tensor([[[[1.0, -2.0, 9.0]], [[0.5, 0.0, 9.0]]]])
    assert way_error(said, way, there).item() == pytest.approx((1.5 + 2.0) / 2)


def test_keys_of_the_config_reach_the_loss():
    config = load_config(
        None, ["loss.surround_positive=3", "loss.surround_vehicle=1", "loss.surround_drivable=2"]
    )
    targets, logits = batch(some_truth(CAR)), some_logits()
    one = Criterion(["surround"], config.loss)({LOGITS: logits}, _Targets(targets))
    expected = losses(logits, targets, Config(surround_positive=3.0, surround_vehicle=1.0))
    assert one["vehicle"] == expected["vehicle"]
    ten = losses(logits, targets, Config(surround_positive=3.0, surround_vehicle=10.0))
    assert ten["vehicle"].item() == pytest.approx(10 * one["vehicle"].item(), rel=1e-6)
    assert 2 * ten["drivable_bev"].item() == pytest.approx(one["drivable_bev"].item(), rel=1e-6)


def in_view(hidden):
    """A label of which some cells are in plain view and others hidden."""
    values = np.where(hidden, NO, YES).astype(np.uint8)
    return truth(GroundLabel((), ROAD, GroundMap(GRID, values)), GRID, np.ones(GRID.shape, bool))


def test_hidden_ground_counts_by_its_weight():
    hidden = np.zeros(GRID.shape, bool)
    hidden[:, 20:] = True
    for weight, expected in ((1.0, True), (0.5, True), (0.0, False)):
        logits = some_logits()
        config = Config(surround_hidden=weight)
        losses(logits, batch(in_view(hidden)), config)["drivable_bev"].backward()
        assert (logits.grad[:, 1, :, :20] != 0).all()
        assert (logits.grad[:, 1, :, 20:] != 0).all() == expected
    all_hidden, none = in_view(np.ones_like(hidden)), some_truth()
    for part in ("drivable_bev", "vehicle"):
        usual = losses(some_logits(), batch(none))[part]
        alike = losses(some_logits(), batch(none), Config(surround_hidden=0.5))[part]
        assert usual == alike, "where nobody says what is hidden, all of it counts"
    zero = losses(some_logits(), batch(all_hidden), Config(surround_hidden=0.0))
    assert zero["drivable_bev"] == 0 and zero["vehicle"] > 0


def test_a_weight_of_hidden_ground_is_a_share():
    for value in ("-0.1", "1.5", ".nan"):
        with pytest.raises(ConfigError, match=r"loss.surround_hidden is .*, expected 0 to 1"):
            load_config(None, [f"loss.surround_hidden={value}"])


class _Targets:
    """As much of a ``training.losses.Batch`` as a criterion reads."""

    def __init__(self, targets):
        self.targets = {"surround": targets}


@pytest.mark.parametrize("name", ["surround_positive", "surround_vehicle", "surround_drivable"])
@pytest.mark.parametrize("value", ["0", "-1", ".inf", ".nan"])
def test_a_weight_that_teaches_nothing_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"loss.{name} is .*, expected a number above 0"):
        load_config(None, [f"loss.{name}={value}"])


def test_learned_weights_forget_the_factor_of_the_vehicles():
    """At their best, ``exp(-s) L + s`` is ``log L + 1``: a factor of L moves no other gradient."""
    targets, logits, steps = batch(some_truth(CAR)), some_logits(), {}
    for factor in (1.0, 3.0):
        criterion = Criterion(["surround"], loss_config(surround_vehicle=factor))
        parts = criterion({LOGITS: logits}, _Targets(targets))
        weighting = make_weighting("uncertainty", list(criterion.groups))
        grouped = criterion.grouped(parts)
        best = torch.stack([grouped[name].detach().log() for name in criterion.groups])
        assert (best.abs() < 2).all(), "within the bounds of the learned weights"
        weighting.log_variance.data = best
        weighting.objective(grouped)
        (steps[factor],) = torch.autograd.grad(weighting.objective(grouped), logits)
    assert torch.allclose(steps[1.0], steps[3.0], rtol=1e-4, atol=1e-8)
