# SPDX-License-Identifier: Apache-2.0
"""The Ray cluster that bags are replayed on: ours on this machine, or somebody's elsewhere."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.backends.hardware import cores, gpus
from shared_encoder_perception.images.bags import first_line
from shared_encoder_perception.replay.scale_bags import LOCAL

STORE_BYTES: Final = 80 * 2**20
"""Ray's shared memory, near the least that it takes: results go through files."""
KNOCK_S: Final = 10.0
"""How long a cluster may take to answer at its address."""
WORKER_ENVIRONMENT: Final = {"TQDM_DISABLE": "1"}
"""The driver has the progress bar."""


@dataclass(frozen=True)
class Plan:
    """How the bags are shared out.

    Attributes:
        workers: Bags at a time.
        threads: Of each.
        cpus: That a task asks of the cluster.
        gpus: That a task asks of the cluster.
    """

    workers: int
    threads: int
    cpus: int
    gpus: int


@contextmanager
def cluster(ray: Any, args: argparse.Namespace) -> Iterator[Plan]:
    """Be connected to a cluster; end it afterwards if we started it, and only then.

    What tasks still run is ended by Ray, which kills the workers of a driver that leaves. To cancel
    them here first would race with tasks that complete at that moment, of which Ray itself dies.

    Raises:
        ValueError: It lacks what a task needs.
        RuntimeError: There is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    folder: str | None = None
    plan: Plan | None = None
    options: dict[str, Any] = {"address": args.ray}
    if args.ray == LOCAL:
        here = plan_of(args, [{"CPU": cores(), "GPU": len(gpus())}])
        # One of Ray's CPUs for each worker: more would start processes that stay idle.
        plan = replace(here, cpus=1)
        folder = tempfile.mkdtemp(prefix="replay_ray_")
        options |= {"num_cpus": plan.workers, "object_store_memory": STORE_BYTES}
        options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        options |= {"_temp_dir": folder}
    else:
        _knock(args.ray)
    try:
        try:
            with _interrupted_after():
                ray.init(
                    **options,
                    runtime_env={"env_vars": WORKER_ENVIRONMENT},
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (OSError, RuntimeError) as error:
            raise RuntimeError(f"no Ray cluster at {args.ray}: {first_line(error)}") from None
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield plan or plan_of(args, nodes)
    finally:
        with _interrupted_after():
            ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _interrupted_after() -> Iterator[None]:
    """Hear Ctrl-C when the block is over: it would leave Ray half begun, which then crashes.

    A second one is heard at once, should Ray hang.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    heard: list[int] = []

    def later(number: int, _: Any) -> None:
        signal.signal(number, before)
        heard.append(number)

    signal.signal(signal.SIGINT, later)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


def _knock(address: str) -> None:
    """See whether anybody listens at ``host:port``: Ray itself would try for minutes.

    Raises:
        RuntimeError: Nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # another kind of address, as "auto"
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), KNOCK_S):
            pass
    except (OSError, OverflowError) as error:
        raise RuntimeError(f"no Ray cluster at {address}: {error}") from None


def require_ray() -> Any:
    """Import Ray.

    Raises:
        ValueError: It is not installed.
    """
    token = os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token"
    has_token = "RAY_AUTH_TOKEN" in os.environ or Path(token).exists()
    if has_token and "ray" not in sys.modules:
        # Ray's first local cluster leaves a token, all that are begun on this machine later ask for
        # it, and who joins them by their address has to be told so, before the import.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        return import_module("ray")
    except ModuleNotFoundError:
        raise ValueError("--ray needs Ray: pip install '.[scale]' in the source tree") from None


def plan_of(args: argparse.Namespace, nodes: Sequence[Mapping[str, float]]) -> Plan:
    """Share out the cluster.

    Args:
        args: ``workers``, ``threads``, ``device`` and ``backend``.
        nodes: ``{"CPU": ..., "GPU": ...}`` of each machine.

    Raises:
        ValueError: No machine has what a task needs.
    """
    on_gpu = args.backend == "tensorrt" or args.device.startswith(("cuda", "tensorrt"))
    cards = sum(int(node.get("GPU", 0)) for node in nodes)
    if on_gpu and not cards:
        raise ValueError(f"--device {args.device} needs a GPU, and the cluster has none")
    usable = [node for node in nodes if node.get("GPU", 0) >= 1] if on_gpu else nodes
    cpus = [int(node.get("CPU", 0)) for node in usable]
    largest = max(cpus, default=0)
    if not largest:
        raise ValueError("the cluster has no CPU to work on: add a machine with some")
    workers = args.workers or (cards if on_gpu else max(sum(cpus) // (args.threads or 1), 1))
    # As many as let all work at a time: a task does not spread over machines.
    fitting = (n for n in range(largest, 0, -1) if sum(has // n for has in cpus) >= workers)
    threads = args.threads or next(fitting, 1)
    # A task that asks for more than any machine has would wait for ever.
    return Plan(workers, threads, min(threads, largest), int(on_gpu))
