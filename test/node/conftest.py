# SPDX-License-Identifier: Apache-2.0
"""Nodes that several files ask something of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def active(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """An active node in this process that serves, its peer, its model file and its namespace."""
    import ros_harness as ros
    from local_node import local_node
    from tiny_model import random_image, write_tiny_model

    model, namespace = write_tiny_model(tmp_path / "tiny.onnx"), ros.new_namespace()
    with local_node(model, namespace) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            peer.settle(ros.image_message(random_image(0), 0))
            yield SimpleNamespace(local=local, peer=peer, model=model, namespace=namespace)
