# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of somebody else: numbers are taken from them, programs are not run."""

import os
from dataclasses import asdict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import write_set
from smallest import ENCODER

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import ArtifactError
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.model.checkpoint import FORMAT, CheckpointError, load_network
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.config import load_config, save_config

SMALL = NetworkConfig(ENCODER, channels=16, head_channels=8)


class Program:
    """Runs when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def good():
    network = PerceptionNetwork(SMALL)
    return {
        "format": FORMAT,
        "config": asdict(SMALL),
        "weights": network.state_dict(),
        "spec": "",
    }


def test_the_good_one_is_read(good, tmp_path):
    torch.save(good, tmp_path / "network.pt")
    assert load_network(tmp_path / "network.pt").config == SMALL


@pytest.mark.parametrize("old_format", [False, True])
def test_a_program_in_a_network_is_not_run(good, tmp_path, old_format):
    path, mark = tmp_path / "network.pt", tmp_path / "ran"
    torch.save({**good, "more": Program(mark)}, path, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(CheckpointError, match=r"network.pt: it is damaged, or holds more than ten"):
        load_network(path)
    with pytest.raises(ArtifactError, match="could run a program"):
        load_backend(path, "torch")
    assert not mark.exists()


def test_a_program_in_a_run_that_is_gone_on_with_is_not_run(tmp_path, capsys):
    data, out, mark = write_set(tmp_path / "data", 8), tmp_path / "run", tmp_path / "ran"
    small = [
        f"network.encoder={ENCODER}",
        "network.channels=16",
        "network.head_channels=8",
        "machine.precision=32-true",
    ]
    small += ["machine.accelerator=cpu", "machine.workers=0", f"out={out}"]
    small += ["stages=[{size: [64, 160], steps: 2, learning_rate: 2.0e-3, batch_size: 4}]"]
    small += [f"data.train=[{{path: {data}}}]", f"data.val=[{{path: {data}}}]"]
    (out / "stage0").mkdir(parents=True)
    save_config(load_config(None, small), out / "config.yaml")
    torch.save({"state_dict": {}, "callbacks": Program(mark)}, out / "stage0" / "step.ckpt")
    (out / "stage0" / "last.ckpt").symlink_to("step.ckpt")
    (tmp_path / "empty.yaml").write_text("{}\n")
    assert main(["train", str(tmp_path / "empty.yaml"), *small]) == 2
    assert "last.ckpt: it is damaged, or holds more" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "hf-hub:somebody/model"}, "encoder is 'hf-hub:somebody/model', expected a na"),
        ({"encoder": "local-dir:/tmp/x"}, "expected a name that timm has"),
        ({"encoder": "../x"}, "expected a name that timm has"),
        ({"encoder": 5}, "encoder is 5, expected text"),
        ({"encoder": "no_such_net"}, "cannot be used"),
        ({"channels": 2**40}, "channels is 1099511627776, expected 1 to 8192"),
        ({"channels": "16"}, "channels is '16', expected a whole number"),
        ({"channels": True}, "channels is True, expected a whole number"),
        ({"attention": "no"}, "attention is 'no', expected true or false"),
        ({"encoder_scale": float("nan")}, "encoder_scale is nan, expected a finite number"),
        ({"tasks": "lanes"}, "tasks is 'lanes', expected a list"),
        ({"tasks": [5]}, r"tasks\[0\] is 5, expected text"),
        ({"wings": 2}, "unknown key 'wings'"),
        (None, "the configuration is None, expected an object"),
    ],
)
def test_a_configuration_that_no_network_has_is_named(good, tmp_path, change, message):
    changed = None if change is None else {**good["config"], **change}
    torch.save({**good, "config": changed}, tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match=message):
        load_network(tmp_path / "network.pt")


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: None,
        lambda weights: [1, 2],
        lambda weights: {},
        lambda weights: dict.fromkeys(weights, 1.0),
        lambda weights: {name: value.double().reshape(-1) for name, value in weights.items()},
        lambda weights: {5: next(iter(weights.values()))},
    ],
)
def test_weights_that_do_not_fit_are_said_in_one_line(good, tmp_path, change):
    torch.save({**good, "weights": change(good["weights"])}, tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match=r"network\.pt cannot be used: ") as caught:
        load_network(tmp_path / "network.pt")
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match="it is a named pipe, expected a file"):
        load_network(tmp_path / "network.pt")
