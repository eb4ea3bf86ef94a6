# SPDX-License-Identifier: Apache-2.0
"""Where training runs: part of ``TrainConfig``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MachineConfig:
    """Where it runs; passed to lightning's Trainer.

    Attributes:
        accelerator: ``auto``, ``cpu``, ``gpu`` …
        devices: Processes on each machine; -1 for all GPUs.
        num_nodes: Machines (started by torchrun or SLURM).
        strategy: ``auto``, ``ddp``, ``ddp_spawn`` …
        precision: ``bf16-mixed``, ``16-mixed`` or ``32-true``.
        workers: Data loading processes for each training process.
    """

    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "bf16-mixed"
    workers: int = 2
