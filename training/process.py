"""Memory and cores of a training process; ``docs/performance.md`` says what each setting gains.

``keep_freed_memory``: glibc returns every large buffer to the kernel after each operation and asks
for it again at the next. ``wait_passively``: OpenMP's threads wait for each other in a loop; if
another process wants the core, each wait lasts a time slice. ``collect_less_often``: imports of
torch and Lightning make a million objects that stay, and Python looks for garbage after every 700.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

SWITCH = "TRAINING_ALLOCATOR"
"""Set to ``system`` in the environment, it leaves the allocator alone."""

_WAIT = "OMP_WAIT_POLICY"
_OBJECTS = 10_000
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4
_SETTINGS = (
    (_M_MMAP_THRESHOLD, 1 << 30),
    (_M_TRIM_THRESHOLD, (1 << 31) - 1),
    (_M_MMAP_MAX, 0),
    (_M_TOP_PAD, 64 << 20),
)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory until this process ends; return whether it does.

    Other systems and C libraries, and processes with ``TRAINING_ALLOCATOR=system``, are left alone.
    """
    if os.environ.get(SWITCH) == "system" or sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(key, value) == 1 for key, value in _SETTINGS)


def wait_passively() -> None:
    """Let idle threads sleep, in this process and those it starts; call it before importing torch.

    ``OMP_WAIT_POLICY=ACTIVE`` in the environment keeps them awake.
    """
    os.environ.setdefault(_WAIT, "PASSIVE")


def collect_less_often() -> None:
    """Let Python look for garbage less often, in this process; call it before large imports."""
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
