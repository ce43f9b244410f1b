"""What holds for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.process import wait_passively

wait_passively()  # before any test imports torch


ONE_AFTER_THE_OTHER = ("e2e", "browser", "window")
"""Folders of tests that share servers, or a screen; in ``make test`` one process runs them all."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together where several processes run them."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        group = "together" if folder in ONE_AFTER_THE_OTHER else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """In CI, where everything is installed, a skipped test is a promise not kept."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr[-1]}"
    return report
