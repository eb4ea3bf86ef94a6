# SPDX-License-Identifier: Apache-2.0
"""Elastic weight consolidation: what mattered stays, what did not is free."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from continual_steps import batch, config, gradients, learned, moved, small_network, step_of
from torch import nn

from shared_encoder_perception.continual.config import EwcConfig
from shared_encoder_perception.continual.strategies.ewc import Ewc, fisher, penalty, singles
from shared_encoder_perception.training.losses import Batch


def strategy(weight=10.0, samples=4, decay=1.0):
    return Ewc(config(ewc=EwcConfig(weight, samples, decay)))


class Line(nn.Module):
    """A logit that is linear in four numbers, given as an image; the batch norm has no say."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1]))
        self.bias = nn.Parameter(torch.tensor(0.2))
        self.frozen = nn.Parameter(torch.tensor(1.0), requires_grad=False)
        self.norm = nn.BatchNorm1d(4, affine=False)

    def forward(self, images, size=None, inputs=None):
        return {"said": images.float() @ self.weight + self.bias + 0 * self.norm(images).sum()}


def logistic(logits, batch):
    """Return minus the log-likelihood of labels, mean over the batch, as ``Criterion`` does."""
    truth = batch.targets["toy"]["label"]
    loss = nn.functional.binary_cross_entropy_with_logits(logits["said"], truth)
    return {"total": loss}


def toy(count=7, seed=0):
    dice = np.random.default_rng(seed)
    numbers = torch.from_numpy(dice.normal(size=(count, 4)).astype(np.float32))
    labels = torch.from_numpy(dice.integers(0, 2, count).astype(np.float32))
    return Batch(numbers, {"toy": {"label": labels}}, (1, 4))


def test_the_information_of_a_logistic_model_is_its_formula():
    """(p - y)^2 x^2 of each sample, and its mean; batches in which they come do not matter."""
    model, data = Line().eval(), toy()
    with torch.no_grad():
        surprise = (torch.sigmoid(model(data.images)["said"]) - data.targets["toy"]["label"]) ** 2
    for batches in ([data], list(singles([data], 99))):
        found = fisher(model, singles(batches, 99), logistic)
        assert found.keys() == {"weight", "bias"}  # neither what is frozen nor the norm's buffers
        expected = (surprise[:, None] * data.images**2).mean(0)
        torch.testing.assert_close(found["weight"], expected)
        torch.testing.assert_close(found["bias"], surprise.mean())
    whole = fisher(model, [data], logistic)  # of a batch's gradient it would be less
    assert (whole["weight"] < expected).all()


def test_the_statistics_of_batch_norm_and_gradients_are_left_alone():
    model = Line().eval()
    model.bias.grad = torch.tensor(3.0)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    fisher(model, singles([toy()], 5), logistic)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert model.bias.grad == 3.0 and model.weight.grad is None


def test_no_more_samples_are_taken_than_asked_for_and_they_are_those_of_the_batches():
    found = list(singles([toy(3, 0), toy(3, 1), toy(3, 2)], 4))
    together = torch.cat([one.images for one in found])
    assert torch.equal(together, torch.cat([toy(3, 0).images, toy(3, 1).images[:1]]))
    assert all(len(one.targets["toy"]["label"]) == 1 for one in found)


def test_information_from_no_sample_is_refused():
    with pytest.raises(ValueError, match="there is no sample"):
        fisher(Line().eval(), [], logistic)


def test_the_penaltys_gradient_is_the_information_times_the_way_gone():
    model = Line()
    weights = {name: one.detach().clone() for name, one in model.named_parameters()}
    weights.pop("frozen")
    information = {"weight": torch.tensor([0.0, 1.0, 2.0, 3.0]), "bias": torch.tensor(0.5)}
    assert penalty(model, information, weights) == 0
    with torch.no_grad():
        model.weight += torch.tensor([1.0, -2.0, 3.0, 0.5])
        model.bias += 2
    penalty(model, information, weights).backward()
    torch.testing.assert_close(model.weight.grad, torch.tensor([0.0, -2.0, 6.0, 1.5]))
    torch.testing.assert_close(model.bias.grad, torch.tensor(1.0))


@pytest.mark.parametrize(("strength", "left"), [(0.0, 0.0), (1.0, 0.5), (1e12, 1.0)])
def test_in_the_limit_what_mattered_stays_and_what_did_not_goes_where_it_is_drawn(strength, left):
    """The least of |w - c|^2 / 2 + strength F (w - w*)^2 / 2 is their mean, weighted so."""
    model = Line().double()
    start = model.weight.detach().clone()
    goal = start + 1
    information = {"weight": torch.tensor([1.0, 1.0, 0.0, 0.0]).double()}

    def slope(weight):
        model.weight.data.copy_(weight)
        loss = (model.weight - goal).square().sum() / 2
        loss = loss + strength * penalty(model, information, {"weight": start})
        return torch.autograd.grad(loss, model.weight)[0]

    # The loss is quadratic: its slope changes evenly, and Newton's step ends at the least.
    change = torch.stack([slope(start + one) - slope(start) for one in torch.eye(4).double()])
    least = start - torch.linalg.solve(change, slope(start))
    expected = left * start + (1 - left) * goal
    torch.testing.assert_close(least[:2], expected[:2])
    torch.testing.assert_close(least[2:], goal[2:])


def labelled(seed):
    """Return a batch that costs something in the network's tasks."""
    one = batch(2, seed)
    for targets in one.targets.values():
        for name, tensor in targets.items():
            if name in ("weight", "known"):
                tensor.fill_(255 if tensor.dtype == torch.uint8 else 1)
    return one


def test_a_real_network_is_held_at_its_weights_by_what_mattered():
    network, ewc = small_network(), strategy()
    assert ewc.losses(step_of(network, batch())) == {}  # nothing was learned yet
    ewc.end(learned(network, [labelled(0), labelled(1)]))
    ewc.begin(1, network)
    found = ewc.losses(step_of(network, batch()))
    assert found["ewc"] == 0
    assert all((one == 0).all() for one in gradients(found, network).values())
    state = ewc.state()
    assert any(one.abs().max() > 0 for one in state["fisher"].values())
    assert state["fisher"].keys() == dict(network.named_parameters()).keys()
    moved(network)
    pulled = gradients(ewc.losses(step_of(network, batch())), network)
    for name, one in network.named_parameters():
        expected = 10 * state["fisher"][name] * (one.detach() - state["weights"][name])
        torch.testing.assert_close(pulled[name], expected)


@pytest.mark.parametrize("decay", [1.0, 0.25, 0.0])
def test_information_of_earlier_tasks_decays_and_the_last_weights_are_kept(decay):
    network, ewc = small_network(), strategy(decay=decay)
    ewc.end(learned(network, [labelled(0)]))
    first = ewc.state()
    moved(network)
    alone = strategy()
    alone.end(learned(network, [labelled(1)], 1))
    ewc.end(learned(network, [labelled(1)], 1))
    for name, one in network.named_parameters():
        expected = alone.state()["fisher"][name] + decay * first["fisher"][name]
        torch.testing.assert_close(ewc.state()["fisher"][name], expected)
        assert torch.equal(ewc.state()["weights"][name], one)


def test_what_is_remembered_survives_a_file_bit_for_bit(tmp_path):
    network, ewc = small_network(), strategy()
    ewc.end(learned(network, [labelled(0)]))
    torch.save(ewc.state(), tmp_path / "state.pt")
    again = strategy()
    again.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    again.begin(1, network)
    step = step_of(moved(network), batch())
    assert torch.equal(ewc.losses(step)["ewc"], again.losses(step)["ewc"])
    assert ewc.losses(step)["ewc"] > 0


def test_without_weight_nothing_is_computed_remembered_or_added():
    network, ewc = small_network(), strategy(weight=0)
    ewc.end(learned(network, iter(lambda: pytest.fail("a sample was asked for"), None)))
    assert ewc.losses(step_of(moved(network), batch())) == {}
    assert ewc.state() == {"fisher": {}, "weights": {}}


def test_weights_of_another_network_are_refused():
    ewc = strategy()
    ewc.restore({"fisher": {"strange": torch.ones(1)}, "weights": {"strange": torch.ones(1)}})
    with pytest.raises(ValueError, match="the weight strange of another network"):
        ewc.begin(1, small_network())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": -1}, r"ewc\.weight is -1, expected 0 or more"),
        ({"samples": 0}, r"ewc\.samples is 0, expected 1 or more"),
        ({"decay": 1.5}, r"ewc\.decay is 1\.5, expected 0 to 1"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        strategy(**values)
