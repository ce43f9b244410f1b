"""The processes of a run: those of one machine share results, and all of them agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from training.errors import TrainingError
from training.fitting.hardware import Hardware
from training.parallel import cores, torch_threads

_T = TypeVar("_T")

_TIMEOUT = timedelta(days=7)
# For waiting on another process; where that one fails, torchrun ends the others.


class ProcessGroup:
    """This process among those of its machine, and among all.

    They meet at torchrun's key-value store, because Lightning joins them into a group only when the
    first stage's training begins.

    Attributes:
        is_first: Whether this process computes, and tidies up, for its machine.
    """

    def __init__(self, hardware: Hardware) -> None:
        """Join the other processes, if there are any."""
        self.is_first = hardware.local_rank == 0
        self._hardware = hardware
        self._machine: Store | None = None
        self._all: Store | None = None
        if hardware.world > 1:
            store, _, _ = next(rendezvous("env://", timeout=_TIMEOUT))
            restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            self._all = PrefixStore(f"all-restart-{restart}", store)
            if hardware.local_world > 1:
                self._machine = PrefixStore(f"host-{hardware.host}-restart-{restart}", store)

    def once(self, name: str, compute: Callable[[], _T], fetch: Callable[[], _T]) -> _T:
        """Let the machine's first process compute, on all cores, and the others fetch the result.

        Each name is used once.
        """
        if self._machine is None:
            return compute()
        if self.is_first:
            with torch_threads(cores()):  # torchrun gives each process one, and the others wait
                result = compute()
            self._machine.set(name, "computed")
            return result
        self._machine.wait([name], _TIMEOUT)
        return fetch()

    def agree(self, name: str, find: Callable[[], float]) -> float:
        """Let the first process of all find a number, which every process then uses.

        Each name is used once.
        """
        if self._all is None:
            return find()
        if self._hardware.rank == 0:
            with torch_threads(cores()):
                number = find()
            self._all.set(name, repr(number))
            return number
        return float(_get(self._all, name))

    def check_same(self, name: str, value: str) -> None:
        """Check that every process has the same value, or they would train different models.

        ``name`` is in words; each is used once.

        Raises:
            TrainingError: One has another; every process raises it.
        """
        if self._all is None:
            return
        self._all.set(f"{name}-{self._hardware.rank}", value)
        for rank in range(self._hardware.world):
            if _get(self._all, f"{name}-{rank}") != _get(self._all, f"{name}-0"):
                raise TrainingError(
                    f"The {name} of process {rank} and of process 0 differ. Give all of them one "
                    "command and the same files."
                )


def _get(store: Store, name: str) -> str:
    store.wait([name], _TIMEOUT)
    return store.get(name).decode()
