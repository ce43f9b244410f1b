"""One request looks for a new version; the others are answered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from model_loader import Model, refresh
from model_loader.loading import load_version
from model_loader.store import LocalStore
from tests.support.refresh_material import Clock, Versions, served, shared


def test_others_are_answered_with_the_old_version_while_one_loads_the_new(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    loading, may_end = threading.Event(), threading.Event()
    load = load_version

    def slow(*arguments: Any) -> Model:
        loading.set()
        assert may_end.wait(10)
        return load(*arguments)

    monkeypatch.setattr(refresh, "load_version", slow)
    clock.wait()
    with ThreadPoolExecutor(1) as pool:
        noticing = pool.submit(served, model)
        assert loading.wait(10)
        assert [served(model) for _ in range(100)] == [versions.first] * 100
        may_end.set()
        assert noticing.result(10) == versions.second


def test_of_many_requests_one_asks(versions: Versions, clock: Clock, loads: list[str]) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    clock.wait()
    together = threading.Barrier(16)

    def ask(_: int) -> None:
        together.wait()
        served(model)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    assert loads == [f"versions/{version}/" for version in (versions.first, versions.second)]


def test_who_finds_a_check_made_in_the_meantime_makes_none(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    clock.wait()
    asked = []
    saw_that_it_is_due, may_go_on = threading.Event(), threading.Event()
    is_due = refresh.LatestModel._is_due

    def hesitating(self: refresh.LatestModel) -> bool:
        answer = is_due(self)
        if threading.current_thread().name.startswith("late"):
            saw_that_it_is_due.set()
            assert may_go_on.wait(10)
        return answer

    monkeypatch.setattr(LocalStore, "is_changed", lambda _, key, tag: asked.append(key))
    monkeypatch.setattr(refresh.LatestModel, "_is_due", hesitating)
    with ThreadPoolExecutor(1, thread_name_prefix="late") as pool:
        late = pool.submit(served, model)
        assert saw_that_it_is_due.wait(10)
        served(model)
        may_go_on.set()
        late.result(10)
    assert sorted(asked) == ["current.json", f"versions/{versions.first}/model.json"]


def test_a_load_that_takes_long_goes_on_after_the_answer(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    may_end, ended = threading.Event(), threading.Event()
    load = load_version

    def slow(*arguments: Any) -> Model:
        assert may_end.wait(10)
        try:
            return load(*arguments)
        finally:
            ended.set()

    monkeypatch.setattr(refresh, "load_version", slow)
    monkeypatch.setattr(refresh, "LONGEST_WAIT", 0.01)
    clock.wait()
    assert served(model) == versions.first
    may_end.set()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "model-refresh":
            thread.join(10)
    assert served(model) == versions.second
