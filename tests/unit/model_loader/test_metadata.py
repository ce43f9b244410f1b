"""model.json is read whole or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_loader import Metadata, ModelCorruptError, ModelIncompatibleError


@pytest.fixture
def document(version: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((version / "model.json").read_text())
    return document


def test_it_survives_a_round_trip(version: Path) -> None:
    text = (version / "model.json").read_bytes()
    assert Metadata.from_json(text).to_json() == text


def test_it_says_where_the_version_comes_from(document: dict[str, Any]) -> None:
    assert document["schema"] == 1
    assert document["labels"][0] == "Flying Birds"
    assert set(document["files"]) == {"model.pt", "model.onnx"}
    assert {"torch", "onnx", "pillow"} <= set(document["libraries"])
    assert sum(document["self_test"]["probabilities"]) == pytest.approx(1)


def test_another_schema_asks_for_another_handler(document: dict[str, Any]) -> None:
    document["schema"] = 2
    with pytest.raises(ModelIncompatibleError, match="schema 2, this code reads 1"):
        Metadata.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b"3", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(ModelCorruptError, match="model.json"):
        Metadata.from_json(text)


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no labels": (lambda d: d.pop("labels"), "'labels' is missing"),
    "one label": (lambda d: d.update(labels=["a"]), "at least two"),
    "a label twice": (lambda d: d.update(labels=["a", "a"]), "differ from each other"),
    "an empty label": (lambda d: d.update(labels=["a", ""]), "not empty"),
    "more labels than probabilities": (lambda d: d["labels"].append("e"), "there are 5 labels"),
    "a name that leaves the folder": (lambda d: d.update(name="../x"), "name '../x' must be"),
    "a version with a slash": (lambda d: d.update(version="a/b"), "version 'a/b' must be"),
    "temperature zero": (lambda d: d.update(temperature=0), "above zero"),
    "a threshold above one": (lambda d: d.update(threshold=1.5), "between 0 and 1"),
    "a hash that is none": (lambda d: d["files"]["model.pt"].update(sha256="x"), "64 digits"),
    "a file without a size": (lambda d: d["files"]["model.pt"].pop("size"), "'size' is missing"),
    "files that are a list": (lambda d: d.update(files=[]), "model.json"),
    "a temperature beyond numbers": (lambda d: d.update(temperature=10**400), "model.json"),
    "a size beyond numbers": (
        lambda d: d["files"]["model.pt"].update(size=float("inf")),
        "model.json",
    ),
    "a self-test that is no base64": (lambda d: d["self_test"].update(image="?"), "model.json"),
}


@pytest.mark.parametrize(("change", "complaint"), CHANGES.values(), ids=CHANGES.keys())
def test_a_value_that_is_wrong_is_named(
    document: dict[str, Any], change: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    change(document)
    with pytest.raises(ModelCorruptError, match=complaint):
        Metadata.from_json(json.dumps(document).encode())
