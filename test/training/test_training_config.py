# SPDX-License-Identifier: Apache-2.0
"""Configs: defaults, files, overrides, and messages for every mistake."""

import pickle
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception import tasks
from shared_encoder_perception.tasks import DEFAULT
from shared_encoder_perception.training.config import (
    ConfigError,
    TrainConfig,
    load_config,
    save_config,
)

SHIPPED = sorted((Path(__file__).parents[2] / "config" / "training").glob("*.yaml"))
SHIPPED = [path for path in SHIPPED if not path.name.startswith("continual_")]
"""Those of sequences are another type's."""


def test_no_file_is_the_default():
    assert load_config(None) == TrainConfig()


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_configs_are_valid(path):
    assert load_config(path).stages


def test_overrides_reach_into_lists():
    config = load_config(
        None, ["stages.0.steps=7", "stages.1.size=[64,96]", "network.encoder=resnet18", "ema=0"]
    )
    assert (config.stages[0].steps, tuple(config.stages[1].size)) == (7, (64, 96))
    assert (config.network.encoder, config.ema) == ("resnet18", 0)


def test_saved_and_read_again_is_the_same(tmp_path):
    config = load_config(None, ["stages.0.steps=7", "data.train.0.sources=[a,b]", "seed=3"])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("network.encodr=x", r"encodr.*Did you mean.*'encoder'.*network\.encodr"),
        ("data.train.0.pth=x", r"pth.*Did you mean: 'path'"),
        ("stages.0.steps=many", r"'many'.*Integer.*stages\[0\]\.steps"),
        ("optimizer=sgd", r"optimizer is 'sgd', expected one of .*muon"),
        ("loss.weighting=gradnrm", r"'gradnrm', expected one of .*gradnorm"),
        ("loss.mask_region=iou", r"loss\.mask_region is 'iou'.*lovasz"),
        ("loss.mask_regoin=dice", r"mask_regoin.*Did you mean.*'mask_region'"),
        ("loss.split_heat=0", r"loss\.split_heat is 0\.0, not > 0"),
        ("distill.haet=1", r"haet.*Did you mean: 'heat'"),
        ("network.tasks=[lane]", r"network\.tasks: there is no task 'lane'; did you mean 'lanes'"),
        ("network.tasks=[]", r"network\.tasks is \[\], expected"),
        ("stages.0.size=[300,800]", r"300x800.*use 288x800"),
        ("data.train.0.weight=0", r"weight of synthetic is 0"),
        ("data.val.0.count=0", r"worlds have no end"),
        ("data.train.0.fold=test", r"fold is 'test', expected one of .*held_out"),
        ("data.train.0.split_probability=2", r"split_probability is 2.0, expected 0 to 1"),
        ("data.train.0.traffic_probability=-1", r"traffic_probability is -1.0, expected 0 to 1"),
        ("ema=1", r"ema is 1"),
        ("steps", r"'steps' is no key=value"),
        ("seed=[", r"config: "),
    ],
)
def test_mistakes_are_named(override, message):
    with pytest.raises(ValueError, match=message):
        load_config(None, [override])


def test_the_tasks_of_a_network_are_chosen():
    assert load_config(None).network.tasks == list(DEFAULT)
    assert load_config(None, [f"network.tasks=[{DEFAULT[1]}]"]).network.tasks == [DEFAULT[1]]


def test_keys_of_rooms_travel_between_processes_and_stay_equal():
    config = load_config(None, ["loss.split_heat=2", "distill.vectors=0.1"])
    assert pickle.loads(pickle.dumps(config)) == config
    assert config != load_config(None)
    assert (config.loss.split_heat, config.distill.vectors) == (2.0, 0.1)


def test_two_rooms_cannot_have_the_same_key(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, "again", tasks.ROOMS[DEFAULT[0]])
    with pytest.raises(ValueError, match=r"two rooms have a key .* in Config of their loss\.py"):
        load_config(None)


def test_scaled_gradients_and_gradient_comparison_do_not_mix():
    with pytest.raises(ConfigError, match="bf16-mixed"):
        load_config(None, ["loss.weighting=pcgrad", "machine.precision=16-mixed"])


def test_faults_of_a_file_name_it(tmp_path):
    path = tmp_path / "mine.yaml"
    with pytest.raises(ConfigError, match=r"no config .*mine\.yaml"):
        load_config(path)
    path.write_text("network: {encodr: x}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: .*Did you mean.*'encoder'"):
        load_config(path)
    path.write_text("- a\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: expected keys"):
        load_config(path)
