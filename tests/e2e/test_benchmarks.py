"""The benchmarks run, and what they time gives the right answers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.__main__ import GROUPS
from tools.local_aws.install import ROOT

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(600)  # a minute of two quiet processors
@pytest.mark.parametrize("group", GROUPS)
def test_every_figure_can_be_measured(tools: None, group: str) -> None:
    command = [sys.executable, "-m", "benchmarks", group, "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
