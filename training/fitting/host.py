"""The processes of one host, which share what one of them computes."""

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
from training.fitting.hardware import Hardware

_T = TypeVar("_T")

_PATIENCE = timedelta(days=7)
"""How long to wait for the first process; where it fails, torchrun ends the others."""


class Host:
    """This process among those of its host.

    They meet at torchrun's key-value store, because Lightning joins them into a group only when the
    first stage's training begins.
    """

    def __init__(self, hardware: Hardware) -> None:
        """Join the others, if there are any."""
        self._is_first = hardware.local_rank == 0
        self._store: Store | None = None
        if hardware.local_world > 1:
            store, _, _ = next(rendezvous("env://", timeout=_PATIENCE))
            restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
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


@contextmanager
def _all_cores() -> Iterator[None]:
    """Compute with a thread for each core: torchrun gives each process one, and the others wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        yield
    finally:
        torch.set_num_threads(threads)
