# SPDX-License-Identifier: Apache-2.0
"""Latents: which are kept and drawn, and that a network goes on behind them as behind pictures."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from sequences import sequence, write_sequence
from smallest import ENCODER

from shared_encoder_perception.continual.config import training_of
from shared_encoder_perception.continual.data import TaskSets
from shared_encoder_perception.continual.memory.entries import Entry
from shared_encoder_perception.continual.memory.latents import LatentMemory, Latents, halved
from shared_encoder_perception.continual.memory.memory import Memory
from shared_encoder_perception.continual.sequence import OwnBatches
from shared_encoder_perception.continual.strategies.contract import Learned
from shared_encoder_perception.continual.strategies.from_features import answer, read_levels
from shared_encoder_perception.continual.strategies.latent_replay import LatentReplay
from shared_encoder_perception.labels.view import view_sample
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.data import fit, training_stream
from shared_encoder_perception.training.frozen import freeze
from shared_encoder_perception.training.losses import Criterion

TASKS = ("drivable_surface",)
SIZE = (64, 96)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_sequence(tmp_path_factory.mktemp("latents"))


def configured(path, *overrides):
    words = ("strategy=latent_replay", "memory.size=3", *overrides)
    return sequence(path, *words)


def small(**values):
    """A network in inference mode, its batch norms' statistics those of some noise."""
    torch.manual_seed(0)
    values = {"encoder": ENCODER, "channels": 8, "head_channels": 8, "tasks": list(TASKS), **values}
    network = PerceptionNetwork(NetworkConfig(**values)).train()
    with torch.no_grad():
        network(noise(4))
    return network.eval()


def noise(count):
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, *SIZE, 3), dtype=torch.uint8, generator=generator)


def after_the_first_task(config, network):
    """The strategy as the second task begins, with what is then drawn from."""
    memory, latents = Memory(config, TaskSets(config)), LatentReplay(config)
    order = memory.order(0)
    latents.begin(0, network)
    latents.training(training_of(config, 0), 0, order)
    losses = Criterion(network.config.tasks, config.train.loss)
    learned = Learned(0, network, OwnBatches(config, 0, order), losses)
    memory.learn(order, learned)
    latents.end(replace(learned, remembered=memory.entries))
    latents.begin(1, network)
    return latents, memory.order(1)


def second_task(config, latents, order, step):
    """The task's own batch of a step."""
    training = latents.training(training_of(config, 1), 1, order)
    stream = training_stream(training, 1, order.own.sets, step, order=order.own)
    return next(iter(stream))


def picture(config, order, position):
    """What replay would show at a position, were it not augmented."""
    chosen, index, _ = order.draw(position)
    sample, crop, _ = order.sets[chosen][index]
    return torch.from_numpy(view_sample(sample, fit(sample, config.stage.picture, crop)).image)


@pytest.mark.parametrize("cut", [4, 8, 16])
def test_a_step_answers_remembered_pictures_up_to_the_rounding_and_its_own_to_the_bit(path, cut):
    """Those that replay shows at this step, in their places: before the task's own."""
    config, network = configured(path, f"latent.cut={cut}"), small()
    latents, order = after_the_first_task(config, network)
    for step in (2, 0):
        own = second_task(config, latents, order, step)
        assert (order.from_memory, len(own.images)) == (2, 2)
        first = step * order.batch_size
        before = torch.stack([picture(config, order, first + at) for at in range(2)])
        with torch.no_grad():
            found, batch = latents.answered(network, own, TASKS, step)
            whole = network(torch.cat((before, own.images)), SIZE)
        for name, said in whole.items():
            assert (found[name] - said).abs().max() < 5e-3 * said.abs().max()
            assert torch.equal(found[name][2:], said[2:])
            assert not torch.equal(said[0], said[2])
        assert all(len(target) == 4 for target in batch.targets[TASKS[0]].values())
        for name, target in own.targets[TASKS[0]].items():
            assert torch.equal(batch.targets[TASKS[0]][name][2:], target)


def test_the_tasks_own_part_is_what_replay_sees_beside_its_memory(path):
    """Augmented as there: the same picture of the same draw."""
    config = configured(path, "latent.cut=8")
    latents, order = after_the_first_task(config, small())
    own = second_task(config, latents, order, 1)
    whole = next(iter(training_stream(training_of(config, 1), 1, order.sets, 1, order=order)))
    assert torch.equal(whole.images[order.from_memory :], own.images)


def test_losses_reach_the_rest_and_not_the_front(path):
    config, network = configured(path, "latent.cut=8"), small()
    latents, order = after_the_first_task(config, network)
    freeze(network.train().encoder, 8)
    found, batch = latents.answered(network, second_task(config, latents, order, 0), TASKS, 0)
    Criterion(TASKS, config.train.loss)(found, batch)["total"].backward()
    moved = {name for name, one in network.named_parameters() if one.grad is not None}
    assert moved == {name for name, one in network.named_parameters() if one.requires_grad}
    assert not any(name.startswith("encoder.features.layer1") for name in moved)
    assert any(name.startswith("encoder.features.layer3") for name in moved)


def test_what_was_kept_is_what_was_taken_back(path):
    config, network = configured(path, "latent.cut=8"), small()
    latents, order = after_the_first_task(config, network)
    other = LatentReplay(config)
    other.restore(latents.state())
    other.begin(1, network)
    own, _ = (second_task(config, each, order, 1) for each in (latents, other))
    with torch.no_grad():
        one, two = (each.answered(network, own, TASKS, 1)[0] for each in (latents, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_latents_of_other_samples_than_the_memorys_are_refused(path):
    config = configured(path, "latent.cut=8")
    _, order = after_the_first_task(config, small())
    with pytest.raises(ValueError, match="latents are of other samples"):
        LatentReplay(config).training(training_of(config, 1), 1, order)


def made(entries):
    """Latents that say which sample they are of."""
    level = torch.tensor([[[[entry.task, entry.sample]]] for entry in entries]).half()
    return Latents({8: level}, {"task": {"number": level[:, 0, 0, 1]}})


def test_what_is_no_longer_chosen_is_forgotten_and_the_rest_stays_in_its_row():
    memory = LatentMemory()
    first = [Entry(0, 0, sample, 0.5) for sample in (1, 4, 7)]
    memory.keep(first, 0, made)
    second = [first[0], first[2], Entry(1, 0, 2, 0.1), Entry(1, 0, 4, 0.2)]
    memory.keep(second, 1, made)
    rows = [(entry.task, entry.sample) for entry in memory.entries]
    assert rows == [(0, 1), (0, 7), (1, 2), (1, 4)]
    assert memory.latents.levels[8].flatten(1).tolist() == [list(row) for row in rows]
    assert memory.latents.targets["task"]["number"].tolist() == [1, 7, 2, 4]
    memory.keep([second[3]], 2, made)
    assert memory.latents.levels[8].flatten().tolist() == [1, 4]


def test_a_memory_that_lost_a_row_is_refused():
    memory = LatentMemory()
    memory.keep([Entry(0, 0, sample, 0.5) for sample in (1, 4)], 0, made)
    state = memory.state()
    state["levels"][8] = state["levels"][8][:1]
    with pytest.raises(ValueError, match=r"a memory of 2 samples holds latents of \[1, 2\]"):
        LatentMemory().restore(state)


def test_numbers_beyond_a_half_are_refused():
    assert halved(torch.tensor([65504.0, -65504.0])).dtype == torch.float16
    with pytest.raises(ValueError, match=r"float16, and the encoder says 7e\+04"):
        halved(torch.tensor([7e4]))


def test_a_network_begins_at_its_features_as_it_goes_on_behind_a_picture():
    network, images = small(attention=True), noise(2)
    with torch.no_grad():
        found = answer(network, network.encoder(images, SIZE), SIZE, TASKS)
        expected = network(images)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize(
    ("architecture", "task", "cut", "strides"),
    [
        ("fast_scnn", "drivable_surface", 8, (8,)),
        ("fast_scnn", "drivable_surface", 16, (8, 16)),
        ("unet", "drivable_surface", 8, (4, 8)),
        ("shared_fpn", "drivable_surface", 8, (4, 8)),  # its head reads the finest one itself
        ("shared_fpn", "lanes", 8, (8,)),
        ("light_fpn", "lanes", 16, (4, 8, 16)),
    ],
)
def test_only_levels_that_are_read_are_kept(architecture, task, cut, strides):
    assert read_levels(small(architecture=architecture, tasks=[task]), cut) == strides


def test_a_task_that_reads_the_picture_is_refused(path):
    config = configured(path, "train.network.tasks=[drivable_surface, foreground]", "latent.cut=8")
    with pytest.raises(ValueError, match=r"^foreground reads the picture .*leave the task"):
        LatentReplay(config)


def test_what_cannot_be_cut_is_refused(path):
    with pytest.raises(ValueError, match=r"latent\.cut is 32, expected .*\(4, 8, 16\), or 0"):
        LatentReplay(configured(path, "latent.cut=32"))
    with pytest.raises(ValueError, match="HighResolutionNetFeatures, cannot be cut in two"):
        LatentReplay(configured(path, "train.network.encoder=hrnet_w18_small"))
    for taught in ("{teacher: old.onnx}", "{encoder: resnet18, encoder_weights: weights.pt}"):
        with pytest.raises(ValueError, match=r"train\.distill\.\w+ is shown the pictures"):
            LatentReplay(configured(path, f"train.distill={taught}"))


def test_cut_at_the_input_nothing_is_asked_and_nothing_remembered(path):
    latents = LatentReplay(configured(path, "train.network.tasks=[foreground]", "latent.cut=0"))
    assert latents.state() == {} and not latents.memory.entries
