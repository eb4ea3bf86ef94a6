# SPDX-License-Identifier: Apache-2.0
"""OpenVINO and signals: a process outlives both, in whatever order models come and go."""

import subprocess
import sys

import pytest
from tiny_model import write_tiny_model

pytest.importorskip("openvino", reason="openvino is not installed")

SWAP = """
import gc, os, signal, sys
import numpy as np
from shared_encoder_perception.backends import load_backend

heard = []
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
first = load_backend(sys.argv[1], "openvino")
second = load_backend(sys.argv[1], "openvino")  # as a reload does: the new one before the old goes
del first
gc.collect()
del second
gc.collect()
others = [np.zeros(size, np.uint8) for size in (20_144, 32_768) for _ in range(500)]
for _ in range(3):
    os.kill(os.getpid(), signal.SIGTERM)
assert not any(map(np.any, others)), "a signal wrote over our memory"
print(len(heard))
"""


def test_a_signal_after_a_reload_and_a_clean_up_is_heard(tmp_path):
    model = write_tiny_model(tmp_path / "tiny.onnx")
    command = [sys.executable, "-c", SWAP, str(model)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "3\n"), ended.stderr
