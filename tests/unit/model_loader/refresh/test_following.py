"""A warm process comes to a new version by itself."""

from __future__ import annotations

import pytest

from model_loader import ModelIncompatibleError, ModelMismatchError, SharedModel
from model_loader.store import LocalStore, file_info
from tests.support.refresh_material import Clock, Versions, served, shared
from training.published.stored_versions import roll_back


def test_a_new_version_is_served_once_the_time_is_over(anywhere: Versions, clock: Clock) -> None:
    model = shared(anywhere)
    assert served(model) == anywhere.first
    anywhere.publish_second()
    clock.wait(59)
    assert served(model) == anywhere.first
    clock.wait(1)
    assert served(model) == anywhere.second


def test_a_roll_back_is_followed_like_a_publication(anywhere: Versions, clock: Clock) -> None:
    anywhere.publish_second()
    model = shared(anywhere)
    assert served(model) == anywhere.second
    roll_back(anywhere.address)
    clock.wait()
    assert served(model) == anywhere.first


def test_nothing_is_loaded_while_nothing_changes(
    anywhere: Versions, clock: Clock, loads: list[str]
) -> None:
    model = shared(anywhere)
    for _ in range(3):
        served(model)
        clock.wait()
    assert loads == [f"versions/{anywhere.first}/"]


def test_between_the_checks_the_store_is_left_alone(
    versions: Versions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shared(versions)
    served(model)
    asked = []
    monkeypatch.setattr(LocalStore, "is_changed", lambda _, key, tag: asked.append(key))
    for _ in range(119):
        clock.wait(1)
        served(model)
    assert sorted(asked) == ["current.json", f"versions/{versions.first}/model.json"]


@pytest.mark.parametrize("seconds", ["0", "60"])
def test_a_version_stays_where_nothing_may_change(
    versions: Versions, clock: Clock, seconds: str
) -> None:
    first = file_info(versions.folders[0] / "model.json").sha256
    pinned = shared(versions, seconds, None if seconds == "0" else first)
    single = SharedModel(f"{versions.address}/versions/{versions.first}", "onnx", seconds)
    assert [served(pinned), served(single)] == [versions.first] * 2
    versions.publish_second()
    clock.wait(1e6)
    assert [served(pinned), served(single)] == [versions.first] * 2


def test_a_clock_that_was_set_back_does_not_stop_the_checks(
    versions: Versions, clock: Clock
) -> None:
    model = shared(versions)
    served(model)
    versions.publish_second()
    clock.wait(-3600)
    assert served(model) == versions.second


@pytest.mark.parametrize("seconds", ["", "-1", "soon", "nan", "inf"])
def test_seconds_that_are_none_are_named(versions: Versions, seconds: str) -> None:
    with pytest.raises(ModelIncompatibleError, match="MODEL_REFRESH_SECONDS is"):
        shared(versions, seconds).get()


def test_the_environment_says_what_to_serve(versions: Versions, clock: Clock) -> None:
    environment = {"MODEL_URI": versions.address, "MODEL_ENGINE": "onnx", "MODEL_SHA256": ""}
    model = SharedModel.from_environment(environment)
    pinned = SharedModel.from_environment({**environment, "MODEL_SHA256": "0" * 64})
    still = SharedModel.from_environment({**environment, "MODEL_REFRESH_SECONDS": "0"})
    assert model.get().engine == "onnx"
    assert served(still) == versions.first
    with pytest.raises(ModelMismatchError):
        pinned.get()
    versions.publish_second()
    clock.wait(60)
    assert [served(model), served(still)] == [versions.second, versions.first]
