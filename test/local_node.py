# SPDX-License-Identifier: Apache-2.0
"""The node inside the test's process, with a backend that misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import ros_harness as ros
from rclpy.parameter import Parameter

from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.node.perception_node import PerceptionNode


class FakeBackend:
    """Wraps a real backend and misbehaves on demand."""

    def __init__(self, backend: Any) -> None:
        """Behave well at first."""
        self._backend = backend
        self.spec, self.info = backend.spec, backend.info
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = False

    def infer(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Wait for the gate, fail if told to, then work."""
        self.entered.set()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        return self._backend.infer(inputs)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
        self._backend.close()


class Local:
    """A node in this process with a fake backend."""

    def __init__(self, model: Path, namespace: str, **values: Any) -> None:
        """Create the node in a context of its own; nothing is started."""
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=ros.DOMAIN_ID)
        self.backends: list[FakeBackend] = []
        values = {"model.path": str(model), **values}
        self.node = PerceptionNode(
            self._load,
            context=self.context,
            namespace=namespace,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )

    def _load(self, model: str, name: str, options: BackendOptions, sha256: str) -> FakeBackend:
        self.backends.append(FakeBackend(load_backend(model, name, options, sha256)))
        return self.backends[-1]

    def close(self) -> None:
        """Open all gates and end the node."""
        for backend in self.backends:
            backend.gate.set()
        self.node.stop()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@contextmanager
def local_node(model: Path, namespace: str | None = None, **values: Any) -> Iterator[Local]:
    """Open a local node and close it in any case."""
    local = Local(model, namespace or ros.new_namespace(), **values)
    try:
        yield local
    finally:
        local.close()


def inference_threads() -> list[threading.Thread]:
    """Return the inference threads that run in this process."""
    return [thread for thread in threading.enumerate() if thread.name == "inference"]
