# SPDX-License-Identifier: Apache-2.0
"""No command waits for ever for what is no file."""

import os
import socket

import pytest

from shared_encoder_perception.__main__ import main

COMMANDS = [
    ["predict", "--input", "PIPE.mp4", "--out", "OUT"],
    ["predict", "--input", "PIPE.mcap", "--out", "OUT"],
    ["predict", "--input", "PIPE.jsonl", "--out", "OUT"],
    ["build", "--model", "PIPE.onnx"],
    ["dataset", "validate", "PIPE.jsonl"],
    ["evaluate", "--labels", "PIPE.jsonl", "--out", "OUT"],
    ["compare", "--input", "PIPE.jsonl", "--tolerances", "PIPE.yaml"],
]


@pytest.mark.parametrize("kind", ["named pipe", "socket"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:3]))
def test_a_command_does_not_hang_on_it(tmp_path, capsys, command, kind):
    names = {word for word in command if word.startswith("PIPE")}
    for name in names:
        path = tmp_path / name
        if kind == "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
        else:
            os.mkfifo(path)
    words = [str(tmp_path / word) if word in {*names, "OUT"} else word for word in command]
    assert main(words) == 2
    assert f"it is a {kind}, expected a file" in capsys.readouterr().err


def test_training_does_not_hang_on_it(tmp_path, capsys):
    pytest.importorskip("torch", reason="the offline side needs torch: make test")
    os.mkfifo(tmp_path / "config.yaml")
    assert main(["train", str(tmp_path / "config.yaml"), "--show"]) == 2
    assert "config.yaml: it is a named pipe" in capsys.readouterr().err
