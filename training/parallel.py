"""Parallel work: results in order, and how many threads torch computes with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    pool: Executor, function: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int
) -> Iterator[_Result]:
    """Yield ``function`` of each item, in order, computed by a pool's threads or processes.

    At most ``ahead`` items are taken whose results have not been yielded, so that neither large
    items nor large results pile up. Where the results are no longer asked for, what has not begun
    by then is dropped.
    """
    pending: deque[Future[_Result]] = deque()
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in this thread alone: one picture is too little for several.

    They wait for each other after every operation, and where another process wants the cores,
    that wait is a time slice: 1,327 images were augmented in 2.0 s with two threads on two idle
    cores, but in 19–58 s beside a busy process.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
