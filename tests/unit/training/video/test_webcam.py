"""``webcam``: what it writes, shows and refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command_line import mistake, run
from tests.support.films import drawn, greys, write_film
from tests.support.video_material import pictures_of


def test_the_command_writes_every_frame_of_a_video_with_its_label(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.mp4", drawn(12, (320, 240)))
    out = tmp_path / "out.mp4"
    assert run("webcam", film, "--model", version, "--output", out) == 0
    assert "12 frames labelled" in capsys.readouterr().err
    before, after = pictures_of(film), pictures_of(out)
    assert len(after) == len(before) == 12
    for plain, labelled in zip(before, after, strict=True):
        corner, rest = (0, 0, 100, 20), (0, 120, 320, 240)
        assert difference(plain, labelled, corner) > 30 > 3 * difference(plain, labelled, rest)


def test_the_command_stops_in_time(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.avi", greys(30))
    out = tmp_path / "out.mp4"
    assert run("webcam", film, "--model", version, "--output", out, "--seconds", 0.5) == 0
    assert "6 frames labelled" in capsys.readouterr().err
    assert len(pictures_of(out)) == 6


def test_without_a_display_the_way_out_is_named_before_the_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.avi", greys(2))
    monkeypatch.delenv("DISPLAY", raising=False)
    line = mistake(capsys, "webcam", film, "--model", tmp_path / "none")
    assert "There is no display to open a window on." in line
    assert "--output FILE.mp4" in line
    monkeypatch.setenv("DISPLAY", ":4321")
    line = mistake(capsys, "webcam", film, "--model", tmp_path / "none")
    assert "(:4321 does not answer)" in line


def test_without_tk_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.avi", greys(2))
    monkeypatch.setitem(sys.modules, "tkinter", None)
    monkeypatch.delitem(sys.modules, "training.video.window", raising=False)
    line = mistake(capsys, "webcam", film, "--model", tmp_path / "none")
    assert "A window needs Tk" in line
    assert "--output FILE.mp4" in line


@pytest.mark.parametrize(
    ("source", "line"),
    [("94", "There is no camera 94"), ("nothing.mp4", "There is no video nothing.mp4")],
)
def test_a_source_that_is_not_there_is_a_mistake(
    source: str, line: str, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert line in mistake(capsys, "webcam", source, "--model", version, "--output", out)
    assert not out.exists()


def test_a_damaged_video_is_a_mistake(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.mp4").write_text("hello")
    options = ("--model", version, "--output", tmp_path / "out.mp4")
    assert "film.mp4: It cannot be opened" in mistake(
        capsys, "webcam", tmp_path / "film.mp4", *options
    )
    assert not (tmp_path / "out.mp4").exists()


def difference(first: Image.Image, second: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Return the mean difference of two pictures' levels within a box."""
    pair = [np.asarray(picture.crop(box), dtype=float) for picture in (first, second)]
    return float(np.abs(pair[0] - pair[1]).mean())
