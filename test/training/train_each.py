# SPDX-License-Identifier: Apache-2.0
"""``CONFIG:OUT`` ...: trains each config in the processes it is started in, one after the other.

Processes take longer to import what training needs than the tests' runs take to train.
"""

import sys

from shared_encoder_perception.__main__ import main

for run in sys.argv[1:]:
    config, out = run.split(":")
    if status := main(["train", config, f"out={out}", "machine.strategy=ddp"]):
        sys.exit(status)
