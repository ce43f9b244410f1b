"""What a cold start leaves out is back when it has ended."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from service import cold_start


@pytest.fixture(autouse=True)
def without_the_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "werkzeug.serving", raising=False)
    yield
    gc.enable()


def test_garbage_is_left_alone_until_the_end() -> None:
    cold_start.begin()
    assert not gc.isenabled()
    cold_start.end()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_werkzeugs_server_can_be_imported_after_the_end() -> None:
    cold_start.begin()
    assert sys.modules["werkzeug.serving"].run_simple is None
    cold_start.end()
    from werkzeug.serving import run_simple

    assert callable(run_simple)


def test_a_server_that_is_there_already_stays() -> None:
    import werkzeug.serving

    there = sys.modules["werkzeug.serving"]
    cold_start.begin()
    cold_start.end()
    assert sys.modules["werkzeug.serving"] is there is werkzeug.serving
