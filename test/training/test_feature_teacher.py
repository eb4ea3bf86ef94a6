# SPDX-License-Identifier: Apache-2.0
"""Features of a larger encoder: a student that has them pays nothing, another one learns."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

import timm
from labelled_set import write_set
from smallest import ENCODER

from shared_encoder_perception.layers.encoder import STRIDES
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.feature_teacher import FeatureTeacher
from shared_encoder_perception.training.record import read_metrics
from shared_encoder_perception.training.train import train

SIZE = (64, 160)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "teacher.pth"
    torch.save(timm.create_model(ENCODER).state_dict(), path)
    return path


def images():
    torch.manual_seed(1)
    return torch.randint(0, 256, (4, *SIZE, 3), dtype=torch.uint8)


@pytest.fixture
def teacher(weights):
    channels = [32, 48, 192, 96]
    return FeatureTeacher(ENCODER, str(weights), channels)


def test_a_student_with_the_teachers_features_has_nothing_to_learn(teacher):
    (hidden,) = teacher._hidden
    features = hidden(images(), SIZE)
    assert [tuple(one.shape[-2:]) for one in features] == [(64 // s, 160 // s) for s in STRIDES]
    with torch.no_grad():
        for joint, one in zip(teacher.joints, features, strict=True):
            deviation, mean = torch.std_mean(one, dim=(0, 2, 3))
            joint.weight.copy_(torch.diag(1 / (deviation + 1e-6))[:, :, None, None])
            joint.bias.copy_(-mean / (deviation + 1e-6))
    assert teacher(features, images(), SIZE).item() < 1e-6
    others = [torch.randn_like(one) for one in features]
    assert teacher(others, images(), SIZE).item() > 0.1


def test_the_teacher_is_neither_trained_nor_saved(teacher):
    assert all(name.startswith("joints.") for name, _ in teacher.named_parameters())
    assert not any("features" in name for name in teacher.state_dict())


def test_a_run_is_taught_and_its_network_keeps_nothing_of_it(weights, tmp_path):
    data = write_set(tmp_path / "data", 8)
    keys = [
        *(f"network.encoder={ENCODER}", "network.channels=16", "network.head_channels=8"),
        *("machine.precision=32-true", "machine.accelerator=cpu", "machine.workers=0"),
        f"data.train=[{{path: {data}}}]",
        f"data.val=[{{path: {data}}}]",
        "stages=[{size: [64, 160], steps: 31, batch_size: 4, learning_rate: 5.0e-3}]",
        *(f"out={tmp_path / 'run'}", "validate_every=0", "distill.features=5"),
        *(f"distill.encoder={ENCODER}", f"distill.encoder_weights={weights}"),
    ]
    path = train(load_config(None, keys))
    rows = [row["train/distill_features"] for row in read_metrics(tmp_path / "run", "train")]
    assert len(rows) > 1 and rows[-1] < rows[0]
    assert not any("joints" in name for name in torch.load(path, weights_only=True)["weights"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["distill.encoder=test_resnet"], "belong together"),
        (["distill.encoder_weights=w.pth"], "belong together"),
        (["distill.features=-1"], r"distill\.features is -1"),
        (
            [
                *("distill.encoder=test_resnet", "distill.encoder_weights=w.pth"),
                "loss.weighting=pcgrad",
            ],
            "no place for a teacher's",
        ),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        load_config(None, ["data.train=[{path: synthetic}]", *keys])
