"""What a training process does with memory and cores, and how that is switched off."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from training.process import SWITCH, wait_passively

_FAULTS = """
import resource
import numpy as np
from training.process import keep_freed_memory

took = keep_freed_memory()
np.ones(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 20)
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(**environment: str) -> tuple[bool, int]:
    """Allocate 8 MB fifty times; return whether the settings were taken, and the page faults."""
    command = [sys.executable, "-c", _FAULTS]
    env = {**os.environ, **environment}
    words = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    took, faults = words.split()
    return took == "True", int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_kept_unless_that_is_switched_off() -> None:
    (kept, few), (left_alone, many) = _faults(), _faults(**{SWITCH: "system"})
    assert kept
    assert not left_alone
    assert few * 20 < many


def test_threads_wait_asleep_unless_they_are_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_the_command_line_sets_this_before_torch_is_imported() -> None:
    code = (
        "import gc, os, sys\n"
        "sys.argv = ['training', '--help']; os.environ.pop('OMP_WAIT_POLICY', '')\n"
        "from training.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'],\n"
        "                         gc.get_threshold()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False PASSIVE 10000"
