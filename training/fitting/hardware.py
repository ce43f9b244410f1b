"""What a run runs on: one process, or several that torchrun started."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

_TORCHRUN = (
    ("RANK", "0"),
    ("WORLD_SIZE", "1"),
    ("LOCAL_WORLD_SIZE", "1"),
    ("LOCAL_RANK", "0"),
    ("GROUP_RANK", "0"),
)


@dataclass(frozen=True)
class Hardware:
    """Processes and what they compute on.

    Attributes:
        accelerator: ``auto``, ``cpu``, ``gpu`` …, as Lightning has it.
        precision: ``32-true``, ``bf16-mixed`` …, as Lightning has it.
        rank: Of this process, from 0.
        world: Number of processes.
        local_world: Number of them on this machine.
        local_rank: Of this process among those of this machine, from 0.
        host: Of this machine, from 0.
    """

    accelerator: str = "auto"
    precision: str = "32-true"
    rank: int = 0
    world: int = 1
    local_world: int = 1
    local_rank: int = 0
    host: int = 0

    @property
    def device(self) -> torch.device:
        """What this process computes on: a GPU of its own where one is there and may be used."""
        if self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
            return torch.device("cuda", self.local_rank)
        return torch.device("cpu")

    @classmethod
    def from_environment(cls, accelerator: str, precision: str) -> Hardware:
        """Read the number of processes from torchrun's environment."""
        counts = [int(os.environ.get(name, default)) for name, default in _TORCHRUN]
        return cls(accelerator, precision, *counts)
