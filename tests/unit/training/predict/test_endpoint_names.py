"""``predict --endpoint`` tells a service the last part of a path, in a form that it takes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from handler import create_app
from model_loader import SharedModel
from tests.support.images import encode, noise
from tests.support.servers import serving
from training.predict.endpoint import Endpoint
from training.predict.questions import Frame, ImageFile

Told = tuple[str, list[str]]


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def told_names(published: str) -> Iterator[Told]:
    """Run the service; return its address, and the file names that it answers about."""
    told: list[str] = []
    app = create_app(SharedModel(published))

    def listening(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = b"".join(app(environ, start_response))
        if environ["PATH_INFO"] == "/classify":
            told.append(json.loads(body)["filename"])
        return [body]

    with serving(listening) as address:
        yield address, told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gull.png", "gull.png"),
        ("ö 鳥.png", "ö 鳥.png"),
        (os.fsdecode(b"caf\xe9.png"), r"caf\udce9.png"),
        (os.fsdecode(b"\xe9" * 250 + b".png"), (r"\udce9" * 250 + ".png")[-255:]),
        ("n" * 251 + ".png", "n" * 251 + ".png"),
        ("鳥" * 80 + ".png", "鳥" * 80 + ".png"),
        ('"' * 240 + ".png", '"' * 240 + ".png"),
        ("a\nb\r.png", r"a\nb\r.png"),
        ("\x1b[31m.png", r"\u001b[31m.png"),
        ("back\\slash;x=y.png", "back\\slash;x=y.png"),
    ],
)
def test_of_a_path_the_service_is_told_the_last_part_as_far_as_it_takes_it(
    name: str, expected: str, told_names: Told, tmp_path: Path
) -> None:
    address, told = told_names
    path = tmp_path / "holiday photos of Ann" / name
    path.parent.mkdir()
    path.write_bytes(encode(noise(40, 30), "PNG"))
    (answer,) = Endpoint(address).answers([ImageFile(path)])
    assert answer.prediction is not None
    (filename,) = told
    assert filename == expected


def test_a_frames_video_is_told_without_its_folder(told_names: Told) -> None:
    address, told = told_names
    frame = Frame("films of Ann/clip.mp4 @ 0:00:01.000", noise(40, 30))
    (answer,) = Endpoint(address).answers([frame])
    assert answer.prediction is not None
    assert told == ["clip.mp4 @ 0:00:01.000"]
