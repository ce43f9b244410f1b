"""The processes of a run: those of one host share what one of them computes, all of them agree."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from training.data.contents import cores
from training.errors import TrainingError
from training.fitting.hardware import Hardware

_T = TypeVar("_T")

_PATIENCE = timedelta(days=7)
"""How long to wait for another process; where it fails, torchrun ends the others."""


class Host:
    """This process among those of its host, and among all.

    They meet at torchrun's key-value store, because Lightning joins them into a group only when the
    first stage's training begins.
    """

    def __init__(self, hardware: Hardware) -> None:
        """Join the others, if there are any."""
        self._hardware = hardware
        self._is_first = hardware.local_rank == 0
        self._store: Store | None = None
        self._everyone: Store | None = None
        if hardware.world > 1:
            store, _, _ = next(rendezvous("env://", timeout=_PATIENCE))
            restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            self._everyone = PrefixStore(f"all-restart-{restart}", store)
            if hardware.local_world > 1:
                self._store = PrefixStore(f"host-{hardware.host}-restart-{restart}", store)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that computes, and tidies up, for its host."""
        return self._is_first

    def once(self, name: str, compute: Callable[[], _T], take: Callable[[], _T]) -> _T:
        """Let the first process compute, on all cores, and the others take what it made.

        Args:
            name: Of what is computed; each is used once.
            compute: Makes it and leaves it where the others find it.
            take: Fetches it from there.
        """
        if self._store is None:
            return compute()
        if self._is_first:
            with _all_cores():
                made = compute()
            self._store.set(name, "made")
            return made
        self._store.wait([name], _PATIENCE)
        return take()

    def told(self, name: str, find: Callable[[], float]) -> float:
        """Let the first process of all find a number, which every process then uses.

        Args:
            name: Of the number; each is used once.
            find: Finds it.
        """
        if self._everyone is None:
            return find()
        if self._hardware.rank == 0:
            with _all_cores():
                found = find()
            self._everyone.set(name, repr(found))
            return found
        return float(self._get(self._everyone, name))

    def check_same(self, name: str, value: str) -> None:
        """Make sure that every process has the same, or they would train different models.

        Args:
            name: Of what is compared, in words; each is used once.
            value: This process's.

        Raises:
            TrainingError: One has another; every process raises it.
        """
        if self._everyone is None:
            return
        self._everyone.set(f"{name}-{self._hardware.rank}", value)
        for rank in range(self._hardware.world):
            if self._get(self._everyone, f"{name}-{rank}") != self._get(
                self._everyone, f"{name}-0"
            ):
                raise TrainingError(
                    f"The {name} of process {rank} and of process 0 differ. Give all of them one "
                    "command and the same files."
                )

    @staticmethod
    def _get(store: Store, name: str) -> str:
        store.wait([name], _PATIENCE)
        return store.get(name).decode()


@contextmanager
def _all_cores() -> Iterator[None]:
    """Compute with a thread for each core: torchrun gives each process one, and the others wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        yield
    finally:
        torch.set_num_threads(threads)
