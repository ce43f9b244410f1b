"""glibc's allocator, told to keep the memory that a network frees.

Left alone it hands every large buffer back to the kernel after each operation and asks for it
again at the next: a batch of 32 images then costs 550,000 page faults.
"""

from __future__ import annotations

import ctypes
import os
import sys

SWITCH = "TRAINING_ALLOCATOR"
"""Set to ``system`` in the environment, it leaves the allocator alone."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4
_SETTINGS = (
    (_M_MMAP_THRESHOLD, 1 << 30),
    (_M_TRIM_THRESHOLD, (1 << 31) - 1),
    (_M_MMAP_MAX, 0),
    (_M_TOP_PAD, 64 << 20),
)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the rest of this process; return whether it took it.

    Other systems and C libraries, and processes with ``TRAINING_ALLOCATOR=system``, are left
    alone. The process keeps its peak memory until it ends.
    """
    if os.environ.get(SWITCH) == "system" or sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(key, value) == 1 for key, value in _SETTINGS)
