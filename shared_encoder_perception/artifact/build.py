# SPDX-License-Identifier: Apache-2.0
"""Build an engine ahead of time, so that the first start on a vehicle does not wait for it.

    python -m shared_encoder_perception build --backend tensorrt --precision fp16 --cache ENGINES

The node then finds it in its parameter ``backend.cache``; the node itself does the same with
``backend.build_only``.
"""

from __future__ import annotations

import argparse

from shared_encoder_perception.backends.options import add_engine_options, load_engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Load once, which builds what is not there yet."""
    backend = load_engine(args)
    info = backend.info
    print(f"ready: {info.name} {info.version}, {info.device}, {info.precision}, {info.source}")
    backend.close()
    return 0
