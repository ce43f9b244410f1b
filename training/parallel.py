"""Parallel work: results in order, and the number of threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

_AHEAD = 4
# Results that wait for their turn, for each thread.


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    pool: Executor, function: Callable[[_T], _R], items: Iterable[_T], ahead: int
) -> Iterator[_R]:
    """Yield ``function`` of each item, in order, computed by a pool's threads or processes.

    At most ``ahead`` items are taken whose results have not been yielded, so that neither large
    items nor large results pile up. If the results are no longer asked for, pending work is
    dropped.
    """
    pending: deque[Future[_R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def in_threads(
    function: Callable[[_T], _R], items: Iterable[_T], threads: int | None = None
) -> Iterator[_R]:
    """Yield ``function`` of each item, in order, computed by a thread for each core.

    Pillow releases the GIL while it decodes and resizes, so that threads are as quick as
    processes, which have to start and to send the pixels back.
    """
    threads = threads or cores()
    with ThreadPoolExecutor(threads) as pool:
        yield from in_order(pool, function, items, _AHEAD * threads)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with this number of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def one_thread() -> AbstractContextManager[None]:
    """Let torch compute in this thread alone: one image is too little work for several.

    Threads wait for each other after every operation; where another process wants the cores, each
    wait lasts a time slice.
    """
    return torch_threads(1)
