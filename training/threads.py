"""How many threads torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in this thread alone: one picture is too little for several.

    They wait for each other after every operation, and where another process wants the cores,
    that wait is a time slice: 1,327 images were augmented in 2.0 s with two threads on two idle
    cores, but in 19–58 s beside a busy process.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
