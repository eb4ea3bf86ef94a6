# SPDX-License-Identifier: Apache-2.0
"""Losses without labels: nothing where nothing differs, and exact when interrupted."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from batches import batch_of
from continual_steps import config, gradients, moved
from labelled_set import write_set
from smallest import ENCODER
from unlabelled_pictures import SIZE, cut_out, texture, write_frames

from shared_encoder_perception.continual.strategies.contract import Step
from shared_encoder_perception.continual.supervision.config import SupervisionConfig
from shared_encoder_perception.continual.supervision.supervision import (
    Supervision,
    as_used,
    make_supervision,
)
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.augment import AugmentConfig
from shared_encoder_perception.training.config import ConfigError, StageConfig, TrainConfig
from shared_encoder_perception.training.look import EFFECTS

NAMES = ["drivable_surface", "semantic", "depth"]
NETWORK = NetworkConfig(encoder=ENCODER, channels=8, head_channels=8, tasks=NAMES)
PLAIN = AugmentConfig(**dict.fromkeys(EFFECTS, 0.0))


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = PerceptionNetwork(NETWORK)
    with torch.no_grad():
        made.train()(torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8))
    return moved(made, by=0.1)


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Frames in which nothing moves."""
    folder = tmp_path_factory.mktemp("still") / "frames"
    return write_frames(folder, [texture()] * 4)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Frames of a camera that goes to the right."""
    whole = texture(margin=16)
    pictures = [cut_out(whole, 4 + 3 * number, 16) for number in range(6)]
    return write_frames(tmp_path_factory.mktemp("video") / "frames", pictures)


def configured(*paths, tasks=NAMES, look=PLAIN, **settings):
    """Return the config of one task with these pictures."""
    train = TrainConfig(
        network=replace(NETWORK, tasks=list(tasks)), augment=look, stages=[StageConfig(SIZE, 4)]
    )
    found = config(train=train)
    task = replace(found.tasks[0], unlabelled=list(paths))
    return replace(found, tasks=[task], supervision=SupervisionConfig(**settings))


def begun(network, *paths, **settings):
    """Return supervision of the first task."""
    found = Supervision(configured(*paths, **settings))
    found.begin(0, network)
    return found


def step_of(network):
    """Return a step; what is labelled is of no interest here."""
    return Step(network, batch_of({}, size=SIZE), {}, [])


def values(losses):
    return {name: value.item() for name, value in losses.items()}


def test_what_does_not_move_costs_nothing_in_time(network, still):
    losses = begun(network, still, temporal=1.0, depth=1.0).losses(step_of(network))
    assert set(losses) == {f"temporal_{name}" for name in NAMES}
    assert max(values(losses).values()) < 1e-5


def test_what_moves_costs_as_the_answers_do_not_move_with_it(network, video):
    losses = values(begun(network, video, temporal=1.0, depth=1.0).losses(step_of(network)))
    assert min(losses.values()) > 1e-5
    twice = values(begun(network, video, temporal=2.0, depth=3.0).losses(step_of(network)))
    for name, value in losses.items():
        factor = 3 if name == "temporal_depth" else 2
        assert twice[name] == pytest.approx(factor * value, rel=1e-5)


def test_the_earlier_frame_and_the_teacher_learn_nothing(network, video):
    found = begun(network, video, temporal=1.0, cross=1.0, pseudo=1.0)
    losses = found.losses(step_of(network))
    assert {name.split("_")[0] for name in losses} == {"temporal", "cross", "pseudo"}
    assert any(one.abs().max() > 0 for one in gradients(losses, network).values())
    teacher = found.progress()["teacher"]
    assert all(not value.requires_grad for value in teacher.values())


@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_what_looks_the_same_costs_nothing_but_for_mirror_images(network, still, scale):
    """A picture that was neither mirrored nor enlarged is the plain one; others are not."""
    found = begun(network, still, cross=1.0, decay=0.0, scale=scale, batch=1)
    losses = [sum(values(found.losses(step_of(network))).values()) for _ in range(12)]
    if scale == 1.0:
        assert 0 < sum(value < 1e-5 for value in losses) < 12
    else:
        assert min(losses) > 1e-5


def test_without_memory_the_teacher_is_the_student(network, still):
    found = begun(network, still, cross=1.0, decay=0.0)
    for seed in range(2):
        moved(network, seed=seed)
        found.losses(step_of(network))
        own = network.state_dict()
        assert all(torch.equal(own[name], one) for name, one in found.progress()["teacher"].items())


def test_the_teacher_goes_its_share_of_the_way_to_the_student(network, still):
    before = {name: one.clone() for name, one in network.state_dict().items()}
    found = begun(network, still, pseudo=1.0, decay=0.75)
    moved(network)
    found.losses(step_of(network))
    for name, one in found.progress()["teacher"].items():
        after = network.state_dict()[name]
        if one.is_floating_point():
            torch.testing.assert_close(one, 0.75 * before[name] + 0.25 * after)


def test_norms_learn_nothing_from_what_is_not_labelled_and_layers_keep_their_mode(network, video):
    network.encoder.eval()
    was = [module.training for module in network.modules()]
    before = {name: one.clone() for name, one in network.named_buffers()}
    begun(network, video, temporal=1.0, cross=1.0, pseudo=1.0).losses(step_of(network))
    assert [module.training for module in network.modules()] == was
    assert all(torch.equal(one, before[name]) for name, one in network.named_buffers())
    with as_used(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == was


def test_steps_are_the_same_again_and_go_on_as_if_not_interrupted(network, video):
    settings = {"temporal": 1.0, "cross": 1.0, "pseudo": 1.0, "look": AugmentConfig()}
    whole, broken = (begun(network, video, **settings) for _ in range(2))
    seen = []
    for seed in range(3):
        moved(network, by=0.02, seed=seed)
        seen.append([values(each.losses(step_of(network))) for each in (whole, broken)])
        assert seen[-1][0] == seen[-1][1]
    assert seen[0][0] != seen[1][0]
    again = begun(network, video, **settings)
    again.resume(broken.progress())
    moved(network, by=0.02, seed=3)
    assert values(again.losses(step_of(network))) == values(whole.losses(step_of(network)))
    forgetful = begun(network, video, **settings)
    forgetful.resume({**broken.progress(), "teacher": network.state_dict()})
    assert values(forgetful.losses(step_of(network))) != values(broken.losses(step_of(network)))


def test_without_weights_nothing_is_opened(network):
    config = configured("/there/is/no/such/folder")
    assert make_supervision(config) == {}
    found = Supervision(config)
    found.begin(0, network)
    assert found.losses(step_of(network)) == {} and found.data == []


def test_a_task_without_unlabelled_pictures_has_no_losses(network, video):
    config = configured(video, temporal=1.0)
    config = replace(
        config,
        tasks=[
            *config.tasks,
            replace(
                config.tasks[0],
                name="b",
                tests=[replace(config.tasks[0].tests[0], name="b")],
                unlabelled=[],
            ),
        ],
    )
    found = Supervision(config)
    found.begin(0, network)
    assert found.losses(step_of(network)) and found.data[0]["pairs"] == 5
    found.begin(1, network)
    assert found.losses(step_of(network)) == {}
    assert found.state() == {}


def test_a_native_set_has_pictures_and_no_pairs_where_they_show_different_roads(network, tmp_path):
    folder = write_set(tmp_path / "set", 3)
    found = begun(network, str(folder), cross=1.0)
    assert found.data == [{"path": str(folder), "frames": 3}]
    assert found.losses(step_of(network))
    pictures = [texture(seed=seed) for seed in range(3)]
    cuts = write_frames(tmp_path / "cuts", pictures)
    with pytest.raises(ValueError, match="no two frames, 1 apart, show the same things"):
        begun(network, cuts, temporal=1.0)


def test_of_long_videos_a_part_is_used_that_is_spread_over_them(network, tmp_path):
    pictures = [np.full((*SIZE, 3), 10 * number, np.uint8) for number in range(12)]
    folder = write_frames(tmp_path / "long", pictures)
    found = begun(network, folder, cross=1.0, frames=4, batch=4)
    drawn = found._frames.draw((0,), 0, 4)
    assert sorted(drawn.now[:, 0, 0, 0].tolist()) == [0, 30, 60, 90]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temporal": -1.0}, r"supervision\.temporal is -1\.0, expected 0 or more"),
        ({"cross": 1.0, "decay": 2.0}, r"supervision\.decay is 2\.0, expected 0 to 1"),
        ({"pseudo": 1.0, "confidence": 0.5}, r"confidence is 0\.5, expected above 0\.5 to 1"),
        ({"batch": 0}, r"supervision\.batch is 0, expected 1 or more"),
    ],
)
def test_what_cannot_work_is_refused_with_the_config(settings, message):
    with pytest.raises(ConfigError, match=message):
        configured("drive.mp4", **settings)


def test_weights_without_pictures_are_refused():
    with pytest.raises(
        ConfigError, match=r"supervision\.cross is 1\.0, and no task has unlabelled"
    ):
        configured(cross=1.0)


def test_what_no_task_of_the_network_can_do_is_refused():
    with pytest.raises(ValueError, match=r"supervision\.depth has nothing to ask of semantic"):
        Supervision(configured("drive.mp4", tasks=["semantic"], depth=1.0))
    with pytest.raises(ValueError, match=r"supervision\.cross has nothing to ask of lanes"):
        Supervision(configured("drive.mp4", tasks=["lanes"], cross=1.0))
    with pytest.raises(ValueError, match="foreground takes background beside the image"):
        Supervision(configured("drive.mp4", tasks=["foreground", "semantic"], cross=1.0))


def test_a_path_with_nothing_is_one_clear_line(network, tmp_path):
    with pytest.raises(ValueError, match=r"there is no .*nowhere"):
        begun(network, str(tmp_path / "nowhere"), cross=1.0)
